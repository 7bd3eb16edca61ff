"""Rules of the `otaUpdate` block that its schema cannot say: what is sent is what is declared, and can be carried out.

1. One file must be the declared firmware: the checks before a start prove that image and no other.
2. What the service would refuse only when it is sent is refused here.
Limits: AWS IoT API reference (CreateOTAUpdate, CreateJob) and Device Management quotas (targets of a job).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import cast

from otactl.model import JsonObject, OtaUpdateSpec, Rollout
from otactl.policies.violation import Violation, wave_pointer

MOST_TARGETS = 100
BLOCK = "/spec/otaUpdate"


def ota_update(rollout: Rollout, spec: OtaUpdateSpec) -> Iterator[Violation]:
    """Judge the block."""
    yield from _continuous(rollout, spec)
    yield from _numbers(spec.document)
    yield from _files(rollout, cast("list[JsonObject]", spec.document["files"]))
    yield from _targets(rollout)
    yield from _tags(cast("dict[str, str]", spec.document.get("tags", {})))
    # Left out, the service takes MQTT.
    if "awsJobPresignedUrlConfig" in spec.document and "HTTP" not in cast(
        "list[str]", spec.document.get("protocols", ["MQTT"])
    ):
        yield Violation(
            pointer=f"{BLOCK}/awsJobPresignedUrlConfig",
            code="signed_url_needs_http",
            message="a signed URL is used with HTTP only",
            hint="add HTTP to protocols, or remove it",
        )


def _continuous(rollout: Rollout, spec: OtaUpdateSpec) -> Iterator[Violation]:
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


def _numbers(document: JsonObject) -> Iterator[Violation]:
    yield from _pace(cast("JsonObject", document.get("awsJobExecutionsRolloutConfig", {})))
    rate = cast("JsonObject", document.get("awsJobExecutionsRolloutConfig", {})).get("exponentialRate")
    if isinstance(rate, dict) and not _decimals(rate["incrementFactor"], 1):
        pointer = f"{BLOCK}/awsJobExecutionsRolloutConfig/exponentialRate/incrementFactor"
        yield _precise(pointer, rate["incrementFactor"], 1)
    abort = cast("JsonObject", document.get("awsJobAbortConfig", {}))
    types: dict[object, int] = {}
    for index, criterion in enumerate(cast("list[JsonObject]", abort.get("abortCriteriaList", []))):
        first = types.setdefault(criterion["failureType"], index)
        if first != index:
            pointer = f"{BLOCK}/awsJobAbortConfig/abortCriteriaList/{index}/failureType"
            message = (
                f"abortCriteriaList[{first}] is about {criterion['failureType']} too; a job takes one for each type"
            )
            yield Violation(pointer=pointer, code="duplicate_abort_criterion", message=message, hint="keep one of them")
        if not _decimals(criterion["thresholdPercentage"], 2):
            pointer = f"{BLOCK}/awsJobAbortConfig/abortCriteriaList/{index}/thresholdPercentage"
            yield _precise(pointer, criterion["thresholdPercentage"], 2)


def _pace(config: JsonObject) -> Iterator[Violation]:
    """A growing rate has a limit to grow to, and begins below it."""
    rate, most = config.get("exponentialRate"), config.get("maximumPerMinute")
    if not isinstance(rate, dict):
        return
    pointer = f"{BLOCK}/awsJobExecutionsRolloutConfig/exponentialRate"
    if most is None:
        message = "a growing rate needs maximumPerMinute, the rate it grows to"
        yield Violation(pointer=pointer, code="rate_has_no_maximum", message=message, hint="add maximumPerMinute: 1000")
    elif cast("int", rate["baseRatePerMinute"]) > cast("int", most):
        message = f"it begins with {rate['baseRatePerMinute']} a minute, above maximumPerMinute {most}"
        hint = "lower baseRatePerMinute, or raise maximumPerMinute"
        yield Violation(pointer=f"{pointer}/baseRatePerMinute", code="rate_exceeds_maximum", message=message, hint=hint)


def _files(rollout: Rollout, files: list[JsonObject]) -> Iterator[Violation]:
    names: dict[object, int] = {}
    sent = False
    for index, file in enumerate(files):
        pointer = f"{BLOCK}/files/{index}"
        place = _place(file)
        other = place is not None and f"s3://{place['bucket']}/{place['key']}" != rollout.firmware.image
        sent = sent or not other
        if other and place is not None and "version" not in place:
            yield Violation(
                pointer=f"{pointer}/fileLocation",
                code="file_is_not_pinned",
                message="this file is not the declared firmware, and could be overwritten unseen",
                hint="name its version in S3",
                severity="warning",
            )
        name = file.get("fileName")
        if name is not None and names.setdefault(name, index) != index:
            message = f"{name} is the name of files[{names[name]}] already; the device would keep one of them"
            yield Violation(pointer=f"{pointer}/fileName", code="duplicate_file", message=message)
        signing = cast("JsonObject", file.get("codeSigning", {}))
        if "startSigningJobParameter" in signing and "stream" in cast("JsonObject", file.get("fileLocation", {})):
            message = "AWS Signer signs objects in S3, not files of a stream"
            hint = "name the object, or sign it beforehand"
            yield Violation(
                pointer=f"{pointer}/codeSigning", code="stream_cannot_be_signed", message=message, hint=hint
            )
    if not sent and "${stack:" not in rollout.firmware.image:
        yield Violation(
            pointer=f"{BLOCK}/files",
            code="firmware_is_not_sent",
            message="no file is the declared firmware, so its version and sha256 would be told of other bytes",
            hint="leave fileLocation out: it is spec.firmware.image then",
        )


def _place(file: JsonObject) -> JsonObject | None:
    """Where a file names an object in S3; None for the firmware itself, a stream's file or a signing job's."""
    place = cast("JsonObject", file.get("fileLocation", {})).get("s3Location")
    return place if isinstance(place, dict) and "${stack:" not in f"{place['bucket']}{place['key']}" else None


def _targets(rollout: Rollout) -> Iterator[Violation]:
    for index, wave in enumerate(rollout.strategy.waves):
        number = len(rollout.targets_of(wave).keys)
        if wave.targets is not None and number > MOST_TARGETS:
            yield Violation(
                pointer=wave_pointer(index, "targets"),
                code="too_many_targets",
                message=f"wave {wave.name} has {number} targets, a job takes {MOST_TARGETS}",
                hint="use a thing group, or more waves",
            )


def _tags(tags: dict[str, str]) -> Iterator[Violation]:
    """AWS IoT takes letters, digits, spaces and these signs (SDK model, TagKey and TagValue)."""
    for key, value in tags.items():
        for text in (key, value):
            strange = [c for c in text if unicodedata.category(c)[0] not in "LZN" and c not in "_.:/=+-@"]
            if strange:
                message = f"the service takes no {strange[0]!r} in a tag's key or value"
                pointer = f"{BLOCK}/tags/{key.replace('~', '~0').replace('/', '~1')}"
                yield Violation(pointer=pointer, code="tag_is_not_taken", message=message)
                break


def _decimals(value: object, digits: int) -> bool:
    number = float(cast("float", value))
    return abs(number - round(number, digits)) < 1e-9


def _precise(pointer: str, value: object, digits: int) -> Violation:
    message = f"{value} has more than {digits} decimal{'s' if digits > 1 else ''}, the service takes no more"
    return Violation(
        pointer=pointer,
        code="too_many_decimals",
        message=message,
        hint=f"for example {round(float(cast('float', value)), digits)}",
    )
