"""Detects all drift of one rollout: its units, and the image and role they use until the session starts.

1. A change of ours that is not visible yet is not drift (`behind`).
2. A change in the manifest is not drift: an open unit is updated, a started one reports that it cannot be.
3. Image and role are compared until the session starts. Image bytes that differed then stay reported until the wave's
   gate has passed or a person accepts them.
"""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from otactl.drift import diff
from otactl.model import Attempt, Cause, DriftStatus, Observation, Stage, Unit, UnitPhase
from otactl.model.actions import Finding, UnitDeclaration
from otactl.planning import joined_devices, supersede
from otactl.planning.context import PlanContext
from otactl.ports import Shape
from otactl.state import lifecycle
from otactl.verdicts import wave_verdict
from otactl.verdicts.updated_devices import spared


def findings(at: PlanContext, shape: Shape) -> tuple[Finding, ...]:
    """Return all of them."""
    found: list[Finding] = []
    watched = False
    for wave in at.rollout.strategy.waves:
        known = at.record.wave(wave.name)
        attempt = known.current if known is not None else None
        if known is None or attempt is None:
            continue
        had = spared(at.seen, shape.capabilities) if attempt.stage is Stage.OPEN else None
        declared = at.declare(wave, attempt, known, spared=had)
        unit = at.unit_of(attempt)
        if lifecycle.missing(attempt, unit):
            found += _as_before(at, attempt)
        if not (at.seen.offline or lagging(attempt, unit)):
            found += [f for f in unit_drift(declared, shape, attempt, unit) if not behind(attempt, f, at)]
        if unit is not None and shape.capabilities.starts_explicitly and _ended_unseen(attempt, at):
            found += diff.unseen_session(declared, attempt, unit)
        if attempt.generation == at.rollout.generation:
            keys = at.rollout.targets_of(wave).keys
            frozen = known.members if known.started(at.rollout.generation) else ()
            found += diff.target_findings(attempt.unit_id, frozen, keys)
        waits = attempt.stage is Stage.OPEN or (
            attempt.stage is Stage.SCHEDULED and shape.capabilities.starts_explicitly
        )
        if waits and not watched:
            watched = True
            firmware = at.rollout.firmware
            found += diff.source_findings(
                attempt.unit_id, firmware.sha256, firmware.size_bytes, known.baseline, at.seen
            )
        elif not wave_verdict.passed(known, at.rollout):
            found += _last_seen(at, attempt)
    found += [
        finding
        for wave in at.record.waves
        for attempt in wave.attempts[:-1]
        if attempt.stage is Stage.ENDED and attempt.failure
        if (unit := at.unit_of(attempt)) is not None
        for finding in diff.failed_deletion(attempt, unit)
    ]
    declared_waves = {w.name for w in at.rollout.strategy.waves}
    left = (w for w in at.record.waves if w.name not in declared_waves)
    found += [diff.lost(a) for w in left for a in w.attempts if just_lost(a, at.now)]
    found += [_left_behind(attempt, name) for attempt in at.record.attempts for name in attempt.leftovers]
    if not at.seen.offline:
        found += _copies(at)
    return (
        *found,
        *joined_devices.findings(at.rollout, at.record),
        *supersede.undeclared_findings(at, shape.capabilities.end_command),
    )


def just_lost(attempt: Attempt, now: datetime) -> bool:
    """Return whether a unit was found lost in this pass: of one that nothing follows, the ledger keeps just that."""
    return attempt.stage is Stage.LOST and attempt.lost_at == now


def unit_drift(declared: UnitDeclaration, shape: Shape, attempt: Attempt, unit: Unit | None) -> list[Finding]:
    """Return a unit's differences, without what the manifest itself has changed since it was written (rule 2)."""
    found = diff.unit_findings(declared, shape.desired(declared), attempt, unit, shape.capabilities)
    changed = attempt.annotation_digest not in ("", declared.annotations)
    kept = []
    for finding in found:
        if any(fnmatchcase(finding.field, name) for name in shape.capabilities.annotation_fields):
            late = diff.declared_again(finding.field, finding.desired, attempt)
            if not late:
                kept.append(finding)
            elif not finding.correctable:
                kept.append(msgspec.structs.replace(finding, cause=Cause.DECLARED_LATE, correctable=False))
        elif finding.field.startswith("tags.") and not finding.field.startswith(f"tags.{diff.MARK_PREFIX}"):
            kept += [] if changed else [finding]
        else:
            kept.append(finding)
    return kept


def _ended_unseen(attempt: Attempt, at: PlanContext) -> bool:
    """Return whether a unit that another actor started was not observed before this pass found it ended."""
    known = attempt.annotation_digest  # of a unit found without a journal no one knows who started it
    return bool(known) and not attempt.started_by_us and attempt.ended_at == at.now


def of_targets(subject: str, seen: Observation) -> tuple[Finding, ...]:
    """Return what is wrong with targets before a start, in the words of their service."""
    return tuple(diff.of_concern(subject, c) for t in seen.targets for c in t.findings)


def lagging(attempt: Attempt, unit: Unit | None) -> bool:
    """Return whether the reads of a unit lag behind our own calls: what they show is no drift."""
    return unit is not None and attempt.stage is Stage.SCHEDULED and unit.phase is UnitPhase.OPEN


def behind(attempt: Attempt, finding: Finding, at: PlanContext) -> bool:
    """Return whether a difference may be a read that does not show our last write yet."""
    if not attempt.live or not finding.correctable or lifecycle.settled(attempt, at.now):
        return False
    return not any(e.open and (e.subject, e.field) == (finding.subject, finding.field) for e in at.record.drift)


def _copies(at: PlanContext) -> list[Finding]:
    """Units with this rollout's marks that are none of its attempts."""
    ours = {a.vendor_id for a in at.record.attempts} | {
        n for a in at.record.attempts for n in (a.unit_id, *a.previous_unit_ids)
    }
    ours |= {i.unit_id for i in at.record.intents}
    return [
        Finding(
            subject=unit.vendor_id,
            field="unit",
            desired="absent: it has our marks, and we did not create it",
            observed=f"present as {unit.unit_id}",
            cause=Cause.FOREIGN,
            correctable=False,
        )
        for unit in at.seen.units
        if unit.phase.is_there and unit.vendor_id not in ours and unit.unit_id not in ours
    ]


def _left_behind(attempt: Attempt, name: str) -> Finding:
    return Finding(
        subject=attempt.unit_id,
        field=f"leftover.{name}",
        desired="absent",
        observed="left behind by a failed creation",
        cause=Cause.ORPHAN,
        correctable=False,
    )


def _as_before(at: PlanContext, attempt: Attempt) -> list[Finding]:
    """Return the recorded drift of a unit that this pass did not see: nothing was compared, so nothing is corrected."""
    return [
        Finding(
            subject=e.subject,
            field=e.field,
            desired=e.desired,
            observed=e.observed,
            cause=e.cause,
            correctable=e.status is DriftStatus.WAITING,
        )
        for e in at.record.drift
        if e.open and e.subject == attempt.unit_id
    ]


def _last_seen(at: PlanContext, attempt: Attempt) -> list[Finding]:
    """Return the image's differences as last seen before the session started (rule 3)."""
    return [
        Finding(
            subject=e.subject, field=e.field, desired=e.desired, observed=e.observed, cause=e.cause, correctable=False
        )
        for e in at.record.drift
        if e.open and e.subject == attempt.unit_id and e.cause is Cause.IMAGE_BYTES
    ]
