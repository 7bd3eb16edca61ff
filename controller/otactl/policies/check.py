"""All rules over one manifest, in the order a reader of the manifest meets the fields."""

from __future__ import annotations

from otactl.model import Environment, FuotaSpec, OtaUpdateSpec, Rollout, TuyaSpec
from otactl.policies.firmware import firmware
from otactl.policies.gates import gates
from otactl.policies.ota_update import ota_update
from otactl.policies.radio import radio
from otactl.policies.schedules import schedule
from otactl.policies.services import region, service, tuya, tuya_secret
from otactl.policies.targets import targets
from otactl.policies.violation import Violation
from otactl.policies.waves import waves
from otactl.policies.windows import windows


def check(rollout: Rollout, environment: Environment | None = None) -> tuple[Violation, ...]:
    """Judge one rollout, against its environment where that is known."""
    found = [*firmware(rollout, environment), *service(rollout, environment)]
    if isinstance(rollout.backend, FuotaSpec):
        found.extend(radio(rollout, rollout.backend))
    elif isinstance(rollout.backend, OtaUpdateSpec):
        found.extend(ota_update(rollout, rollout.backend))
    elif isinstance(rollout.backend, TuyaSpec):
        found.extend(tuya(rollout, rollout.backend))
    found.extend(targets(rollout))
    found.extend(waves(rollout, environment))
    found.extend(gates(rollout))
    for index, window in enumerate(rollout.windows):
        found.extend(schedule(window, f"/spec/windows/{index}"))
    found.extend(windows(rollout, environment))
    return tuple(found)


def check_environment(environment: Environment) -> tuple[Violation, ...]:
    """Judge one environment."""
    found: list[Violation] = []
    seen: set[str] = set()
    for index, role in enumerate(environment.approval_roles):
        if role.name in seen:
            pointer = f"/spec/approvalRoles/{index}/name"
            message = f"the approval role {role.name} stands twice"
            found.append(
                Violation(pointer=pointer, code="duplicate_approval_role", message=message, hint="keep one of them")
            )
        seen.add(role.name)
    for index, freeze in enumerate(environment.freezes):
        if freeze.kind != "deny":
            message = "a freeze is a time in which nothing starts; its kind is deny"
            hint = "write kind: deny, or move the window into the rollouts"
            found.append(
                Violation(pointer=f"/spec/freezes/{index}/kind", code="freeze_must_deny", message=message, hint=hint)
            )
        found.extend(schedule(freeze, f"/spec/freezes/{index}"))
    found.extend(region(environment))
    found.extend(tuya_secret(environment))
    return tuple(found)
