"""Detects all drift of one rollout: its units, and the image and role they use until the session starts.

1. A change of ours that is not visible yet is not drift (`behind`).
2. A change in the manifest is not drift: an open unit is updated, a started one reports that it cannot be.
3. Image and role are compared until the session starts. Image bytes that differed then stay reported until the wave's
   gate has passed or a person accepts them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fnmatch import fnmatchcase

import msgspec

from otactl.drift import diff, ledger
from otactl.model import Attempt, Cause, DriftEntry, DriftStatus, Observation, Stage, UnitPhase
from otactl.model.actions import Finding
from otactl.planning import joined_devices, supersede
from otactl.planning.context import PlanContext
from otactl.planning.wave_context import AttemptContext, RolloutContext, of_wave
from otactl.state import lifecycle
from otactl.verdicts import wave_verdict


def findings(ctx: RolloutContext) -> tuple[Finding, ...]:
    """Return all of them."""
    at = ctx.at
    found: list[Finding] = []
    watched = False
    for wave in at.rollout.strategy.waves:
        gathered = of_wave(ctx, wave)
        if not isinstance(gathered, AttemptContext):
            continue
        found += _of_attempt(gathered)
        if not watched and _waits(gathered):
            watched = True
            firmware, known = at.rollout.firmware, gathered.known
            found += diff.source_findings(
                gathered.attempt.unit_id, firmware.sha256, firmware.size_bytes, known.baseline, at.seen
            )
        elif not wave_verdict.passed(gathered.known, at.rollout):
            found += _last_seen(gathered)
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
    return (*found, *joined_devices.findings(at.rollout, at.record), *supersede.undeclared_findings(ctx))


def _of_attempt(ctx: AttemptContext) -> list[Finding]:
    """Return the drift of the newest attempt at one wave."""
    at, attempt, unit = ctx.at, ctx.attempt, ctx.unit
    found: list[Finding] = []
    if lifecycle.missing(attempt, unit):
        found += _as_before(ctx)
    if not (at.seen.offline or lagging(ctx)):
        found += [f for f in unit_drift(ctx) if not behind(ctx, f)]
    if unit is not None and ctx.can.starts_explicitly and _ended_unseen(ctx):
        found += diff.unseen_session(ctx.declared, attempt, unit)
    if not ctx.of_another_revision:
        keys = at.rollout.targets_of(ctx.wave).keys
        frozen = ctx.known.members if ctx.known.started(at.rollout.generation) else ()
        found += diff.target_findings(attempt.unit_id, frozen, keys)
    return found


def _waits(ctx: AttemptContext) -> bool:
    """Return whether its unit still waits for a start that reads image and role (rule 3)."""
    stage = ctx.attempt.stage
    return stage is Stage.OPEN or (stage is Stage.SCHEDULED and ctx.can.starts_explicitly)


def just_lost(attempt: Attempt, now: datetime) -> bool:
    """Return whether a unit was found lost in this pass: of one that nothing follows, the ledger keeps just that."""
    return attempt.stage is Stage.LOST and attempt.lost_at == now


def unit_drift(ctx: AttemptContext) -> list[Finding]:
    """Return a unit's differences, without what the manifest itself has changed since it was written (rule 2)."""
    declared, attempt = ctx.declared, ctx.attempt
    found = diff.unit_findings(declared, (ctx.fields, _tags(ctx)), attempt, ctx.unit, ctx.can)
    changed = attempt.annotation_digest not in ("", declared.annotations)
    kept = []
    for finding in found:
        if any(fnmatchcase(finding.field, name) for name in ctx.can.annotation_fields):
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


def _tags(ctx: AttemptContext) -> dict[str, str]:
    """Return the tags its unit must show: of another revision those of then, none where they are not known."""
    attempt = ctx.attempt
    if not ctx.of_another_revision:
        return ctx.tags
    if not attempt.version:  # it was found by its tags, or recorded by an older otactl
        return {}
    then = msgspec.structs.replace(
        ctx.declared,
        rollout=attempt.rollout or ctx.at.record.name,
        attempt=attempt.number,
        generation=attempt.generation,
        firmware=msgspec.structs.replace(ctx.declared.firmware, version=attempt.version),
    )
    return ctx.shape.desired(then)[1]


def _ended_unseen(ctx: AttemptContext) -> bool:
    """Return whether a unit that another actor started was not observed before this pass found it ended."""
    attempt = ctx.attempt
    known = attempt.annotation_digest  # of a unit found without a journal no one knows who started it
    return bool(known) and not attempt.started_by_us and attempt.ended_at == ctx.at.now


def of_targets(subject: str, seen: Observation) -> tuple[Finding, ...]:
    """Return what is wrong with targets before a start, in the words of their service."""
    return tuple(diff.of_concern(subject, c) for t in seen.targets for c in t.findings)


def lagging(ctx: AttemptContext) -> bool:
    """Return whether the reads of a unit lag behind our own calls: what they show is no drift."""
    return ctx.unit is not None and ctx.attempt.stage is Stage.SCHEDULED and ctx.unit.phase is UnitPhase.OPEN


def unsettled(ctx: AttemptContext) -> bool:
    """Return whether a difference of the unit may still be a read that does not show our last write."""
    return any(behind(ctx, finding) for finding in unit_drift(ctx))


def behind(ctx: AttemptContext, finding: Finding) -> bool:
    """Return whether a difference may be a read that does not show our last write yet."""
    attempt, at = ctx.attempt, ctx.at
    if not attempt.live or not finding.correctable or lifecycle.settled(attempt, at.now):
        return False
    return not any(e.open and (e.subject, e.field) == (finding.subject, finding.field) for e in at.record.drift)


def _copies(at: PlanContext) -> list[Finding]:
    """Return units with this rollout's marks that are none of its attempts."""
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


def _as_before(ctx: AttemptContext) -> list[Finding]:
    """Return the recorded drift of a unit that this pass did not see: nothing was compared, so nothing is corrected."""
    return [ledger.reported(e, correctable=e.status is DriftStatus.WAITING) for e in _open(ctx)]


def _last_seen(ctx: AttemptContext) -> list[Finding]:
    """Return the image's differences as last seen before the session started (rule 3)."""
    return [ledger.reported(e) for e in _open(ctx) if e.cause is Cause.IMAGE_BYTES]


def _open(ctx: AttemptContext) -> Iterator[DriftEntry]:
    """Yield the open entries of the attempt's unit."""
    return (e for e in ctx.at.record.drift if e.open and e.subject == ctx.attempt.unit_id)
