"""Computes the status of a rollout: its holds with their age, its error, its conditions, its phase.

1. A hold keeps its age while each pass finds its reason; another message is the same hold.
2. A hold that waits is overdue once it has lasted longer than its limit: its own, or that of `LIMITS`. That is an
   event, a condition, and exit 1 of the run that records it; later runs only repeat it.
3. An error of sending stays until the calls were sent, or are not needed any more.
4. A condition keeps its `since` while status and reason stay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeGuard

from otactl.model import Condition, Event, Failure, Phase, RecordedHold, Verdict, WaveRecord, iso
from otactl.model.actions import Hold
from otactl.verdicts.gate import UNDECIDED
from otactl.wording import count

_DAY = timedelta(days=1)
LIMITS = {
    "target_is_not_ready": 7 * _DAY,
    "target_is_busy": 7 * _DAY,
    "previous_revision_running": 7 * _DAY,
    "another_wave_in_progress": 7 * _DAY,
    "change_not_visible_yet": _DAY,
    "checks_are_incomplete": _DAY,
    "devices_are_overdue": timedelta(0),
    "withdrawn_devices_wait": 7 * _DAY,
    "manifest_removed": 7 * _DAY,
}
"""How long a hold of this reason may last if it names no limit itself; one that waits for a person has none."""
GRACE = _DAY
"""How long a hold may last after its own time (`until`)."""
_BY_ITSELF = {
    Phase.SUCCEEDED: ("AllWavesPassed", "every wave passed its gate"),
    Phase.REMOVED: ("ManifestRemoved", "its manifest was removed from Git, and its units are deleted or ended"),
}
_OTHERWISE = {
    Phase.PENDING: ("NothingCreated", "no unit was created yet"),
    Phase.PROGRESSING: ("WaveInProgress", "a wave is in progress"),
    Phase.FAILED: ("GateFailed", "a wave missed its gate"),
    Phase.ABORTED: ("AbortDeclared", "spec.abort stopped it"),
    Phase.ORPHANED: ("ManifestRemoved", "its manifest was removed from Git, and its units exist"),
}
"""The reason of a phase for which no hold says more."""
_VARYING = re.compile(r"\S*\d\S*")
_KEPT = (Phase.FAILED, Phase.SUCCEEDED)


def remember(before: Sequence[RecordedHold], holds: Sequence[Hold], now: datetime) -> tuple[RecordedHold, ...]:
    """Return the holds of a pass, each with its age and whether it is overdue."""
    known: dict[str, RecordedHold] = {}
    for hold in before:
        known.setdefault(hold.reason, hold)
    return tuple(_remembered(known.get(hold.reason), hold, now) for hold in holds)


def _remembered(before: RecordedHold | None, hold: Hold, now: datetime) -> RecordedHold:
    since = before.since if before is not None and before.since is not None else now
    overdue = None if hold.stalled else _overdue(before, hold, since, now)
    return RecordedHold(
        reason=hold.reason,
        message=hold.message,
        stalled=hold.stalled,
        until=hold.until,
        since=since,
        overdue_since=overdue,
    )


def _overdue(before: RecordedHold | None, hold: Hold, since: datetime, now: datetime) -> datetime | None:
    """Return since when it is overdue; the time recorded first stays."""
    limit = hold.limit if hold.limit is not None else LIMITS.get(hold.reason)
    ends = [hold.overdue_since] if hold.overdue_since is not None else []
    if limit is not None and not ends:
        ends.append(since + limit)
    if hold.until is not None and not ends:
        ends.append(hold.until + GRACE)
    passed = [end for end in ends if end <= now]
    if not passed:
        return None
    return before.overdue_since if before is not None and before.overdue_since is not None else min(passed)


def newly_overdue(before: Sequence[RecordedHold], after: Sequence[RecordedHold]) -> tuple[RecordedHold, ...]:
    """Return the holds that are overdue for the first time in this pass."""
    known = {hold.reason for hold in before if hold.overdue_since is not None}
    return tuple(hold for hold in after if hold.overdue_since is not None and hold.reason not in known)


def overdue_event(hold: RecordedHold, rollout: str, now: datetime) -> Event:
    """Return the event of a hold that became overdue."""
    text = f"{hold.reason} lasts longer than its limit{_since(hold)}: {hold.message}"
    return Event(at=now, kind="overdue", subject=rollout, message=text, data={"reason": hold.reason})


def _since(hold: RecordedHold) -> str:
    return f" (since {iso(hold.since)})" if hold.since is not None else ""


def shown_phase(phase: Phase, failure: Failure | None) -> Phase:
    """Return the phase to show: an error stalls a rollout that is not over."""
    return Phase.STALLED if failure is not None and phase not in _KEPT else phase


def phase_event(
    before: Phase,
    after: Phase,
    holds: Sequence[RecordedHold],
    failure: Failure | None,
    rollout: str,
    now: datetime,
    waves: Sequence[WaveRecord] = (),
) -> tuple[Event, ...]:
    """Return the event of a change of phase, with its reason; none without a change.

    A failed gate is reported with the figures of its wave.
    """
    if before is after:
        return ()
    reason, message = _why(after, holds, failure)
    if after is Phase.FAILED and reason == _OTHERWISE[after][0]:
        reason, message = next((_figures(w.name, v) for w in waves if _missed(v := w.verdict)), (reason, message))
    text = f"{before.value} -> {after.value}" + (f": {reason}: {message}" if reason else "")
    data = {"from": before.value, "to": after.value, "reason": reason}
    return (Event(at=now, kind="phase", subject=rollout, message=text, data=dict(data)),)


def _missed(verdict: Verdict | None) -> TypeGuard[Verdict]:
    return verdict is not None and not verdict.passed and verdict.reason not in UNDECIDED


def _figures(wave: str, verdict: Verdict) -> tuple[str, str]:
    devices = count(verdict.total, "device")
    text = f"wave {wave}: {verdict.percent:.1f} % of {devices}, {verdict.needed_percent:g} % needed"
    return pascal(verdict.reason or "success_rate_is_too_low"), f"{text}, {verdict.failed} failed"


def _why(phase: Phase, holds: Sequence[RecordedHold], failure: Failure | None) -> tuple[str, str]:
    if failure is not None and phase is Phase.STALLED:
        return failure.reason, failure.message
    if phase in _BY_ITSELF:
        return _BY_ITSELF[phase]
    first = next((h for h in holds if h.stalled), next(iter(holds), None))
    return (pascal(first.reason), first.message) if first is not None else _OTHERWISE.get(phase, ("", ""))


def conditions(
    phase: Phase,
    holds: Sequence[RecordedHold],
    failure: Failure | None,
    before: Sequence[Condition],
    now: datetime,
) -> tuple[Condition, ...]:
    """Return Ready, Reconciling, Stalled, and Overdue where a hold is: each with its reason and since when."""
    done, over = phase is Phase.SUCCEEDED, phase in (Phase.SUCCEEDED, Phase.REMOVED)
    hold = next(iter(holds), None)
    stalled = next((h for h in holds if h.stalled), None)
    late = next((h for h in holds if h.overdue_since is not None), None)
    stuck, why = (failure.reason, failure.message) if failure is not None else ("No", "")
    if failure is None and stalled is not None:
        stuck, why = pascal(stalled.reason), stalled.message
    found = [
        Condition(type="Ready", status=done, reason=phase.value, message="every wave passed" if done else ""),
        Condition(
            type="Reconciling",
            status=not over and stuck == "No",
            reason=_working(over, hold, failure),
            message=hold.message if hold and failure is None else "",
        ),
        Condition(type="Stalled", status=stuck != "No", reason=stuck, message=why),
    ]
    if late is not None:
        found.append(Condition(type="Overdue", status=True, reason=pascal(late.reason), message=late.message))
    return tuple(_aged(condition, before, now) for condition in found)


def _working(over: bool, hold: RecordedHold | None, failure: Failure | None) -> str:
    if failure is not None:
        return failure.reason
    return pascal(hold.reason) if hold else "Done" if over else "Progressing"


def alike(one: str, other: str) -> bool:
    """Return whether two messages are of the same error: ids, counts and times in them may differ."""
    return _VARYING.sub("", one) == _VARYING.sub("", other)


def _aged(condition: Condition, before: Sequence[Condition], now: datetime) -> Condition:
    """Return a condition with the age it had before (rule 4)."""
    old = next((c for c in before if c.type == condition.type), None)
    same = old is not None and (old.status, old.reason) == (condition.status, condition.reason)
    since = old.since if same and old is not None else now
    return Condition(
        type=condition.type, status=condition.status, reason=condition.reason, message=condition.message, since=since
    )


def pascal(name: str) -> str:
    """Return a hold's name as the reason of a condition."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
