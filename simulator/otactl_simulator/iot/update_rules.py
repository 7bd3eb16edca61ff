"""Checks what CreateOTAUpdate refuses at once: everything that needs neither a role nor S3.

AWS documents the values (API reference, CreateOTAUpdate and the types of its members) and that creation is
asynchronous, not which rule is checked when. Taken here as InvalidRequestException at once [inferred]:

1. Targets are ARNs of things and thing groups of this account and Region that exist.
2. An exponential rate may be capped by maximumPerMinute; incrementFactor is 1.1 to 5 with one decimal (jobs guide);
   rateIncreaseCriteria has exactly one of its members (the same).
3. An abort threshold is at most 100, with two decimals; expiresInSec is 60 to 3600; a timeout 1 to 10080 minutes.
4. A file has one location and one form of code signing; awsSignerJobId brings its own location, and may have none. A
   member that is an empty object counts as left out, because GetOTAUpdate itself answers so.
5. A custom signature has its bytes; a signing job to start has a destination bucket and a profile's name.
6. The role is of this account: IAM never lets a role of another account be passed (IAM user guide, PassRole).
7. A job id has at most 64 characters (jobs API), so an id longer than 56 has none: switch `longUpdateId`.
8. A resource has at most 50 tags; keys are unique and do not start with `aws:` (developer guide, tagging).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from otactl_simulator.iot.state import Store, invalid
from otactl_simulator.iot.tags import given_tags

JOB_PREFIX = "AFR_OTA-"
MAX_JOB_ID = 64
_FORMS = ("awsSignerJobId", "startSigningJobParameter", "customCodeSigning")


def check(store: Store, wanted: Mapping[str, object], *, long_ids: bool) -> None:
    """InvalidRequestException with the first broken rule."""
    if not long_ids and len(JOB_PREFIX + str(wanted["otaUpdateId"])) > MAX_JOB_ID:
        raise invalid(f"the job of this OTA update would have an id longer than {MAX_JOB_ID} characters")
    for problem in _problems(store, wanted):
        raise invalid(problem)
    given_tags(wanted)


def _problems(store: Store, wanted: Mapping[str, object]) -> Iterator[str]:
    for target in items(wanted, "targets"):
        yield from _target(store, str(target))
    yield from _rollout(members(wanted, "awsJobExecutionsRolloutConfig"))
    for criteria in items(members(wanted, "awsJobAbortConfig"), "abortCriteriaList"):
        yield from _threshold(criteria)
    yield from _between(members(wanted, "awsJobPresignedUrlConfig"), "expiresInSec", 60, 3600)
    yield from _between(members(wanted, "awsJobTimeoutConfig"), "inProgressTimeoutInMinutes", 1, 10080)
    protocols = items(wanted, "protocols")
    if len(set(map(str, protocols))) < len(protocols):
        yield "protocols names one twice"
    for number, file in enumerate(items(wanted, "files")):
        yield from (f"files[{number}]: {said}" for said in _file(file if isinstance(file, dict) else {}))
    parts = str(wanted["roleArn"]).split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        yield f"roleArn {wanted['roleArn']} is not the ARN of a role"
    elif parts[4] != store.account:
        yield "Cross-account pass role is not allowed."


def _target(store: Store, target: str) -> Iterator[str]:
    prefix = f"arn:aws:iot:{store.region}:{store.account}:"
    kind, _, name = target.removeprefix(prefix).partition("/")
    kinds: dict[str, Mapping[str, object]] = {"thing": store.things, "thinggroup": store.groups}
    if not target.startswith(prefix) or kind not in kinds:
        yield f"target {target} is not the ARN of a thing or thing group of this account and Region"
    elif name not in kinds[kind]:
        yield f"target {target} does not exist"


def _rollout(config: Mapping[str, object]) -> Iterator[str]:
    rate = members(config, "exponentialRate")
    if not rate:
        return
    factor = rate.get("incrementFactor")
    if not isinstance(factor, int | float) or not 1.1 <= factor <= 5 or not _decimals(factor, 1):
        yield "incrementFactor is between 1.1 and 5, with one decimal"
    if len(members(rate, "rateIncreaseCriteria")) != 1:
        yield "rateIncreaseCriteria has exactly one of numberOfNotifiedThings and numberOfSucceededThings"


def _threshold(criteria: object) -> Iterator[str]:
    value = criteria.get("thresholdPercentage") if isinstance(criteria, dict) else None
    if not isinstance(value, int | float) or not 0 <= value <= 100 or not _decimals(value, 2):
        yield "thresholdPercentage is at most 100, with two decimals"


def _decimals(value: float, count: int) -> bool:
    return round(value, count) == value


def _between(config: Mapping[str, object], name: str, low: int, high: int) -> Iterator[str]:
    value = config.get(name)
    if isinstance(value, int) and not low <= value <= high:
        yield f"{name} is between {low} and {high}"


def _file(file: Mapping[str, object]) -> Iterator[str]:
    signing = {name: value for name, value in members(file, "codeSigning").items() if value and name in _FORMS}
    places = [name for name, value in members(file, "fileLocation").items() if value]
    if len(signing) != 1:
        yield f"codeSigning has exactly one of {', '.join(_FORMS)}"
    if len(places) > 1 or (not places and "awsSignerJobId" not in signing):
        yield "fileLocation has exactly one of stream and s3Location"
    yield from _place(members(file, "fileLocation"))
    custom = signing.get("customCodeSigning")
    if isinstance(custom, dict) and not members(custom, "signature").get("inlineDocument"):
        yield "customCodeSigning needs signature.inlineDocument"
    start = signing.get("startSigningJobParameter")
    if isinstance(start, dict):
        if not start.get("signingProfileName"):
            yield "startSigningJobParameter needs signingProfileName"
        if not members(members(start, "destination"), "s3Destination").get("bucket"):
            yield "startSigningJobParameter needs destination.s3Destination.bucket"


def _place(location: Mapping[str, object]) -> Iterator[str]:
    s3, stream = members(location, "s3Location"), members(location, "stream")
    if s3 and not (s3.get("bucket") and s3.get("key")):
        yield "s3Location needs bucket and key"
    if stream and ("streamId" not in stream or "fileId" not in stream):
        yield "stream needs streamId and fileId"


def members(given: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a structure within a request, empty when left out."""
    found = given.get(name)
    return found if isinstance(found, dict) else {}


def items(given: Mapping[str, object], name: str) -> list[object]:
    """Return a list within a request, empty when left out."""
    found = given.get(name)
    return found if isinstance(found, list) else []
