"""Compares a declared unit with the observed one, field by field.

1. Only declared fields are compared: the service echoes defaults for the rest.
2. A member missing that was never inside is work left, not drift; one that was inside and left is drift.
3. An open unit can be corrected; after its start every difference is only reported.
4. Content declared again (another generation) is a change of mind, not drift. A unit of the revision before is compared
   with what was last written to it; once it has started nothing sets it back.
5. What a service does not show any more is not compared; what only the service knows is reported as it shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from otactl.drift import ownership
from otactl.model import (
    Attempt,
    Baseline,
    Cause,
    ImageFacts,
    JsonObject,
    Observation,
    RoleFacts,
    ServiceFinding,
    Stage,
    Unit,
    UnitPhase,
    as_json,
    canonical_digest,
    iso,
)
from otactl.model.actions import Finding, UnitDeclaration
from otactl.ports import Capabilities

MARK_PREFIX = "otactl:"
_Differs = Callable[[str, object, object, Cause], None]


def changed_fields(desired: JsonObject, unit: Unit) -> tuple[str, ...]:
    """Return declared fields whose observed value is another one, sorted."""
    return tuple(sorted(name for name, value in desired.items() if unit.fields.get(name) != value))


def dropped_fields(desired: JsonObject, attempt: Attempt, unit: Unit) -> tuple[str, ...]:
    """Return fields once declared for this unit, not any more, and still set: no update can clear them."""
    return tuple(sorted(f for f in attempt.declared if f not in desired and unit.fields.get(f) is not None))


def changed_marks(desired: dict[str, str], unit: Unit) -> tuple[str, ...]:
    """Return marks and declared tags that are missing or other."""
    return tuple(sorted(key for key, value in desired.items() if unit.tags.get(key) != value))


def foreign_marks(desired: dict[str, str], unit: Unit) -> tuple[str, ...]:
    """Return marks under our prefix that we did not set."""
    return tuple(sorted(key for key in unit.tags if key.startswith(MARK_PREFIX) and key not in desired))


def unit_findings(
    declared: UnitDeclaration,
    desired: tuple[JsonObject, dict[str, str]],
    attempt: Attempt,
    unit: Unit | None,
    can: Capabilities,
) -> tuple[Finding, ...]:
    """Return every drift of one unit, nothing that is only unfinished work."""
    concerns = tuple(of_concern(attempt.unit_id, c) for c in unit.findings) if unit is not None else ()
    if attempt.stage is Stage.LOST:
        return (lost(attempt), *concerns)
    if attempt.stage is Stage.FAILED:
        return (_failed(attempt, "made"), *concerns)
    if attempt.stage is Stage.ENDED and attempt.failure and unit is not None:
        return (*failed_deletion(attempt, unit), *concerns)
    if unit is None or not attempt.live or attempt.stage is Stage.DECLARED:
        return concerns
    if attempt.generation != declared.generation:
        return (*concerns, *_of_revision_before(desired, attempt, unit, can)) if unit.readable else concerns
    if not unit.readable:
        return (*concerns, *_member_findings(declared, attempt, unit, False))
    fields, marks = desired
    editable = unit.phase is UnitPhase.OPEN
    found = [
        Finding(
            subject=attempt.unit_id,
            field=name,
            desired=as_json(fields[name]),
            observed=as_json(unit.fields.get(name)),
            cause=Cause.OUT_OF_BAND_EDIT,
            correctable=settable(name, fields[name], unit, can),
        )
        for name in changed_fields(fields, unit)
    ]
    found += [
        Finding(
            subject=attempt.unit_id,
            field=name,
            desired=None,
            observed=as_json(unit.fields.get(name)),
            cause=Cause.DECLARED_LATE,
            correctable=False,
        )
        for name in dropped_fields(fields, attempt, unit)
        if not editable and name in attempt.field_digests  # found without a journal, it may be a default
    ]
    found += _mark_findings(marks, attempt, unit, correctable=True)
    found += _member_findings(declared, attempt, unit, editable)
    if can.starts_explicitly:
        found += _start_findings(attempt, unit)
    return (*found, *concerns)


def _of_revision_before(
    desired: tuple[JsonObject, dict[str, str]], attempt: Attempt, unit: Unit, can: Capabilities
) -> list[Finding]:
    """Return the drift of a unit of the revision before (rule 4); `desired` are fields as of now, tags as of then."""
    if unit.phase not in (UnitPhase.OPEN, UnitPhase.SCHEDULED, UnitPhase.RUNNING):
        return []
    fields, marks = desired
    editable = unit.phase is UnitPhase.OPEN
    written = {n: v for n, v in fields.items() if attempt.field_digests.get(n) == digest_of(v)}
    found = [
        Finding(
            subject=attempt.unit_id,
            field=name,
            desired=as_json(written[name]),
            observed=as_json(unit.fields.get(name)),
            cause=Cause.OUT_OF_BAND_EDIT,
            correctable=editable,
        )
        for name in changed_fields(written, unit)
    ]
    found += _mark_findings(marks, attempt, unit, correctable=editable) if marks else []
    return [*found, *_start_findings(attempt, unit)] if can.starts_explicitly else found


def _mark_findings(marks: dict[str, str], attempt: Attempt, unit: Unit, *, correctable: bool) -> list[Finding]:
    """Return tags that differ from `marks`, and marks of ours that are none of them."""
    wrong = [(key, marks[key]) for key in changed_marks(marks, unit) if not ownership.to_be_named(key, attempt, unit)]
    strange = [(key, None) for key in foreign_marks(marks, unit)]
    return [
        Finding(
            subject=attempt.unit_id,
            field=f"tags.{key}",
            desired=desired,
            observed=unit.tags.get(key),
            cause=Cause.OUT_OF_BAND_EDIT,
            correctable=correctable,
        )
        for key, desired in (*wrong, *strange)
    ]


def unseen_session(declared: UnitDeclaration, attempt: Attempt, unit: Unit) -> tuple[Finding, ...]:
    """Return the differences of a unit that was started and had ended between two observations."""
    return (*_member_findings(declared, attempt, unit, False), *_start_findings(attempt, unit))


def digest_of(value: object) -> str:
    """Name a field's value by content."""
    return canonical_digest(as_json(value))[:16]


