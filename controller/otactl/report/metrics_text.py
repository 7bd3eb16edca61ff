"""Writes samples of metrics as Prometheus reads them, by its own library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry

from otactl.report.metric_families import FAMILIES, Family
from otactl.report.metric_samples import Sample


class _Samples(Collector):
    """Hands the samples of one run to the library, family by family."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = tuple(samples)

    def collect(self) -> Iterator[Metric]:
        """Yield the families that have a sample."""
        return collected(self._samples)


def collected(samples: Iterable[Sample]) -> Iterator[Metric]:
    """Yield the families that have a sample, as the library takes them."""
    held = tuple(samples)
    for family in FAMILIES:
        mine = [sample for sample in held if sample.name == family.name]
        if mine:
            yield _metric(family, mine)


def _metric(family: Family, samples: list[Sample]) -> Metric:
    if family.kind == "counter":
        counter = CounterMetricFamily(family.name.removesuffix("_total"), family.text, labels=family.labels)
        for sample in samples:
            counter.add_metric(sample.labels, sample.value)
        return counter
    gauge = GaugeMetricFamily(family.name, family.text, labels=family.labels)
    for sample in samples:
        gauge.add_metric(sample.labels, sample.value)
    return gauge


def registry_of(samples: Iterable[Sample]) -> CollectorRegistry:
    """Return a registry with these samples alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(samples))
    return registry


def text_of(samples: Iterable[Sample]) -> str:
    """Return samples in the text format."""
    return generate_latest(registry_of(samples)).decode()


def write(path: str, samples: Iterable[Sample]) -> None:
    """Replace a file by the samples in one step. Raises: OSError when that is not possible."""
    write_to_textfile(path, registry_of(samples))


def kept_values(text: str, name: str) -> dict[str, float]:
    """Return the values of a metric in an earlier file, by environment. Raises: ValueError for another text."""
    return {
        sample.labels["environment"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and "environment" in sample.labels
    }
