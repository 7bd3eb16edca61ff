"""Computes how long a rollout's session is on air, so that it can be fitted into a window.

1. Only multicast sessions have a length that can be told, and only with region and redundancy declared: for single
   devices the service chooses fragments and rate, and OTA jobs and Tuya batches end when their devices do.
2. The length counts redundancy rounded up and whole seconds rounded up (`SessionPlan.occupied_seconds`).
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from otactl.lorawan.session import SessionPlan, plan_session
from otactl.model import FuotaSpec, Rollout


def session_of(
    rollout: Rollout, redundancy_percent: int | None = None, data_rate: int | None = None
) -> SessionPlan | None:
    """The figures of a rollout's session to groups, with its own redundancy and data rate or others; None by rule 1.

    Raises LorawanError for a region, data rate or size that cannot exist, as `plan_session` does.
    """
    spec = rollout.backend
    if not isinstance(spec, FuotaSpec):
        return None
    if spec.data_rate is None or spec.fragment_size_bytes is None or spec.fragment_interval_ms is None:
        return None
    redundancy = spec.redundancy_percent if redundancy_percent is None else redundancy_percent
    if spec.rf_region is None or redundancy is None:
        return None
    return _plan(
        spec.rf_region,
        spec.data_rate if data_rate is None else data_rate,
        rollout.firmware.size_bytes,
        spec.fragment_size_bytes,
        redundancy,
        spec.fragment_interval_ms,
    )


def session_length(rollout: Rollout, redundancy_percent: int | None = None) -> timedelta | None:
    """From StartTime to the session's end, or None where nobody can tell; raises as `session_of` does."""
    plan = session_of(rollout, redundancy_percent)
    return None if plan is None else timedelta(seconds=plan.occupied_seconds)


_plan = lru_cache(maxsize=1024)(plan_session)
"""Rollouts of a fleet share their figures, and a pass asks more than once."""