def declared_again(name: str, value: object, attempt: Attempt) -> bool:
    """Return whether the manifest says otherwise of a field than when we last wrote it."""
    return bool(attempt.field_digests) and attempt.field_digests.get(name, digest_of(None)) != digest_of(value)


def settable(name: str, value: object, unit: Unit, can: Capabilities) -> bool:
    """Return whether a field of a unit can still be set to a value: before its start any, while it runs a few."""
    running = unit.phase is UnitPhase.RUNNING and not unit.stopping
    return unit.phase is UnitPhase.OPEN or (running and name in can.running_fields and value is not None)


def waiting(names: Iterable[str], unit: Unit, can: Capabilities) -> dict[str, tuple[str, ...]]:
    """Return the ids that a unit shows in each of these fields whose change lets devices start."""
    shown = {name: unit.fields.get(name) for name in names if name in can.starting_fields}
    return {name: tuple(str(each) for each in ids) for name, ids in shown.items() if isinstance(ids, list | tuple)}


def of_concern(subject: str, concern: ServiceFinding) -> Finding:
    """Return what only the service knows, as a finding: reported, never corrected."""
    return Finding(
        subject=subject,
        field=concern.field,
        desired=concern.desired,
        observed=concern.observed,
        cause=concern.cause,
        correctable=False,
    )


def failed_deletion(attempt: Attempt, unit: Unit) -> tuple[Finding, ...]:
    """Report that the service did not delete what it was asked to delete."""
    return (_failed(attempt, "deleted"),) if unit.phase is not UnitPhase.ABSENT else ()


def _failed(attempt: Attempt, desired: str) -> Finding:
    return Finding(
        subject=attempt.unit_id,
        field="unit",
        desired=desired,
        observed=attempt.failure or "failed",
        cause=Cause.VENDOR,
        correctable=False,
    )


