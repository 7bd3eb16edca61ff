"""Counts what a worker does, for its /metrics, beside the metrics of the passes that it ran last.

1. What a worker counts is its own; add it over the workers. What the queue shows is the same from each; take one.
2. The metrics of a run are those of `reconcile --metrics`. Only the worker that ran an environment last has them, so
   that no old value stands beside a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from threading import Lock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from otactl import __version__
from otactl.report.metric_families import Family
from otactl.report.metric_samples import Sample, build_samples
from otactl.report.metrics_text import collected
from otactl.workers.figure_families import (
    BROKEN,
    CONCURRENCY,
    DURATION,
    FETCHED,
    KEPT_BACK,
    OUTCOMES,
    PASSES,
    QUEUE_WAIT,
    RUNNING,
    SOURCE,
    WAIT,
)

BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class _Spread:
    """A histogram, as the library's families take it."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(BUCKETS, 0)
        self._total, self._sum = 0, 0.0

    def add(self, value: float) -> None:
        self._total += 1
        self._sum += value
        for bound in BUCKETS:
            self._counts[bound] += value <= bound

    def family(self, family: Family) -> HistogramMetricFamily:
        buckets = [(str(bound), float(count)) for bound, count in self._counts.items()]
        buckets.append(("+Inf", float(self._total)))
        return HistogramMetricFamily(family.name, family.text, buckets=buckets, sum_value=self._sum)


class Figures(Collector):
    """The figures of one worker; threads share it."""

    def __init__(self, concurrency: int) -> None:
        self._lock = Lock()
        self._concurrency = concurrency
        self._outcomes: dict[str, int] = {}
        self._durations, self._waits = _Spread(), _Spread()
        self.running = 0
        self.waiting: dict[str, float] = {}
        """Seconds for which each environment's job has waited."""
        self.fetched_at: float | None = None
        self.revision = ""
        self.broken = False
        self.kept_back: tuple[str, ...] = ()
        self._runs: dict[str, tuple[Sample, ...]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def ended(self, environment: str, outcome: str, seconds: float, waited: float, run: tuple[Sample, ...]) -> None:
        """Count a pass, with the metrics of its run."""
        with self._lock:
            self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
            self._durations.add(seconds)
            self._waits.add(max(0.0, waited))
            if run:
                self._runs[environment] = run

    @property
    def environments(self) -> tuple[str, ...]:
        """Return the environments whose last run here has metrics."""
        with self._lock:
            return tuple(self._runs)

    def forget(self, environments: Collection[str]) -> None:
        """Forget the metrics of runs that another worker has newer ones of."""
        with self._lock:
            for name in environments:
                self._runs.pop(name, None)

    def text(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every family."""
        with self._lock:
            outcomes, runs = dict(self._outcomes), [sample for each in self._runs.values() for sample in each]
            durations, waits = self._durations.family(DURATION), self._waits.family(WAIT)
        yield from collected((*build_samples(), *runs))
        passes = CounterMetricFamily(PASSES.name.removesuffix("_total"), PASSES.text, labels=PASSES.labels)
        for outcome in OUTCOMES:
            passes.add_metric((outcome,), outcomes.get(outcome, 0))
        yield passes
        yield durations
        yield waits
        yield _gauge(RUNNING, self.running)
        yield _gauge(CONCURRENCY, self._concurrency)
        yield _gauge(BROKEN, self.broken)
        if self.fetched_at is not None:
            yield _gauge(FETCHED, self.fetched_at)
        info = GaugeMetricFamily(SOURCE.name, SOURCE.text, labels=SOURCE.labels)
        info.add_metric((self.revision, __version__), 1)
        yield info
        yield _by_environment(QUEUE_WAIT, self.waiting)
        yield _by_environment(KEPT_BACK, dict.fromkeys(self.kept_back, 1.0))


def _gauge(family: Family, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(family.name, family.text, value=float(value))


def _by_environment(family: Family, values: Mapping[str, float]) -> GaugeMetricFamily:
    found = GaugeMetricFamily(family.name, family.text, labels=family.labels)
    for environment, value in sorted(values.items()):
        found.add_metric((environment,), value)
    return found
