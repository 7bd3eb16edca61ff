"""Checks a job's configurations beyond what the model checks.

1. `maximumPerMinute` is 1 to 1,000; an exponential rate names at least one criterion of increase, its factor has one
   decimal (API reference, JobExecutionsRolloutConfig and ExponentialRolloutRate).
2. `thresholdPercentage` has two decimals and is above 0 (AbortCriteria; the lower bound is inferred).
3. `inProgressTimeoutInMinutes` is 1 to 10,080 (TimeoutConfig).
4. A retry configuration has one or two criteria, and ALL stands alone (RetryCriteria; the latter is inferred).
5. `expiresInSec` is 60 to 3,600 (PresignedUrlConfig).
6. Each failureType has one abort criterion: switch `abortTypeTwice` (seen by the makers of ministack).
7. UpdateJob without a change is refused (captured live by the makers of ministack, like its wording). What it further
   asks of a roll-out and a retry configuration is their word alone: switch `updateJobChecks`.
8. A document that has AWS IoT presign URLs needs presignedUrlConfig.roleArn (captured live, as rule 7); it has at most
   32,768 bytes and 10 such URLs (AWS General Reference, IoT Device Management quotas).
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.common import mapping, whole
from otactl_simulator.iot.presigned import locations
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import Job, invalid
from otactl_simulator.service import ModelledError

CONFIGS = {
    "presignedUrlConfig": "presigned",
    "jobExecutionsRolloutConfig": "rollout",
    "abortConfig": "abort",
    "timeoutConfig": "timeout",
    "jobExecutionsRetryConfig": "retry",
}
MAX_DOCUMENT = 32_768
MAX_URLS = 10
_NO_RATE = "Provide MaximumPerMinute value or provide ExponentialRate and MaximumPerMinute"


def check(parameters: Mapping[str, object], settings: Settings) -> dict[str, dict[str, object]]:
    """Return the configurations given, by the field of a job they fill; InvalidRequestException."""
    given = {field: mapping(parameters[name]) for name, field in CONFIGS.items() if parameters.get(name) is not None}
    _rollout(given.get("rollout", {}))
    if settings["abortTypeTwice"] == "refuse":
        check_abort_types(given.get("abort", {}))
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


def check_abort_types(abort: Mapping[str, object]) -> None:
    """Refuse two abort criteria of one failureType (rule 6)."""
    types = [criterion["failureType"] for criterion in _criteria(abort)]
    if len(types) > len(set(types)):
        raise invalid("Multiple AbortCriteria cannot have the same failure type")


def check_update(parameters: Mapping[str, object], settings: Settings) -> dict[str, dict[str, object]]:
    """Return what an UpdateJob gives, judged without its job (rule 7)."""
    if all(parameters.get(name) is None for name in ("description", *CONFIGS)):
        raise invalid(f"Update Job request for job {parameters['jobId']} cannot be empty.")
    given = check(parameters, settings)
    if "rollout" in given and settings["updateJobChecks"] is True:
        _updated_rollout(given["rollout"])
    return given


def check_retry_update(job: Job, retry: Mapping[str, object]) -> None:
    """Refuse new retries for a job that runs: those it was created with can be ended, nothing else (rule 7)."""
    criteria = _criteria(retry)
    if any(criterion["numberOfRetries"] != 0 for criterion in criteria):
        raise invalid("The number of retries cannot be updated to any number other than 0.")
    if not job.retry:
        raise invalid("RetryConfig cannot be updated if the job has no RetryConfig defined during creation.")
    if {c["failureType"] for c in criteria} != {c["failureType"] for c in _criteria(job.retry)}:
        raise invalid("FailureTypes must match existing FailureTypes defined in RetryConfig.")


def check_document(identifier: str, document: str, presigned: Mapping[str, object]) -> None:
    """Refuse placeholders of presigned URLs that AWS IoT could not replace (rule 8)."""
    if len(document.encode()) > MAX_DOCUMENT:
        raise ModelledError("LimitExceededException", f"a job document has at most {MAX_DOCUMENT} bytes")
    urls = locations(document)
    if len(urls) > MAX_URLS:
        raise ModelledError("LimitExceededException", f"a job document has at most {MAX_URLS} presigned URLs")
    if urls and not presigned.get("roleArn"):
        raise invalid(f"Role must be provided for pre-sign S3 urls in job document of job {identifier}.")
    for url, place in urls.items():
        if place is None:
            raise invalid(f"Given S3 url {url} is invalid.")


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


def _updated_rollout(rollout: Mapping[str, object]) -> None:
    most, growth = whole(rollout.get("maximumPerMinute")), mapping(rollout.get("exponentialRate"))
    if most is None:
        said = "Provide MaximumPerMinute value when ExponentialRate is defined" if growth else _NO_RATE
        raise invalid(said)
    if growth:
        named = len(mapping(growth["rateIncreaseCriteria"]))
        if named > 1:
            said = "Provide only one of NumberOfNotifiedThings or NumberOfSucceededThings"
            raise invalid(f"{said} when RateIncreaseCriteria is defined")
        if (whole(growth["baseRatePerMinute"]) or 0) > most:
            raise invalid("Exponential rollout baseRatePerMinute should be less than maximumPerMinute.")


def _criteria(config: Mapping[str, object]) -> list[dict[str, object]]:
    listed = config.get("criteriaList")
    return [mapping(criterion) for criterion in listed] if isinstance(listed, list) else []
