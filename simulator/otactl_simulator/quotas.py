"""Limits the call rate for each operation, account and Region.

1. AWS General Reference, IoT Wireless quotas: 10 a second for every FUOTA, multicast, tag and device operation.
2. The same, IoT Device Management quotas: 10 a second for each operation of jobs' control plane. Those of OTA updates
   and of streams are named there, without a number in the copies read; 10 is taken for them too.
3. Registry, shadows and the devices' side of jobs have higher ones, and none here.
4. Counted in real time, because callers send in real time however the simulated clock is moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable

DEFAULT_CALLS_PER_SECOND = 10.0
_JOBS = frozenset(
    (
        "CreateJob",
        "DescribeJob",
        "ListJobs",
        "UpdateJob",
        "CancelJob",
        "DeleteJob",
        "GetJobDocument",
        "AssociateTargetsWithJob",
        "ListJobExecutionsForJob",
        "ListJobExecutionsForThing",
        "DescribeJobExecution",
        "CancelJobExecution",
        "DeleteJobExecution",
        "CreateOTAUpdate",
        "GetOTAUpdate",
        "ListOTAUpdates",
        "DeleteOTAUpdate",
        "CreateStream",
        "DescribeStream",
        "UpdateStream",
        "DeleteStream",
        "ListStreams",
    )
)


def held(service: str, operation: str) -> bool:
    """Return whether an operation has a rate (rules 1 to 3)."""
    return service == "iotwireless" or (service == "iot" and operation in _JOBS)


class Quotas:
    """A token bucket per key: holds one second's calls, refills steadily."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.calls_per_second = DEFAULT_CALLS_PER_SECOND
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, ...], tuple[float, float]] = {}

    def admits(self, *key: str) -> bool:
        """Use a token; return False when there is none. A rate of 0 admits everything."""
        rate = self.calls_per_second
        if rate <= 0:
            return True
        now = self._monotonic()
        tokens, since = self._buckets.get(key, (max(rate, 1.0), now))
        tokens = min(max(rate, 1.0), tokens + (now - since) * rate)
        admitted = tokens >= 1.0
        self._buckets[key] = (tokens - 1.0 if admitted else tokens, now)
        return admitted

    def reset(self) -> None:
        """Full buckets at the default rate."""
        self.calls_per_second = DEFAULT_CALLS_PER_SECOND
        self._buckets.clear()
