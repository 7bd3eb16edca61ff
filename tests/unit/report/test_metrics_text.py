"""The file of metrics is what Prometheus' own parsers and its checker read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from otactl.report.metric_families import BY_NAME, FAMILIES
from otactl.report.metric_samples import Sample
from otactl.report.metrics_text import kept_values, registry_of, text_of, write
from tests.support.promtool import promtool

HOSTILE = 'a "quoted" \\ name\nof two lines {x="y"} é'
EVERYTHING = tuple(
    Sample(name=f.name, labels=tuple(f"{label}-{i}" for label in f.labels), value=1.5e9 + i)
    for f in FAMILIES
    for i in range(2)
)


def samples_of(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (s.name, *(s.labels[label] for label in BY_NAME[s.name].labels)): s.value
        for family in families
        for s in family.samples
        if not s.name.endswith("_created")
    }


EXPECTED = {(s.name, *s.labels): s.value for s in EVERYTHING}


def test_the_parser_of_the_text_format_reads_back_every_metric() -> None:
    families = list(text_families(text_of(EVERYTHING)))

    assert samples_of(families) == EXPECTED
    assert {f.name: f.documentation for f in families} == {f.name.removesuffix("_total"): f.text for f in FAMILIES}
    assert {f.type for f in families} == {"gauge", "counter"}


def test_the_parser_of_openmetrics_reads_back_every_metric() -> None:
    text = openmetrics(registry_of(EVERYTHING)).decode()

    assert samples_of(openmetrics_families(text)) == EXPECTED


def test_promtool_finds_no_fault_in_names_types_and_texts() -> None:
    assert promtool("check", "metrics", given=text_of(EVERYTHING)) == ""


def test_a_hostile_name_stays_one_label() -> None:
    text = text_of([Sample(name="otactl_run_success", labels=(HOSTILE,), value=1)])

    assert samples_of(text_families(text)) == {("otactl_run_success", HOSTILE): 1}
    assert len(text.splitlines()) == 3


def test_a_file_is_replaced_in_one_step_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "otactl.prom"
    file.write_text("old")
    before = file.stat().st_ino

    write(str(file), EVERYTHING)

    assert samples_of(text_families(file.read_text())) == EXPECTED
    assert file.stat().st_ino != before
    assert [p.name for p in tmp_path.iterdir()] == ["otactl.prom"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write(str(tmp_path / "no/otactl.prom"), EVERYTHING)


def test_values_of_an_earlier_file_are_kept_by_environment() -> None:
    text = text_of([Sample(name="otactl_run_success", labels=("prod-eu",), value=1)])

    assert kept_values(text, "otactl_run_success") == {"prod-eu": 1}
    with pytest.raises(ValueError, match="could not convert"):
        kept_values("no metrics at all {", "otactl_run_success")
