"""The alert rules and the dashboard are what Prometheus reads, fire when they should, and name metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otactl import package_data
from otactl.report.metric_families import BY_NAME
from tests.support.paths import ROOT
from tests.support.promtool import promtool

FOLDER = package_data.repository_files() / "monitoring"
RULES, DASHBOARD = FOLDER / "otactl.rules.yml", FOLDER / "otactl-dashboard.json"
CASES = ROOT / "tests/static/monitoring/otactl.rules.test.yml"
NAME = re.compile(r"\botactl_[a-z_]+")
SELECTED = re.compile(r"\b(otactl_[a-z_]+)\{([^}]*)\}")
LISTED = re.compile(r"(?:by|on) \(([^)]*)\)")


def alerts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [r for g in yaml.safe_load(RULES.read_text())["groups"] for r in g["rules"]]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def queries() -> Iterator[str]:
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", RULES)


def test_every_alert_has_a_case_in_which_it_fires_and_all_cases_come_out_as_written(tmp_path: Path) -> None:
    for file in (RULES, CASES):
        shutil.copy(file, tmp_path)

    assert "SUCCESS" in promtool("test", "rules", tmp_path / CASES.name)
    cases = [case for test in yaml.safe_load(CASES.read_text())["tests"] for case in test.get("alert_rule_test", ())]
    assert {c["alertname"] for c in cases if c["exp_alerts"]} == {a["alert"] for a in alerts()}


def test_every_query_of_the_dashboard_is_one_that_prometheus_parses(tmp_path: Path) -> None:
    found = [query.replace("$environment", "prod.*") for query in queries()]
    rules = [{"record": f"panel:query:{n}", "expr": query} for n, query in enumerate(found)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert len(found) > 15
    assert "$" not in "".join(found)
    assert f"{len(found)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize("query", [*(a["expr"] for a in alerts()), *queries()])
def test_a_query_names_metrics_and_labels_that_exist(query: str) -> None:
    named = set(NAME.findall(query))

    assert named
    assert named <= set(BY_NAME)
    for name, selector in SELECTED.findall(query):
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector)) <= set(BY_NAME[name].labels)
    known = {label for name in named for label in BY_NAME[name].labels}
    assert {word.strip() for listed in LISTED.findall(query) for word in listed.split(",")} <= known


def test_the_dashboard_asks_for_environments_by_a_metric_that_exists() -> None:
    variables = {v["name"]: v for v in json.loads(DASHBOARD.read_text())["templating"]["list"]}

    (name,) = NAME.findall(variables["environment"]["definition"])
    assert "environment" in BY_NAME[name].labels
    assert variables["datasource"]["query"] == "prometheus"


def test_each_panel_has_a_title_a_description_and_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["title"]
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        fields = {(x + place["x"], y + place["y"]) for x in range(place["w"]) for y in range(place["h"])}
        assert not fields & taken
        assert max(x for x, _ in fields) < 24
        taken |= fields
    assert len({panel["id"] for panel in panels()}) == len(panels())
