"""What the verbs print for machines is what their schemas say, at every step of a rollout."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import botocore.loaders
import pytest
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from click.testing import CliRunner

from otactl.cli import cli
from otactl.cli.commands.demo import Demo
from otactl.manifest.schema import failures
from tests.support.demo_stage import set_stage


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    with set_stage(tmp_path, monkeypatch) as (_, stage):
        yield stage


def output(*words: str) -> dict[str, object]:
    result = CliRunner().invoke(cli, [*words, "-o", "json"])
    assert result.exit_code in (0, 1, 2), result.output
    found = json.loads(result.stdout)
    wrong = [str(f) for f in failures(words[0], found)]
    assert wrong == [], f"otactl {' '.join(words)}: {wrong}"
    assert isinstance(found, dict)
    return found


def test_every_json_output_is_as_its_schema_says_from_the_first_plan_to_the_end(demo: Demo) -> None:
    output("validate", "rollouts")
    output("plan", "rollouts", "--offline")
    output("plan", "rollouts")
    for _ in range(6):
        output("reconcile", "rollouts")
        output("plan", "rollouts")
        output("status")
        output("drift")
        demo.fleet({})
        demo.pass_time(3600)

    assert {r["phase"] for r in output("reconcile", "rollouts")["rollouts"]} == {"Succeeded"}
    assert output("history", "soil-probe-2-4-1")


def test_every_call_of_a_plan_is_one_the_sdks_own_validator_accepts(demo: Demo) -> None:
    planned = output("plan", "rollouts")
    loader = botocore.loaders.Loader()
    models = {s: ServiceModel(loader.load_service_model(s, "service-2")) for s in ("iotwireless", "iot")}
    steps = [r for rollout in planned["rollouts"] for r in (*rollout["next"], *rollout["outlook"])]

    assert len(steps) > 10
    for call in [c for r in steps for c in r["calls"] if c["service"] != "tuya"]:  # Tuya has no SDK
        shape = models[call["service"]].operation_model(call["operation"]).input_shape
        assert ParamValidator().validate(_blobs(call["parameters"]), shape).generate_report() == "", call


def _blobs(value: object) -> object:
    """Parameters as the SDK takes them: a blob is printed as `{"base64": …}`."""
    if isinstance(value, dict):
        return (
            base64.b64decode(value["base64"]) if set(value) == {"base64"} else {k: _blobs(v) for k, v in value.items()}
        )
    return [_blobs(v) for v in value] if isinstance(value, list) else value


def test_a_plan_offline_reads_nothing_and_says_so(demo: Demo) -> None:
    before = len(demo.requests())

    planned = output("plan", "rollouts", "--offline")

    assert planned["offline"] is True
    assert len(demo.requests()) == before
    assert all(r["next"] for r in planned["rollouts"])


def test_a_plan_is_the_same_text_twice_and_names_itself_by_content(demo: Demo) -> None:
    first, second = output("plan", "rollouts"), output("plan", "rollouts")

    assert first["digest"] == second["digest"]


def test_a_plan_writes_nothing_anywhere(demo: Demo, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / ".otactl")

    planned = output("plan", "rollouts")

    assert not (tmp_path / ".otactl").exists()
    assert all("reconcile sends nothing before there is one" in r["notes"][0] for r in planned["rollouts"])
    asked = {r["operation"] for r in demo.requests() if r["service"] == "iotwireless"}
    assert "ListFuotaTasks" in asked
    assert {name for name in asked if not name.startswith(("List", "Get"))} == set()


def test_markdown_for_a_pull_request_has_the_exact_calls_folded(demo: Demo) -> None:
    result = CliRunner().invoke(cli, ["plan", "rollouts", "-o", "markdown"])

    assert result.exit_code == 2
    assert "<details><summary>exact calls of the next run: " in result.output
    assert '"operation": "CreateFuotaTask"' in result.output


def test_reconcile_twice_in_a_row_writes_nothing_the_second_time(demo: Demo) -> None:
    output("reconcile", "rollouts")

    assert output("reconcile", "rollouts")["writes"] == 0


@pytest.mark.parametrize(("words", "code"), [((), 2), (("--exit-code", "0"), 0), (("--exit-code", "7"), 7)])
def test_plan_says_by_its_exit_code_that_calls_are_next(demo: Demo, words: tuple[str, ...], code: int) -> None:
    assert CliRunner().invoke(cli, ["plan", "rollouts", *words]).exit_code == code
