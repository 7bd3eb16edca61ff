"""Checks the `tuya` block beyond its schema.

Source: CreateOTAStaticUpgradeJob, and what its twin at Alibaba documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from otactl.backends.tuya.config import TuyaConfig, access_of
from otactl.model import Environment, Rollout, VersionConfirm, duration
from otactl.model.rollout import TOP_UP
from otactl.model.violation import Violation
from otactl.wording import count

SHORTEST_SETTLE = timedelta(minutes=15)  # the window of the gateway's twin for a request's time [V Alibaba]


def check_environment(environment: Environment) -> Iterator[Violation]:
    """Check where the Tuya key is read from: a secret can be read in its own Region only."""
    access = access_of(environment)
    arn = access.secret_arn if access is not None else None
    region = arn.split(":")[3] if arn is not None else environment.region
    if region != environment.region:
        yield Violation(
            pointer="/spec/tuya/secretArn",
            code="secret_region_differs",
            message=f"the secret is in {region}, the environment in {environment.region}",
            hint=f"replicate the secret to {environment.region}, and give the replica's ARN",
        )


def check(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Check the block, and that the environment has access to Tuya."""
    spec = TuyaConfig.of(rollout)
    if environment is not None and access_of(environment) is None:
        yield Violation(
            pointer="/spec/environment",
            code="environment_without_tuya",
            message=f"environment {environment.name} says nothing of Tuya",
            hint="add spec.tuya to the environment",
        )
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
    selected = spec.fields.target_selection
    for field, wanted, value in (
        ("grayPercent", "GRAY", spec.fields.gray_percent),
        ("groupId", "GROUP", spec.fields.group_id),
    ):
        if selected == wanted and value is None:
            message = f"targetSelection {wanted} needs {field}"
            yield Violation(
                pointer="/spec/tuya/targetSelection",
                code="selection_field_missing",
                message=message,
                hint=f"add {field}",
            )
        if selected != wanted and value is not None:
            message = f"{field} is used with targetSelection {wanted} only"
            yield Violation(
                pointer=f"/spec/tuya/{field}", code="selection_field_unused", message=message, hint="remove it"
            )
    interval, timeout = spec.fields.retry_interval, spec.fields.timeout_in_minutes
    if interval is not None and timeout is not None and interval >= timeout:
        message = f"a retry after {count(interval, 'minute')} comes too late for a timeout of {timeout}"
        yield Violation(
            pointer="/spec/tuya/retryInterval",
            code="retry_exceeds_timeout",
            message=message,
            hint="retryInterval must be less than timeoutInMinutes",
        )


def _settling(spec: TuyaConfig) -> Iterator[Violation]:
    if duration(spec.settle_time) < SHORTEST_SETTLE:
        yield Violation(
            pointer="/spec/tuya/settleTime",
            code="settle_time_too_short",
            message=f"a request whose answer was lost may still be carried out after {spec.settle_time}",
            hint="the gateway takes requests that are 15 minutes old: settleTime is at least 15m",
        )


def _confirmed_waves(rollout: Rollout, spec: TuyaConfig) -> Iterator[Violation]:
    names = spec.fields.confirm_waves
    if names and not spec.fields.need_confirm:
        message = "confirmWaves confirms tasks that wait for it, and without needConfirm none does"
        hint = "add needConfirm: true, or remove confirmWaves"
        yield Violation(pointer="/spec/tuya/confirmWaves", code="confirm_without_need", message=message, hint=hint)
    known = [w.name for w in rollout.strategy.waves]
    for index, name in enumerate(names):
        if name not in known and not name.startswith(TOP_UP):
            message = f"there is no wave {name}"
            hint = f"waves are {', '.join(known)}"
            yield Violation(pointer=f"/spec/tuya/confirmWaves/{index}", code="unknown_wave", message=message, hint=hint)
