"""Checks the waves, their approvals, and what each service can confirm."""

from __future__ import annotations

from collections.abc import Iterator

from otactl.model import Environment, Rollout, VersionConfirm, Wave
from otactl.model.rollout import TOP_UP
from otactl.model.violation import Violation, wave_pointer
from otactl.ports import BackendDefinition


def waves(rollout: Rollout, definition: BackendDefinition, environment: Environment | None) -> Iterator[Violation]:
    """Check the waves, and everything that refers to one."""
    names: set[str] = set()
    for index, wave in enumerate(rollout.strategy.waves):
        if wave.name in names:
            message = f"the wave name {wave.name} occurs twice"
            yield Violation(
                pointer=wave_pointer(index, "name"),
                code="duplicate_wave",
                message=message,
                hint="give every wave its own name",
            )
        names.add(wave.name)
        if wave.requires is not None:
            yield from _role(wave.requires.approval, wave_pointer(index, "requires", "approval"), environment)
        yield from _wave(wave, index)
    added = any(w.percent is not None or w.requires is not None for w in rollout.strategy.waves)
    for index, approval in enumerate(rollout.approvals):
        pointer = f"/spec/approvals/{index}"
        if approval.wave not in names and not (added and approval.wave.startswith(TOP_UP)):
            message = f"the approval is for wave {approval.wave}, which is not in this rollout"
            yield Violation(
                pointer=f"{pointer}/wave",
                code="unknown_wave",
                message=message,
                hint=f"waves here: {', '.join(sorted(names))}",
            )
        yield from _role(approval.role, f"{pointer}/role", environment)
        yield from _member(approval.role, approval.by, f"{pointer}/by", environment)
    yield from _confirm(rollout, definition)


def _wave(wave: Wave, index: int) -> Iterator[Violation]:
    for name in ("include", "exclude"):
        if getattr(wave, name) and wave.percent is None:
            message = f"{name} chooses among the devices of spec.targets, and wave {wave.name} has no percent"
            yield Violation(
                pointer=wave_pointer(index, name), code="labels_need_percent", message=message, hint="add percent"
            )
    if wave.name.startswith(TOP_UP) and wave.percent is not None:
        message = f"{TOP_UP} is the name of the wave for devices declared when all others have started"
        yield Violation(
            pointer=wave_pointer(index, "name"), code="wave_name_is_reserved", message=message, hint="another name"
        )


def _role(name: str, pointer: str, environment: Environment | None) -> Iterator[Violation]:
    if environment is None:
        return
    known = [role.name for role in environment.approval_roles]
    if name not in known:
        message = f"environment {environment.name} has no approval role {name}"
        hint = f"roles there: {', '.join(known)}" if known else f"add it to spec.approvalRoles of {environment.name}"
        yield Violation(pointer=pointer, code="unknown_approval_role", message=message, hint=hint)


def _member(name: str, by: str, pointer: str, environment: Environment | None) -> Iterator[Violation]:
    role = next((each for each in environment.approval_roles if each.name == name), None) if environment else None
    if role is not None and role.members and by not in role.members:
        message = f"{by} is not a member of the approval role {name}"
        yield Violation(
            pointer=pointer, code="approver_is_not_member", message=message, hint=f"members: {', '.join(role.members)}"
        )


def _confirm(rollout: Rollout, definition: BackendDefinition) -> Iterator[Violation]:
    confirm, kind = rollout.strategy.confirm, rollout.backend_kind
    if not isinstance(confirm, VersionConfirm):
        return
    *some, last = definition.version_proofs
    for name in confirm.version.declared:
        if name not in definition.version_proofs:
            yield Violation(
                pointer="/spec/strategy/confirm/version",
                code="confirm_not_supported",
                message=f"{kind} reports no version by {name}",
                hint=f"use {', '.join(some)} or {last}" if some else f"use {last}",
            )
    query = confirm.version.index_query
    if query is not None and rollout.firmware.version not in query:
        yield Violation(
            pointer="/spec/strategy/confirm/version/indexQuery",
            code="query_names_no_version",
            message=f"the query does not ask for version {rollout.firmware.version}; all it finds counts as updated",
            hint=f"for example shadow.reported.firmware.version:{rollout.firmware.version}",
        )
