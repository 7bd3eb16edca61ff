"""Calculates how long a session is on air.

1. Only multicast sessions have a length, and only with region and redundancy declared: for single devices the service
   chooses fragments and data rate.
2. The length counts redundancy rounded up and whole seconds rounded up (`SessionPlan.occupied_seconds`).
"""

from __future__ import annotations

from functools import lru_cache

from otactl.lorawan.session import SessionPlan, plan_session


def session_plan(
    region: str | None,
    data_rate: int | None,
    size_bytes: int,
    fragment_size_bytes: int | None,
    redundancy_percent: int | None,
    fragment_interval_ms: int | None,
) -> SessionPlan | None:
    """Compute the figures of a session; None where one of them is left to the service (rule 1).

    Raises: LorawanError for a region, data rate or size that cannot exist.
    """
    if region is None or data_rate is None or fragment_size_bytes is None:
        return None
    if redundancy_percent is None or fragment_interval_ms is None:
        return None
    return _plan(region, data_rate, size_bytes, fragment_size_bytes, redundancy_percent, fragment_interval_ms)


_plan = lru_cache(maxsize=1024)(plan_session)
"""Rollouts of a fleet share their figures, and a pass asks more than once."""
