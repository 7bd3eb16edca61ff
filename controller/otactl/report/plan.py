"""Builds the value that `plan` prints, and renders it as JSON."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl import explanations
from otactl.model import Observation, Record, Rollout, canonical_digest, iso
from otactl.model.actions import Action, CreateUnit, Finding, Hold, ResendCreate, StartUnit, name_of
from otactl.planning.expected_state import Step
from otactl.reconcile.preview import RolloutPreview
from otactl.report import airtime as radio
from otactl.report import journals_used, sanitize
from otactl.report.plan_values import (
    PlanCall,
    PlanFinding,
    PlanHold,
    PlannedRollout,
    PlanReport,
    PlanResult,
    PlanStep,
    PlanVerdict,
    PlanVersion,
    RolloutPlan,
)
from otactl.report.plan_waves import small_waves, waves_of
from otactl.state.intents import recorded

_LISTED = 8


def planned(found: RolloutPreview, notes: tuple[str, ...] = ()) -> PlannedRollout:
    """Report the preview of a declared rollout, after `notes` on what was planned with; without its radio."""
    state, rollout = found.state, found.state.rollout
    if found.moved_from:
        notes = (*notes, f"reconcile moves the record of rollout {found.moved_from} to this name first")
    if state.look is None and not state.error:
        notes = (*notes, "every wave passed; not read again")
    if state.not_compared:
        notes = (*notes, state.not_compared)
    bare = PlannedRollout(
        name=rollout.name,
        environment=rollout.environment,
        digest=rollout.generation,
        file=rollout.source.file,
        line=rollout.source.line,
        notes=notes,
    )
    if state.error:
        return msgspec.structs.replace(bare, verdict=PlanVerdict.CANNOT_BE_PLANNED, error=state.error)
    look, record = state.look, state.stored.record
    if look is None:
        version = PlanVersion(to=rollout.firmware.version, replaces=(), known_by=None)
        return msgspec.structs.replace(bare, version=version, waves=waves_of(rollout, record, (), ()))
    end = found.end if found.end is not None else look
    sent = (*found.next, *found.run)
    waves = waves_of(rollout, look.record, (look.seen, end.seen), (*sent, *found.outlook.steps))
    whole = msgspec.structs.replace(
        bare,
        version=_version(rollout, record, (look.seen, end.seen)),
        why=_why(found) if sent else "",
        notes=(
            *notes,
            *(e.message for e in look.events if e.kind == "spared"),
            *_expiring((look.seen, end.seen)),
            *small_waves(rollout, waves),
        ),
        next=tuple(step_of(s) for s in found.next),
        outlook=(
            *(step_of(s) for s in found.run),
            *(step_of(s, in_next_run=False) for s in found.outlook.steps),
        ),
        drift=tuple(finding_of(f) for f in look.plan.findings),
        holds=tuple(hold_of(h) for h in look.plan.holds),
        run_holds=tuple(hold_of(h) for h in end.plan.holds) if sent and not end.plan.actions else (),
        outlook_holds=tuple(hold_of(h) for h in found.outlook.holds),
        waves=waves,
    )
    return msgspec.structs.replace(whole, verdict=_verdict(whole, sent, found))


def left_over(found: RolloutPreview) -> PlannedRollout | None:
    """Report what is left of a rollout removed from Git; None when nothing is."""
    state, rollout = found.state, found.state.rollout
    shown = PlannedRollout(
        name=rollout.name,
        environment=rollout.environment,
        digest=rollout.generation,
        file=rollout.source.file,
        line=rollout.source.line,
        verdict=PlanVerdict.REMOVED,
    )
    if state.error:
        text = f"its manifest was removed from Git, and what is left of it was not read: {state.error}"
        known = next((h.message for h in state.stored.record.holds), "")
        return msgspec.structs.replace(shown, notes=(text, *((known,) if known else ())))
    holds = state.look.plan.holds if state.look is not None else ()
    steps = (*(step_of(s) for s in found.next), *(step_of(s) for s in found.run))
    split = len(found.next)
    left = msgspec.structs.replace(shown, next=steps[:split], outlook=steps[split:])
    return msgspec.structs.replace(left, holds=tuple(hold_of(h) for h in holds)) if holds else None


def step_of(step: Step, *, in_next_run: bool = True) -> PlanStep:
    """Return a step as it is printed."""
    calls = (recorded(call) for call in step.calls)
    action = step.action
    started = action.start_at if isinstance(action, StartUnit | CreateUnit | ResendCreate) else None
    return PlanStep(
        action=name_of(action),
        unit=_subject(action),
        reason=action.reason,
        in_next_run=in_next_run,
        irrevocable=step.irrevocable,
        start_at=started,
        calls=tuple(PlanCall(service=c.service, operation=c.operation, parameters=c.parameters) for c in calls),
    )


def hold_of(hold: Hold) -> PlanHold:
    """Return a hold as it is printed."""
    known = explanations.page("holds").codes.get(hold.reason)
    return PlanHold(
        reason=hold.reason,
        message=hold.message,
        until=hold.until,
        stalled=hold.stalled,
        fix=known.fix if known is not None else "",
    )


def finding_of(finding: Finding) -> PlanFinding:
    """Return a difference as it is printed."""
    return PlanFinding(
        subject=finding.subject,
        field=finding.field,
        desired=finding.desired,
        observed=finding.observed,
        cause=finding.cause,
        correctable=finding.correctable,
    )


def _subject(action: Action) -> str:
    return getattr(action, "unit_id", "") or getattr(getattr(action, "unit", None), "unit_id", "")


def _expiring(seen: Iterable[Observation]) -> tuple[str, ...]:
    """Warn of an image that its store is to delete: a retry, or a wave that starts later, would find none."""
    image = next((o.image for o in seen if o.image is not None and o.image.expires_at is not None), None)
    if image is None or image.expires_at is None:
        return ()
    text = (
        f"warning: the image expires on {iso(image.expires_at)} by the lifecycle rule {image.expires_by} of its bucket"
    )
    return (f"{text}; what starts after that has no image: change the rule, or keep images with retainYears",)


def _verdict(rollout: PlannedRollout, sent: Iterable[Step], found: RolloutPreview) -> PlanVerdict:
    steps = tuple(sent)
    if any(step.irrevocable for step in steps):
        return PlanVerdict.WILL_START
    if any(isinstance(step.action, CreateUnit | ResendCreate) for step in steps):
        return PlanVerdict.WILL_CREATE
    if steps:
        return PlanVerdict.WILL_CHANGE
    if rollout.holds:
        return PlanVerdict.HELD
    going = found.end is not None and found.end.plan.requeue_at is not None
    return PlanVerdict.IN_PROGRESS if going else PlanVerdict.NOTHING_TO_DO


def _version(rollout: Rollout, record: Record, seen: Iterable[Observation]) -> PlanVersion:
    """Return the declared version, and those it replaces by what devices report, else by the journal."""
    to = rollout.firmware.version
    targets = [target for observation in seen for target in observation.targets]
    reported = {v for t in targets for v in (t.version, *t.member_versions.values()) if v} - {to}
    if reported:
        return PlanVersion(to=to, replaces=tuple(sorted(reported)), known_by="devices")
    if record.version and record.version != to and any(a.was_sent for a in record.attempts):
        return PlanVersion(to=to, replaces=(record.version,), known_by="journal")
    return PlanVersion(to=to, replaces=(), known_by=None)


def _why(found: RolloutPreview) -> str:
    """Return why something is sent."""
    if found.changed_fields is None:
        return "new: nothing of this rollout was sent before"
    if not found.changed_fields:
        return found.next[0].action.reason
    names = ", ".join(found.changed_fields[:_LISTED])
    more = len(found.changed_fields) - _LISTED
    return f"changed since it was sent last: {names}{f' and {more} more' if more > 0 else ''}"


def digest_of(report: PlanReport) -> str:
    """Name a plan by its content: what is sent and what holds, not when it was made."""
    return canonical_digest([_content(rollout) for rollout in report.rollouts])


def _content(rollout: PlannedRollout) -> list[object]:
    steps = [(s.action, s.reason, s.calls) for s in (*rollout.next, *rollout.outlook)]
    holds = [(h.reason, h.message) for h in (*rollout.holds, *rollout.run_holds, *rollout.outlook_holds)]
    return [rollout.title, rollout.digest, rollout.verdict, steps, holds, rollout.drift, rollout.notes, rollout.error]


def as_json(report: PlanReport) -> str:
    """Return one JSON object, as schemas/v1/plan.schema.json says."""
    result = PlanResult(
        digest=digest_of(report),
        offline=report.offline,
        errors=report.errors,
        rollouts=tuple(_rollout(r) for r in report.rollouts),
    )
    return sanitize.as_json({**msgspec.to_builtins(result), **journals_used.document(report.journals)})


def _rollout(rollout: PlannedRollout) -> RolloutPlan:
    fields = msgspec.structs.asdict(rollout)
    figures = radio.result(rollout.airtime) if rollout.airtime is not None else None
    return RolloutPlan(**{**fields, "airtime": figures})
