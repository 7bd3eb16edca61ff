"""Checks the `otaUpdate` block beyond its schema.

1. One file must be the declared firmware: the checks before a start prove that image and no other.
2. What the service would refuse only when it is sent is refused here.
Limits: AWS IoT API reference (CreateOTAUpdate, CreateJob) and Device Management quotas (targets of a job).
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator

from otactl.backends.iot_ota.config import (
    MOST_TARGETS,
    AbortConfig,
    OtaFile,
    OtaUpdateConfig,
    RolloutConfig,
    S3Location,
)
from otactl.model import Environment, Rollout, duration
from otactl.model.violation import Violation, wave_pointer
from otactl.policies.gates import gates_of
from otactl.policies.services import region_without_service
from otactl.wording import count

BLOCK = "/spec/otaUpdate"


def check(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Check the block, and that the service is in the environment's Region."""
    spec = OtaUpdateConfig.of(rollout)
    yield from region_without_service(environment, "iot", "AWS IoT Core")
    yield from _continuous(rollout, spec)
    yield from _rate(spec.fields.aws_job_executions_rollout_config)
    yield from _abort(spec.fields.aws_job_abort_config)
    yield from _files(rollout, spec.fields.files)
    yield from _targets(rollout)
    yield from _tags(spec.fields.tags)
    yield from _pace(rollout, spec)
    if spec.fields.aws_job_presigned_url_config is not None and "HTTP" not in spec.fields.protocols:
        yield Violation(
            pointer=f"{BLOCK}/awsJobPresignedUrlConfig",
            code="signed_url_needs_http",
            message="a signed URL is used with HTTP only",
            hint="add HTTP to protocols, or remove it",
        )


def _continuous(rollout: Rollout, spec: OtaUpdateConfig) -> Iterator[Violation]:
    if spec.endless:
        several = len(rollout.strategy.waves) > 1
        message = "a CONTINUOUS update never completes" + (", so no later wave would start" if several else "")
        yield Violation(
            pointer=f"{BLOCK}/targetSelection",
            code="continuous_never_completes",
            message=message,
            hint="use SNAPSHOT",
            severity="error" if several else "warning",
        )


def _rate(config: RolloutConfig) -> Iterator[Violation]:
    """Check that a growing rate has a limit and starts below it."""
    rate, most = config.exponential_rate, config.maximum_per_minute
    if rate is None:
        return
    pointer = f"{BLOCK}/awsJobExecutionsRolloutConfig/exponentialRate"
    if most is None:
        message = "a growing rate needs maximumPerMinute, the rate it grows to"
        yield Violation(pointer=pointer, code="rate_has_no_maximum", message=message, hint="add maximumPerMinute: 1000")
    elif rate.base_rate_per_minute > most:
        message = f"it begins with {rate.base_rate_per_minute} a minute, above maximumPerMinute {most}"
        hint = "lower baseRatePerMinute, or raise maximumPerMinute"
        yield Violation(pointer=f"{pointer}/baseRatePerMinute", code="rate_exceeds_maximum", message=message, hint=hint)
    yield from _precise(f"{pointer}/incrementFactor", rate.increment_factor, 1)


def _abort(config: AbortConfig) -> Iterator[Violation]:
    types: dict[str, int] = {}
    for index, criterion in enumerate(config.abort_criteria_list):
        pointer = f"{BLOCK}/awsJobAbortConfig/abortCriteriaList/{index}"
        kind = criterion.failure_type
        first = types.setdefault(kind, index)
        if first != index:
            message = f"abortCriteriaList[{first}] is about {kind} too; a job takes one for each type"
            at = f"{pointer}/failureType"
            yield Violation(pointer=at, code="duplicate_abort_criterion", message=message, hint="keep one of them")
        yield from _precise(f"{pointer}/thresholdPercentage", criterion.threshold_percentage, 2)


