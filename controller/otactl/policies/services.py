"""Rules of each service that its block alone, or with its environment, can break."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

from otactl.aws_sdk.regions import known_regions, partition_of, regions_of
from otactl.model import Environment, FuotaSpec, OtaUpdateSpec, Rollout, TuyaSpec, VersionConfirm, duration
from otactl.policies.violation import Severity, Violation

SHORTEST_SETTLE = timedelta(minutes=15)  # the window of the gateway's twin for a request's time [V Alibaba]


def service(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Judge whether the environment can carry the rollout's service."""
    if environment is None:
        return
    needed, what = _SERVICES.get(rollout.backend_kind, ("", ""))
    if needed and environment.region not in regions_of(needed):
        message = f"{what} is not known to be in {environment.region}"
        hint = f"it is in {', '.join(regions_of(needed))}"
        yield Violation(
            pointer="/spec/environment", code="region_without_service", message=message, hint=hint, severity="warning"
        )
    yield from _partitions(rollout, environment)
    if rollout.backend_kind == "tuya" and environment.tuya is None:
        message = f"environment {environment.name} says nothing of Tuya"
        yield Violation(
            pointer="/spec/environment",
            code="environment_without_tuya",
            message=message,
            hint="add spec.tuya to the environment",
        )


_SERVICES = {"fuota": ("iotwireless", "AWS IoT Core for LoRaWAN"), "otaUpdate": ("iot", "AWS IoT Core")}


def _partitions(rollout: Rollout, environment: Environment) -> Iterator[Violation]:
    """Judge whether roles are of the partition that the environment's Region is in."""
    spec = rollout.backend
    if isinstance(spec, FuotaSpec | OtaUpdateSpec):
        yield from partition(spec.role, environment.region, f"/spec/{rollout.backend_kind}/role")


def partition(arn: str, region: str, pointer: str) -> Iterator[Violation]:
    """Judge whether an ARN is of the partition that a Region is in; a reference that is not filled in is not judged."""
    own, there = partition_of(region), arn.split(":")[1] if arn.startswith("arn:") else ""
    if own and there and own != there:
        message = f"the ARN is of partition {there}, and {region} is in {own}"
        yield Violation(pointer=pointer, code="partition_differs", message=message, hint=f"write arn:{own}:…")


def region(environment: Environment) -> Iterator[Violation]:
    """Judge the environment's Region and the role it assumes there."""
    where = environment.region
    if where not in known_regions():
        near = difflib.get_close_matches(where, sorted(known_regions()), n=1)
        hint = f"did you mean {near[0]}?" if near else "name one of AWS, such as eu-west-1"
        message = f"AWS has no Region named {where}, as far as its SDK here knows"
        severity: Severity = "warning" if partition_of(where) else "error"
        yield Violation(pointer="/spec/region", code="unknown_region", message=message, hint=hint, severity=severity)
    yield from partition(environment.assumed_role or "", where, "/spec/assumedRole")


def tuya_secret(environment: Environment) -> Iterator[Violation]:
    """Judge where the Tuya key is read from: a secret is to be had in its own Region only."""
    arn = environment.tuya.secret_arn if environment.tuya is not None else None
    region = arn.split(":")[3] if arn is not None else environment.region
    if region != environment.region:
        yield Violation(
            pointer="/spec/tuya/secretArn",
            code="secret_region_differs",
            message=f"the secret is in {region}, the environment in {environment.region}",
            hint=f"replicate the secret to {environment.region}, and give the replica's ARN",
        )


def tuya(rollout: Rollout, spec: TuyaSpec) -> Iterator[Violation]:
    """Judge the `tuya` block (CreateOTAStaticUpgradeJob, and the rules its twin at Alibaba documents)."""
    document = spec.document
    yield from _confirmed_waves(rollout, spec)
    yield from _settling(spec)
    confirm = rollout.strategy.confirm
    if isinstance(confirm, VersionConfirm) and confirm.version.module not in (None, spec.module):
        message = f"batches update module {spec.module}, and module {confirm.version.module} is to prove it"
        yield Violation(
            pointer="/spec/strategy/confirm/version/module",
            code="confirm_module_differs",
            message=message,
            hint=f"write module: {spec.module}, or moduleName: {confirm.version.module}",
        )
    for field, wanted in (("grayPercent", "GRAY"), ("groupId", "GROUP")):
        if spec.selection == wanted and field not in document:
            message = f"targetSelection {wanted} needs {field}"
            yield Violation(
                pointer="/spec/tuya/targetSelection",
                code="selection_field_missing",
                message=message,
                hint=f"add {field}",
            )
        if spec.selection != wanted and field in document:
            message = f"{field} is used with targetSelection {wanted} only"
            yield Violation(
                pointer=f"/spec/tuya/{field}", code="selection_field_unused", message=message, hint="remove it"
            )
    interval, timeout = document.get("retryInterval"), document.get("timeoutInMinutes")
    if isinstance(interval, int) and isinstance(timeout, int) and interval >= timeout:
        message = f"a retry after {interval} minutes comes too late for a timeout of {timeout}"
        yield Violation(
            pointer="/spec/tuya/retryInterval",
            code="retry_exceeds_timeout",
            message=message,
            hint="retryInterval must be less than timeoutInMinutes",
        )


def _settling(spec: TuyaSpec) -> Iterator[Violation]:
    if duration(spec.settle_time) < SHORTEST_SETTLE:
        yield Violation(
            pointer="/spec/tuya/settleTime",
            code="settle_time_too_short",
            message=f"a request whose answer was lost may still be carried out after {spec.settle_time}",
            hint="the gateway takes requests that are 15 minutes old: settleTime is at least 15m",
        )


def _confirmed_waves(rollout: Rollout, spec: TuyaSpec) -> Iterator[Violation]:
    names = cast("list[str]", spec.document.get("confirmWaves", []))
    if names and not spec.document.get("needConfirm", False):
        message = "confirmWaves confirms tasks that wait for it, and without needConfirm none does"
        hint = "add needConfirm: true, or remove confirmWaves"
        yield Violation(pointer="/spec/tuya/confirmWaves", code="confirm_without_need", message=message, hint=hint)
    known = [w.name for w in rollout.strategy.waves]
    for index, name in enumerate(names):
        if name not in known:
            message = f"there is no wave {name}"
            hint = f"waves are {', '.join(known)}"
            yield Violation(pointer=f"/spec/tuya/confirmWaves/{index}", code="unknown_wave", message=message, hint=hint)
