"""Runs all rules over one manifest, in the order of its fields."""

from __future__ import annotations

from collections.abc import Mapping

from otactl.model import Environment, Rollout
from otactl.model.violation import Violation
from otactl.policies.confidence import confidence
from otactl.policies.firmware import firmware
from otactl.policies.gates import gates
from otactl.policies.schedules import schedule
from otactl.policies.services import partitions, region
from otactl.policies.targets import targets
from otactl.policies.waves import waves
from otactl.policies.windows import windows
from otactl.ports import BackendDefinition


def check(
    rollout: Rollout, backends: Mapping[str, BackendDefinition], environment: Environment | None = None
) -> tuple[Violation, ...]:
    """Check one rollout, against its environment where that is known; `backends` are the definitions by kind."""
    definition = backends[rollout.backend_kind]
    found = [*firmware(rollout, definition, environment), *partitions(rollout, environment)]
    found.extend(definition.check(rollout, environment))
    found.extend(targets(rollout, backends))
    found.extend(waves(rollout, definition, environment))
    found.extend(gates(rollout, definition))
    found.extend(confidence(rollout))
    for index, window in enumerate(rollout.windows):
        found.extend(schedule(window, f"/spec/windows/{index}"))
    found.extend(windows(rollout, environment))
    return tuple(found)


def check_environment(environment: Environment, backends: Mapping[str, BackendDefinition]) -> tuple[Violation, ...]:
    """Check one environment."""
    found: list[Violation] = []
    seen: set[str] = set()
    for index, role in enumerate(environment.approval_roles):
        if role.name in seen:
            pointer = f"/spec/approvalRoles/{index}/name"
            message = f"the approval role {role.name} occurs twice"
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
    names = [receiver.name for receiver in environment.notices]
    for index, name in enumerate(names):
        if name in names[:index]:
            pointer = f"/spec/notices/{index}/name"
            message = f"the receiver {name} occurs twice"
            hint = "give it another name, or keep one of them"
            found.append(Violation(pointer=pointer, code="duplicate_receiver", message=message, hint=hint))
    found.extend(region(environment))
    for definition in backends.values():
        found.extend(definition.check_environment(environment))
    return tuple(found)
