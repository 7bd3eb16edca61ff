"""Renders a plan as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from otactl.lorawan.report import AirtimeReport
from otactl.model import JsonObject, RecordedCall, Value, canonical_digest, iso, iso_or_none
from otactl.model.actions import Action, Finding, Hold, StartUnit, name_of
from otactl.planning.outlook import Step
from otactl.reconcile.preview import RolloutPreview
from otactl.report import airtime as radio
from otactl.report import journals_used
from otactl.report.journals_used import UsedJournal
from otactl.report.sanitize import cell, plain, safe_json
from otactl.state.intents import recorded


class PlannedRollout(Value, frozen=True, kw_only=True):
    """What `plan` says of one rollout."""

    name: str
    environment: str
    digest: str
    next: tuple[Step, ...] = ()
    outlook: tuple[Step, ...] = ()
    outlook_holds: tuple[Hold, ...] = ()
    drift: tuple[Finding, ...] = ()
    holds: tuple[Hold, ...] = ()
    airtime: AirtimeReport | None = None
    notes: tuple[str, ...] = ()
    error: str = ""


class PlanReport(Value, frozen=True, kw_only=True):
    """What `plan` says of everything it was given."""

    offline: bool
    rollouts: tuple[PlannedRollout, ...] = ()
    journals: tuple[UsedJournal, ...] = ()

    @property
    def digest(self) -> str:
        """Names the plan by content."""
        return canonical_digest([_rollout(r) for r in self.rollouts])


def planned(found: RolloutPreview, airtime: AirtimeReport | None, notes: tuple[str, ...] = ()) -> PlannedRollout:
    """Report the preview of a declared rollout, after `notes` on what was planned with."""
    state, rollout = found.state, found.state.rollout
    if found.moved_from:
        notes = (*notes, f"reconcile moves the record of rollout {found.moved_from} to this name first")
    if state.look is None and not state.error:
        notes = (*notes, "every wave passed; not read again")
    if state.not_compared:
        notes = (*notes, state.not_compared)
    shown = state.look if not state.error else None
    return PlannedRollout(
        name=rollout.name,
        environment=rollout.environment,
        digest=rollout.generation,
        airtime=airtime,
        notes=(*notes, *(e.message for e in (shown.events if shown is not None else ()) if e.kind == "spared")),
        error=state.error,
        next=found.next,
        outlook=found.outlook.steps,
        outlook_holds=found.outlook.holds,
        drift=shown.plan.findings if shown is not None else (),
        holds=shown.plan.holds if shown is not None else (),
    )


def left_over(found: RolloutPreview) -> PlannedRollout | None:
    """Report what is left of a rollout removed from Git; None when nothing is."""
    state, rollout = found.state, found.state.rollout
    told = PlannedRollout(name=rollout.name, environment=rollout.environment, digest=rollout.generation)
    if state.error:
        text = f"its manifest was removed from Git, and what is left of it was not read: {state.error}"
        known = next((h.message for h in state.stored.record.holds), "")
        return msgspec.structs.replace(told, notes=(text, *((known,) if known else ())))
    holds = state.look.plan.holds if state.look is not None else ()
    return msgspec.structs.replace(told, holds=holds) if holds else None


def as_json(report: PlanReport) -> str:
    """One JSON object, keys as DESIGN section 6 fixes them."""
    document = {
        "digest": report.digest,
        "offline": report.offline,
        "rollouts": [_rollout(r) for r in report.rollouts],
        **journals_used.document(report.journals),
    }
    return safe_json(json.dumps(document, indent=2, ensure_ascii=False))


def _rollout(rollout: PlannedRollout) -> JsonObject:
    document: JsonObject = {
        "name": rollout.name,
        "environment": rollout.environment,
        "digest": rollout.digest,
        "next": [_rung(r) for r in rollout.next],
        "outlook": [_rung(r) for r in rollout.outlook],
        "drift": [msgspec.to_builtins(f) for f in rollout.drift],
        "holds": [_hold(h) for h in rollout.holds],
        "outlookHolds": [_hold(h) for h in rollout.outlook_holds],
        "airtime": {} if rollout.airtime is None else msgspec.to_builtins(radio.result(rollout.airtime)),
        "notes": list(rollout.notes),
    }
    if rollout.error:
        document["error"] = rollout.error
    return document


def _hold(hold: Hold) -> JsonObject:
    return {"reason": hold.reason, "message": hold.message, "until": iso_or_none(hold.until)}


def _rung(step: Step) -> JsonObject:
    return {"action": name_of(step.action), "reason": step.action.reason, "calls": [_call(c) for c in _calls(step)]}


def _calls(step: Step) -> tuple[RecordedCall, ...]:
    return tuple(recorded(c) for c in step.calls)


def _call(call: RecordedCall) -> JsonObject:
    return {"service": call.service, "operation": call.operation, "parameters": call.parameters}


def as_text(report: PlanReport, *, all_calls: bool = False) -> str:
    """Return a plan for a terminal: per rollout what is next, what after, what differs, what holds."""
    lines: list[str] = []
    for rollout in report.rollouts:
        lines.append(f"{rollout.environment}/{rollout.name}")
        if rollout.error:
            lines.append(f"  error: {rollout.error}")
        lines += [f"  note: {note}" for note in rollout.notes]
        if rollout.airtime is not None:
            lines.append(f"  on air: {radio.line(rollout.airtime)}")
            lines.append(f"  success: {radio.chance_line(rollout.airtime)}")
            lines += [f"  radio: {title}: {text}" for title, text in radio.others(rollout.airtime)]
            lines += [f"  radio warning: {w.code}: {w.message}" for w in rollout.airtime.warnings]
        lines += [f"  hold: {h.reason}: {h.message}" for h in rollout.holds]
        lines += [f"  drift: {_drift(f)}" for f in rollout.drift]
        for title, group in (("next", rollout.next), ("then", rollout.outlook)):
            for step in group:
                lines.append(f"  {title}: {name_of(step.action)} {_subject(step.action)}: {_why(step.action)}")
                if title == "next":
                    lines += [f"    {line}" for line in _shown(step, all_calls)]
        lines += [f"  then: hold {h.reason}: {h.message}" for h in rollout.outlook_holds]
        if not rollout.next and not rollout.holds and not rollout.error:
            lines.append("  nothing to send")
        lines.append("")
    sending = sum(len(r.calls) for rollout in report.rollouts for r in rollout.next)
    lines += journals_used.footer(report.journals, "text")
    lines.append(f"{len(report.rollouts)} rollouts, {sending} calls next; plan {report.digest[:12]}")
    if report.offline:
        lines.append("offline: nothing was read from the cloud, so nothing was compared with it")
    return "\n".join(plain(line) for line in lines)


def _shown(step: Step, all_calls: bool) -> list[str]:
    calls = _calls(step)
    limit = len(calls) if all_calls else 5
    shown = [f"{c.service}:{c.operation} {json.dumps(c.parameters, ensure_ascii=False)}" for c in calls[:limit]]
    if len(calls) > limit:
        shown.append(f"… and {len(calls) - limit} more calls (-o json shows all)")
    return shown


def _subject(action: Action) -> str:
    return getattr(action, "unit_id", "") or getattr(getattr(action, "unit", None), "unit_id", "")


def _why(action: Action) -> str:
    """Return the reason of an action, with the time of a session that is scheduled by it."""
    if isinstance(action, StartUnit):
        return f"{action.reason}; on air from {iso(action.start_at)}"
    return action.reason


def _drift(finding: Finding) -> str:
    return f"{finding.subject} {finding.field}: declared {finding.desired!r}, observed {finding.observed!r}"


def as_markdown(report: PlanReport) -> str:
    """Return a plan for a pull request's comment."""
    lines = [f"### otactl plan `{report.digest[:12]}`", ""]
    if report.offline:
        lines += ["*Offline: nothing was read from the cloud, so nothing was compared with it.*", ""]
    for rollout in report.rollouts:
        lines += [f"#### `{rollout.environment}/{rollout.name}`", ""]
        if rollout.error:
            lines += [f"**Error:** {cell(rollout.error)}", ""]
        if rollout.airtime is not None:
            lines += [
                f"On air: {radio.line(rollout.airtime)}",
                "",
                f"Success: {radio.chance_line(rollout.airtime)}",
                "",
                *_folded("radio: all figures", radio.table(rollout.airtime)),
                "",
            ]
            lines += [f"- radio `{w.code}`: {cell(w.message)}" for w in rollout.airtime.warnings]
        lines += [f"- note: {cell(note)}" for note in rollout.notes]
        lines += [f"- **hold** `{h.reason}`: {cell(h.message)}" for h in rollout.holds]
        lines += [f"- **drift** {cell(_drift(f))}" for f in rollout.drift]
        lines += _table(rollout.next, rollout.outlook)
        lines += [f"- then **hold** `{h.reason}`: {cell(h.message)}" for h in rollout.outlook_holds]
        lines += [block for step in rollout.next for block in _details(step)]
        lines.append("")
    return "\n".join([*lines, *journals_used.footer(report.journals, "markdown")])


def _table(following: Sequence[Step], later: Sequence[Step]) -> list[str]:
    if not following and not later:
        return ["", "Nothing to send."]
    rows = ["", "| when | action | unit | calls | why |", "|---|---|---|---|---|"]
    for when, group in (("next", following), ("then", later)):
        rows += [
            f"| {when} | {name_of(r.action)} | `{_subject(r.action)}` | {len(r.calls)} | {cell(_why(r.action))} |"
            for r in group
        ]
    return rows


def _details(step: Step) -> list[str]:
    body = safe_json(json.dumps([_call(c) for c in _calls(step)], indent=2, ensure_ascii=False))
    return ["", *_folded(f"{name_of(step.action)}: exact calls", ["```json", body, "```"])]


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]