def _member_findings(declared: UnitDeclaration, attempt: Attempt, unit: Unit, editable: bool) -> list[Finding]:
    wanted, inside = set(declared.members), set(unit.members)
    sent, targets = set(attempt.members), set(attempt.targets)
    left = sorted(k for k in wanted - inside if k in sent or not editable)
    # What we put in ourselves was declared then; the manifest took it out, which is work, not drift.
    strange = sorted(k for k in inside - wanted if k not in targets or not editable)
    return [
        Finding(
            subject=attempt.unit_id,
            field=f"members.{key}",
            desired=key in wanted,
            observed=key in inside,
            cause=Cause.MEMBERSHIP,
            correctable=editable,
        )
        for key in (*left, *strange)
    ]


def target_findings(subject: str, frozen: tuple[str, ...], declared: tuple[str, ...]) -> tuple[Finding, ...]:
    """Return targets declared, or not any more, after their wave's start froze its membership.

    Reported, never acted on.
    """
    changed = sorted(set(frozen) ^ set(declared)) if frozen else []
    return tuple(
        Finding(
            subject=subject,
            field=f"targets.{key}",
            desired=key in declared,
            observed=key in frozen,
            cause=Cause.MEMBERSHIP,
            correctable=False,
        )
        for key in changed
    )


def _start_findings(attempt: Attempt, unit: Unit) -> list[Finding]:
    if unit.phase not in (UnitPhase.SCHEDULED, UnitPhase.RUNNING, UnitPhase.ENDED):
        return []
    if attempt.started_by_us and attempt.start_at == unit.start_at:
        return []
    if attempt.started_by_us and unit.start_at is None:
        return []  # ended units may stop showing when they started
    desired = iso(attempt.start_at) if attempt.started_by_us and attempt.start_at else None
    observed = iso(unit.start_at) if unit.start_at else "started"
    return [
        Finding(
            subject=attempt.unit_id,
            field="startTime",
            desired=desired,
            observed=observed,
            cause=Cause.OUT_OF_BAND_EDIT,
            correctable=False,
        )
    ]


def lost(attempt: Attempt) -> Finding:
    """Report a unit that another actor deleted."""
    return Finding(
        subject=attempt.unit_id,
        field="unit",
        desired="present",
        observed="deleted",
        cause=Cause.DELETED,
        correctable=attempt.start_at is None,
    )


def baseline_of(seen: Observation) -> Baseline:
    """Return what to remember of image and role when a wave is first observed."""
    return Baseline(image=seen.image.fingerprint if seen.image else "", role=seen.role.fingerprint if seen.role else "")


def source_findings(subject: str, sha256: str, size: int, baseline: Baseline, seen: Observation) -> tuple[Finding, ...]:
    """Return drift of what a unit only points at: image bytes, its bucket, the role."""
    found: list[Finding] = []

    def differs(field: str, desired: object, observed: object, cause: Cause) -> None:
        found.append(
            Finding(
                subject=subject,
                field=field,
                desired=as_json(desired),
                observed=as_json(observed),
                cause=cause,
                correctable=False,
            )
        )

    if seen.image is not None and not seen.image.unreadable:
        _image_findings(seen.image, sha256, size, baseline, differs)
    if seen.role is not None and not seen.role.unreadable:
        _role_findings(seen.role, baseline, differs)
    return tuple(found)


def _image_findings(image: ImageFacts, sha256: str, size: int, baseline: Baseline, differs: _Differs) -> None:
    if not image.exists:
        differs("image.object", "present", "missing", Cause.IMAGE_BYTES)
        return
    if image.sha256 is not None and image.sha256 != sha256:
        differs("image.sha256", sha256, image.sha256, Cause.IMAGE_BYTES)
    elif image.size_bytes is not None and image.size_bytes != size:
        differs("image.sizeBytes", size, image.size_bytes, Cause.IMAGE_BYTES)
    elif image.sha256 is None and baseline.image and image.fingerprint != baseline.image:
        differs("image.fingerprint", baseline.image, image.fingerprint, Cause.IMAGE_BYTES)
    if image.versioning is False:
        differs("image.bucketVersioning", True, False, Cause.IMAGE_BYTES)


def _role_findings(role: RoleFacts, baseline: Baseline, differs: _Differs) -> None:
    if not role.exists:
        differs("role", "present", "missing", Cause.ROLE)
    elif baseline.role and role.fingerprint != baseline.role:
        differs("role.policies", baseline.role[:16], role.fingerprint[:16], Cause.ROLE)
