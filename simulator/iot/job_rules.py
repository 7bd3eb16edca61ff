"""What a job's configurations may be, beyond what the model checks.

1. `maximumPerMinute` is 1 to 1,000; an exponential rate names at least one criterion of increase, its factor has one
   decimal (API reference, JobExecutionsRolloutConfig and ExponentialRolloutRate).
2. `thresholdPercentage` has two decimals and is above 0 (AbortCriteria; the lower bound is inferred).
3. `inProgressTimeoutInMinutes` is 1 to 10,080 (TimeoutConfig).
4. A retry configuration has one or two criteria, and ALL stands alone (RetryCriteria; the latter is inferred).
5. `expiresInSec` is 60 to 3,600 (PresignedUrlConfig).
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.iot.common import mapping, whole
from simulator.iot.state import invalid

CONFIGS = {
    "presignedUrlConfig": "presigned",
    "jobExecutionsRolloutConfig": "rollout",
    "abortConfig": "abort",
    "timeoutConfig": "timeout",
    "jobExecutionsRetryConfig": "retry",
}


def check(parameters: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The configurations given, by the field of a job they fill; InvalidRequestException."""
    given = {field: mapping(parameters[name]) for name, field in CONFIGS.items() if parameters.get(name) is not None}
    _rollout(given.get("rollout", {}))
    for criterion in _criteria(given.get("abort", {})):
        share = criterion["thresholdPercentage"]
        if isinstance(share, int | float) and (share <= 0 or round(share, 2) != share):
            raise invalid("thresholdPercentage is above 0 and has at most two decimals")
    timeout = given.get("timeout", {})
    if "inProgressTimeoutInMinutes" in timeout:
        within("inProgressTimeoutInMinutes", timeout["inProgressTimeoutInMinutes"], 1, 10_080)
    kinds = [criterion["failureType"] for criterion in _criteria(given.get("retry", {}))]
    if len(kinds) > len(set(kinds)) or ("ALL" in kinds and len(kinds) > 1):
        raise invalid("jobExecutionsRetryConfig has each failureType once, and ALL alone")
    return given


def within(name: str, value: object, low: int, high: int) -> None:
    """Refuse a number out of its range."""
    number = whole(value)
    if number is None or not low <= number <= high:
        raise invalid(f"{name} is between {low} and {high}, not {value}")


def _rollout(rollout: Mapping[str, object]) -> None:
    if "maximumPerMinute" in rollout:
        within("maximumPerMinute", rollout["maximumPerMinute"], 1, 1000)
    growth = mapping(rollout.get("exponentialRate"))
    if not growth:
        return
    within("baseRatePerMinute", growth["baseRatePerMinute"], 1, 1000)
    factor = growth["incrementFactor"]
    if not isinstance(factor, int | float) or not 1.1 <= factor <= 5 or round(factor, 1) != factor:
        raise invalid(f"incrementFactor is between 1.1 and 5 with one decimal, not {factor}")
    if not mapping(growth["rateIncreaseCriteria"]):
        raise invalid("rateIncreaseCriteria has numberOfNotifiedThings or numberOfSucceededThings")


def _criteria(config: Mapping[str, object]) -> list[dict[str, object]]:
    listed = config.get("criteriaList")
    return [mapping(criterion) for criterion in listed] if isinstance(listed, list) else []
