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
from otactl.report.metric_samples import Sample, build_samples
from otactl.report.metrics_text import collected

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

    def family(self, name: str, text: str) -> HistogramMetricFamily:
        buckets = [(str(bound), float(count)) for bound, count in self._counts.items()]
        return HistogramMetricFamily(name, text, buckets=[*buckets, ("+Inf", float(self._total))], sum_value=self._sum)


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
            durations = self._durations.family("otactl_worker_pass_duration_seconds", "Duration of passes.")
            waits = self._waits.family("otactl_worker_pass_wait_seconds", "How long jobs waited before their pass.")
        yield from collected((*build_samples(), *runs))
        passes = CounterMetricFamily(
            "otactl_worker_passes", "Passes that this worker ran, by what they came to.", labels=("outcome",)
        )
        for outcome in OUTCOMES:
            passes.add_metric((outcome,), outcomes.get(outcome, 0))
        yield passes
        yield durations
        yield waits
        yield _gauge("otactl_worker_running", "Passes that run now.", self.running)
        yield _gauge("otactl_worker_concurrency", "Passes that may run at a time.", self._concurrency)
        yield _gauge(
            "otactl_worker_source_broken",
            "1 while the newest manifests have an error, or none come.",
            self.broken,
        )
        if self.fetched_at is not None:
            yield _gauge(
                "otactl_worker_source_fetched_timestamp_seconds", "When the source was last fetched.", self.fetched_at
            )
        info = GaugeMetricFamily(
            "otactl_worker_source_info", "1, with the revision of the newest manifests.", labels=("revision", "version")
        )
        info.add_metric((self.revision, __version__), 1)
        yield info
        yield _by_environment(
            "otactl_queue_wait_seconds", "How long the waiting job of an environment has waited.", self.waiting
        )
        yield _by_environment(
            "otactl_queue_kept_back",
            "1 for an environment that keeps earlier manifests because newer ones have an error.",
            dict.fromkeys(self.kept_back, 1.0),
        )


OUTCOMES = ("ok", "failed", "busy", "hung", "crashed", "stopped", "undeclared", "behind", "unfit")
"""What a pass comes to: `busy` found the lease held, `undeclared` an environment that no manifest declares any more;
`behind` (newer manifests that another worker has and this one cannot fetch) and `unfit` leave it to other workers."""


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _by_environment(name: str, text: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=("environment",))
    for environment, value in sorted(values.items()):
        family.add_metric((environment,), value)
    return family
