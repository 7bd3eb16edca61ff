"""Lists the metrics that a worker has of its own: one table, from which its /metrics and the reference come."""

from __future__ import annotations

from otactl.report.metric_families import Family

OUTCOMES = ("ok", "failed", "busy", "hung", "crashed", "stopped", "undeclared", "behind", "unfit")
"""What a job comes to: `busy` found its environment running or the lease held, `undeclared` an environment that no
manifest declares any more; `behind` (newer manifests that another worker has and this one cannot fetch) and `unfit`
leave it to other workers."""

PASSES = Family(
    name="otactl_worker_passes_total",
    kind="counter",
    labels=("outcome",),
    text=f"Jobs that this worker took, by what they came to: {', '.join(OUTCOMES)}.",
)
DURATION = Family(name="otactl_worker_pass_duration_seconds", kind="histogram", labels=(), text="Duration of passes.")
WAIT = Family(
    name="otactl_worker_pass_wait_seconds",
    kind="histogram",
    labels=(),
    text="How long jobs waited before their pass.",
)
RUNNING = Family(name="otactl_worker_running", labels=(), text="Passes that run now.")
CONCURRENCY = Family(name="otactl_worker_concurrency", labels=(), text="Passes that may run at a time.")
BROKEN = Family(
    name="otactl_worker_source_broken",
    labels=(),
    text="1 while the newest manifests have an error, none come, or some cannot run here.",
)
FETCHED = Family(
    name="otactl_worker_source_fetched_timestamp_seconds", labels=(), text="When the source was last fetched."
)
SOURCE = Family(
    name="otactl_worker_source_info",
    labels=("revision", "version"),
    text="1, with the revision of the newest manifests and the version of the worker.",
)
QUEUE_WAIT = Family(
    name="otactl_queue_wait_seconds",
    text="How long the waiting job of an environment has waited; the same from each worker.",
)
KEPT_BACK = Family(
    name="otactl_queue_kept_back",
    text="1 for an environment that keeps earlier manifests because newer ones have an error.",
)
WORKER_FAMILIES = (PASSES, DURATION, WAIT, RUNNING, CONCURRENCY, BROKEN, FETCHED, SOURCE, QUEUE_WAIT, KEPT_BACK)
