"""Writes docs/reference/metrics.md from the table of the metrics: `python -m tests.support.metrics_page`."""

from __future__ import annotations

from collections.abc import Iterable

from otactl.report.metric_families import FAMILIES, ROLLOUT_LIMIT, Family
from otactl.workers.figure_families import WORKER_FAMILIES
from tests.support.paths import ROOT

PAGE = ROOT / "docs/reference/metrics.md"
_HEAD = f"""\
# Metrics

What `otactl reconcile --metrics FILE` and `--push-gateway URL` write. [Monitoring](../how-to/monitoring.md) says how to
collect them. `make docs` writes this page from the table in the code; a test compares the two.

- A run is a process of its own, so what it counts is a gauge of the last run. Counters (`_total`) come from the
  journal.
- Times are Unix time in seconds: `time() - otactl_run_last_success_timestamp_seconds` is the age.
- What a failing run does not know is left out, and keeps its last value: in the file
  `otactl_run_last_success_timestamp_seconds`, at the gateway everything.
- No label names a device. At most {ROLLOUT_LIMIT} rollouts of an environment have series of their own, those that need
  attention first; `otactl_rollouts_without_series` counts the others.
- A run that could read no environment has an empty `environment`.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""


_WORKERS = """
## Workers

What a worker has at `/metrics` beside the metrics above, of the environments that it ran last
([workers](../how-to/workers.md)). What a worker counts is its own: add it over the workers. `otactl_queue_…` is the
same from each: take one.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""


def text() -> str:
    """Return the whole page."""
    return _HEAD + _rows(FAMILIES) + _WORKERS + _rows(WORKER_FAMILIES)


def _rows(families: Iterable[Family]) -> str:
    return "".join(
        f"| `{f.name}` | {f.kind} | {', '.join(f'`{label}`' for label in f.labels)} | {f.text} |\n" for f in families
    )


if __name__ == "__main__":
    PAGE.write_text(text())