def _pace(rollout: Rollout, spec: OtaUpdateConfig) -> Iterator[Violation]:
    """Check the pace: devices that it has not reached when the time for answers is over count as failed."""
    for gate, pointer, size in gates_of(rollout):
        if gate.silence_after is None or not size or not spec.rate:
            continue
        minutes = math.ceil(size / spec.rate)
        if minutes * 60 > duration(gate.silence_after).total_seconds():
            message = (
                f"at {count(spec.rate, 'device')} a minute the last of {size} starts after {count(minutes, 'minute')}, "
                "and by then "
            )
            yield Violation(
                pointer=f"{pointer}/silenceAfter",
                code="silence_shorter_than_pace",
                severity="warning",
                message=f"{message}who has not answered counts as failed ({gate.silence_after} from the start)",
                hint="raise silenceAfter, or maximumPerMinute",
            )


def _files(rollout: Rollout, files: tuple[OtaFile, ...]) -> Iterator[Violation]:
    names: dict[str, int] = {}
    sent = False
    for index, file in enumerate(files):
        pointer = f"{BLOCK}/files/{index}"
        place = _place(file)
        other = place is not None and f"s3://{place.bucket}/{place.key}" != rollout.firmware.image
        sent = sent or not other
        if other and place is not None and place.version is None:
            yield Violation(
                pointer=f"{pointer}/fileLocation",
                code="file_is_not_pinned",
                message="this file is not the declared firmware, and could be overwritten unseen",
                hint="name its version in S3",
                severity="warning",
            )
        name = file.file_name
        if name is not None and names.setdefault(name, index) != index:
            message = f"{name} is the name of files[{names[name]}] already; the device would keep one of them"
            yield Violation(pointer=f"{pointer}/fileName", code="duplicate_file", message=message)
        ordered = file.code_signing.start_signing_job_parameter is not None
        if ordered and file.file_location is not None and file.file_location.stream is not None:
            message = "AWS Signer signs objects in S3, not files of a stream"
            hint = "name the object, or sign it beforehand"
            yield Violation(
                pointer=f"{pointer}/codeSigning", code="stream_cannot_be_signed", message=message, hint=hint
            )
    if not sent and "${stack:" not in rollout.firmware.image:
        yield Violation(
            pointer=f"{BLOCK}/files",
            code="firmware_is_not_sent",
            message="no file is the declared firmware, so its version and sha256 would be reported of other bytes",
            hint="omit fileLocation: it is spec.firmware.image then",
        )


def _place(file: OtaFile) -> S3Location | None:
    """Return where a file names an object in S3; None for the firmware itself, a stream's file or a signing job's."""
    place = file.file_location.s3_location if file.file_location is not None else None
    return place if place is not None and "${stack:" not in f"{place.bucket}{place.key}" else None


def _targets(rollout: Rollout) -> Iterator[Violation]:
    for index, wave in enumerate(rollout.strategy.waves):
        number = len(rollout.targets_of(wave).keys)
        if wave.targets is not None and number > MOST_TARGETS:
            yield Violation(
                pointer=wave_pointer(index, "targets"),
                code="too_many_targets",
                message=f"wave {wave.name} has {count(number, 'target')}, a job takes {MOST_TARGETS}",
                hint="use a thing group, or more waves",
            )


def _tags(tags: dict[str, str]) -> Iterator[Violation]:
    """Check tags: AWS IoT takes letters, digits, spaces and these signs (SDK model, TagKey and TagValue)."""
    for key, value in tags.items():
        for text in (key, value):
            strange = [c for c in text if unicodedata.category(c)[0] not in "LZN" and c not in "_.:/=+-@"]
            if strange:
                message = f"the service takes no {strange[0]!r} in a tag's key or value"
                pointer = f"{BLOCK}/tags/{key.replace('~', '~0').replace('/', '~1')}"
                yield Violation(pointer=pointer, code="tag_is_not_taken", message=message)
                break


def _precise(pointer: str, value: float, digits: int) -> Iterator[Violation]:
    if abs(value - round(value, digits)) >= 1e-9:
        yield Violation(
            pointer=pointer,
            code="too_many_decimals",
            message=f"{value} has more than {count(digits, 'decimal')}, the service takes no more",
            hint=f"for example {round(value, digits)}",
        )
