"""A worker counts what it does, and shows the metrics of the passes that it ran last."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample as Shown

from otactl.report.metric_samples import Sample
from otactl.workers.figure_families import OUTCOMES, WORKER_FAMILIES
from otactl.workers.figures import Figures


@pytest.fixture
def figures() -> Figures:
    found = Figures(4)
    found.fetched_at = 1_700_000_000.0
    return found


def shown(figures: Figures, name: str) -> list[Shown]:
    """What a scrape has of a name."""
    families = text_string_to_metric_families(figures.text().decode())
    return [sample for family in families for sample in family.samples if sample.name == name]


def values(figures: Figures, name: str, label: str) -> dict[str, float]:
    return {each.labels[label]: each.value for each in shown(figures, name)}


def ran(environment: str) -> tuple[Sample, ...]:
    """The metrics of a run."""
    return (Sample(name="otactl_run_success", labels=(environment,), value=1.0),)


def test_jobs_are_counted_by_what_they_came_to(figures: Figures) -> None:
    figures.ended("prod-eu", "ok", 1.0, 0.0, ())
    figures.ended("prod-us", "ok", 1.0, 0.0, ())
    figures.ended("prod-us", "hung", 1.0, 0.0, ())
    counted = values(figures, "otactl_worker_passes_total", "outcome")
    assert counted == {**dict.fromkeys(OUTCOMES, 0.0), "ok": 2.0, "hung": 1.0}


def test_durations_and_waits_are_histograms_and_no_wait_is_negative(figures: Figures) -> None:
    figures.ended("prod-eu", "ok", 0.7, -3.0, ())
    figures.ended("prod-eu", "ok", 1000.0, 61.0, ())
    took, waited = (f"otactl_worker_pass_{name}_seconds" for name in ("duration", "wait"))
    buckets = values(figures, f"{took}_bucket", "le")
    assert (buckets["0.5"], buckets["1.0"], buckets["600.0"], buckets["+Inf"]) == (0, 1, 1, 2)
    assert [each.value for each in shown(figures, f"{took}_sum")] == [1000.7]
    assert [each.value for each in shown(figures, f"{waited}_sum")] == [61.0]


def test_the_metrics_of_a_run_are_those_of_the_worker_that_ran_its_environment_last(figures: Figures) -> None:
    figures.ended("prod-eu", "ok", 1.0, 0.0, ran("prod-eu"))
    figures.ended("prod-us", "ok", 1.0, 0.0, ran("prod-us"))
    figures.ended("prod-us", "busy", 0.0, 0.0, ())
    assert figures.environments == ("prod-eu", "prod-us")

    figures.forget(["prod-eu", "unknown"])
    assert values(figures, "otactl_run_success", "environment") == {"prod-us": 1.0}


def test_what_waits_and_what_is_kept_back_is_shown_by_environment(figures: Figures) -> None:
    figures.waiting, figures.kept_back = {"prod-us": 90.0, "prod-eu": 0.0}, ("prod-eu",)
    assert values(figures, "otactl_queue_wait_seconds", "environment") == {"prod-eu": 0.0, "prod-us": 90.0}
    assert values(figures, "otactl_queue_kept_back", "environment") == {"prod-eu": 1.0}


def test_a_worker_that_has_fetched_nothing_does_not_say_when() -> None:
    assert shown(Figures(1), "otactl_worker_source_fetched_timestamp_seconds") == []


def test_every_metric_of_the_reference_is_shown_with_its_labels(figures: Figures) -> None:
    figures.waiting, figures.kept_back = {"prod-eu": 1.0}, ("prod-eu",)
    for family in WORKER_FAMILIES:
        name = f"{family.name}_bucket" if family.kind == "histogram" else family.name
        labels = {*family.labels, *(("le",) if family.kind == "histogram" else ())}
        assert {frozenset(each.labels) for each in shown(figures, name)} == {frozenset(labels)}, name
