"""Lists the metrics of `reconcile --metrics`: one table, from which the file, the reference and its checks come.

1. Names follow Prometheus: prefix, base unit, `_total` for what only grows, `_timestamp_seconds` for a time.
2. Every run is a process of its own, so what a run counts is a gauge of the last run; counters come from the journal.
3. No label has a value for each device. Series of single rollouts are limited (`ROLLOUT_LIMIT`).
"""

from __future__ import annotations

from typing import Literal

from otactl.model import Value

ROLLOUT_LIMIT = 200
"""Rollouts of an environment with series of their own; those that need attention come first."""


class Family(Value, frozen=True, kw_only=True):
    """One metric: its name as a query names it, its labels, and the text of HELP."""

    name: str
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    labels: tuple[str, ...] = ("environment",)
    text: str


_ROLLOUT = ("environment", "rollout")

FAMILIES: tuple[Family, ...] = (
    Family(name="otactl_build_info", labels=("version",), text="1, with the version that wrote these metrics."),
    Family(
        name="otactl_run_last_timestamp_seconds",
        text="When the last run ended; without an environment, a run that could read none.",
    ),
    Family(
        name="otactl_run_last_success_timestamp_seconds",
        text="When the last run without an error ended; a rollout that fails its gate is no error of a run.",
    ),
    Family(name="otactl_run_success", text="1 if the last run had no error, else 0."),
    Family(name="otactl_run_exit_code", text="Exit code of the process of the last run."),
    Family(
        name="otactl_run_error",
        labels=("environment", "reason"),
        text="1 for each reason of an error of the last run; `otactl explain REASON` has the way out.",
    ),
    Family(name="otactl_run_duration_seconds", text="Duration of the last run."),
    Family(name="otactl_run_passes", text="Passes of the last run."),
    Family(
        name="otactl_run_calls",
        labels=("environment", "operation"),
        text="Calls of services in the last run, repetitions included.",
    ),
    Family(
        name="otactl_run_throttled_calls",
        labels=("environment", "operation"),
        text="Calls of the last run that a service throttled.",
    ),
    Family(name="otactl_run_write_calls", text="Calls of the last run that change something at a service."),
    Family(name="otactl_run_call_budget", text="Calls that a run may send (spec.callBudget)."),
    Family(
        name="otactl_rollouts",
        labels=("environment", "phase"),
        text="Rollouts in the journal by phase, removed ones too.",
    ),
    Family(
        name="otactl_rollouts_without_series",
        text=f"Rollouts that have no series of their own: removed ones, and those above the limit of {ROLLOUT_LIMIT}.",
    ),
    Family(name="otactl_rollout_phase", labels=(*_ROLLOUT, "phase"), text="1 for the present phase of a rollout."),
    Family(
        name="otactl_rollout_devices",
        labels=(*_ROLLOUT, "outcome", "reason"),
        text="Devices of a rollout by their newest outcome; failed ones by reason.",
    ),
    Family(
        name="otactl_rollout_attempts_total",
        kind="counter",
        labels=_ROLLOUT,
        text="Attempts of all waves of a rollout.",
    ),
    Family(
        name="otactl_rollout_hold_since_timestamp_seconds",
        labels=(*_ROLLOUT, "reason", "stalled"),
        text="Since when a rollout has been held for a reason; stalled is true where a person must act.",
    ),
    Family(
        name="otactl_rollout_next_pass_timestamp_seconds",
        labels=_ROLLOUT,
        text="When the next pass over a rollout is due, where that is a fixed time.",
    ),
    Family(
        name="otactl_rollout_unfinished_calls",
        labels=_ROLLOUT,
        text="Calls that were recorded and have no outcome yet.",
    ),
    Family(
        name="otactl_drift_open",
        labels=("environment", "cause", "acknowledged"),
        text="Open drift entries by cause; acknowledged is true where a manifest ignores them.",
    ),
    Family(
        name="otactl_drift_oldest_timestamp_seconds",
        labels=("environment", "cause"),
        text="When the oldest open drift entry that is not acknowledged was first seen.",
    ),
    Family(
        name="otactl_drift_found_total",
        kind="counter",
        labels=("environment", "cause"),
        text="Drift entries ever recorded, closed ones too.",
    ),
    Family(
        name="otactl_notices_waiting",
        labels=("environment", "receiver"),
        text="Notices that a receiver has not accepted yet.",
    ),
    Family(
        name="otactl_receiver_failing_since_timestamp_seconds",
        labels=("environment", "receiver"),
        text="Since when a receiver of notices accepts nothing.",
    ),
    Family(name="otactl_lease_held", text="1 if another process held the environment when the run ended, else 0."),
    Family(name="otactl_lease_expiry_timestamp_seconds", text="When the lease that is held runs out."),
    Family(
        name="otactl_lease_grants_total",
        kind="counter",
        text="How often the lease of the environment was given to a process.",
    ),
    Family(name="otactl_journal_size_bytes", text="Size of the journal that the environment is in."),
    Family(name="otactl_journal_records", text="Records of the environment in the journal."),
)
BY_NAME = {family.name: family for family in FAMILIES}
