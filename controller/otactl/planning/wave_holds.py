"""Holds a wave's start or its successor: approvals, windows, downgrades, gates, soaks and retries."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from shlex import quote

from otactl.model import Reason, Rollout, Selection, WaveRecord, firmware_version, iso
from otactl.model.actions import Hold
from otactl.planning import membership, preflight, suspend
from otactl.planning.start_context import StartContext
from otactl.planning.wave_context import AttemptContext, RolloutContext, WaveContext
from otactl.schedule import windows
from otactl.verdicts import gate as gates
from otactl.verdicts import retry, wave_verdict
from otactl.verdicts.device_results import results_of
from otactl.verdicts.gate import GateState
from otactl.wording import count

RETRY_LIMIT = timedelta(days=7)
"""How long a retry may wait for the end of a unit whose wave has passed."""


def unapproved(ctx: WaveContext, *, again: bool = False) -> tuple[Hold, ...]:
    """Return an approval that is missing, or was of something else.

    `again`: what is sent is for devices that the wave was started with, and that its approval covers for good. A group
    that is sent to whole, also for the second time, has to hold the devices that were approved.
    """
    at, wave = ctx.at, ctx.wave
    if wave.requires is None:
        return ()
    rollout, role = at.rollout, wave.requires.approval
    given = [a for a in rollout.approvals if (a.wave, a.role) == (wave.name, role)]
    good = [a for a in given if a.digest == membership.approval_digest(rollout, wave)]
    groups = membership.groups_of(rollout, wave)
    known = at.seen.offline or at.seen.expected  # groups were not read, or cannot be
    started = _started_with(ctx) if again else ()
    devices = started or (membership.inside(groups, at.seen) if groups and not known else ())
    if devices is None:
        text = f"the devices in {', '.join(groups)} of wave {wave.name} were not checked in this pass; "
        text += "the next pass checks them"
        return (Hold(reason=preflight.INCOMPLETE, message=text),)
    named = membership.named_devices(devices)
    if good and (not groups or known or any(a.devices in (named, membership.ANY_DEVICES) for a in good)):
        return ()
    how = f"otactl approve {quote(rollout.source.file)} --wave {wave.name} --role {quote(role)} --by WHO"
    how += f" --devices {named}" if groups and not known else ""
    if good:
        then = good[-1].devices
        covers = f"was of {then.partition(':')[0]} devices in its groups" if then else "names no devices of its groups"
        now = (
            f"which hold other devices now, {named.partition(':')[0]} of them" if then else "and they have to be named"
        )
        text = f"wave {wave.name}: the approval by {good[-1].by} {covers}, {now}; {how}"
        return (Hold(reason="approval_is_outdated", message=text),)
    if given:
        text = f"wave {wave.name}: the approval by {given[-1].by} was of something else than is declared now; {how}"
        return (Hold(reason="approval_is_outdated", message=text),)
    digest = membership.approval_digest(rollout, wave)
    text = f"wave {wave.name} needs the approval of {role} (digest {digest[:12]}…), by pull request; {how}"
    return (Hold(reason="approval_is_missing", message=text),)


def _started_with(ctx: WaveContext) -> tuple[str, ...]:
    """Return the devices that the wave was started with."""
    known, at = ctx.known, ctx.at
    since = known.attempts_since(at.rollout.generation) if known is not None else ()
    started = [a for a in since if not a.retry_targets and a.was_sent]
    return tuple(sorted({device for a in started for device in (*a.devices, *a.skipped_devices)}))


def closed(ctx: StartContext) -> tuple[Hold, ...]:
    """Return a start that no window permits, or that a freeze forbids, until the next one may be sent."""
    at, unit = ctx.at, ctx.declared
    length = at.rollout.session_length(unit.tries if unit.only else 1)
    found = windows.verdict(at.rollout.windows, at.environment.freezes, ctx.start_at, length)
    if found.permitted:
        return ()
    until = found.earliest - ctx.lead if found.earliest is not None else None
    text = f"{unit.unit_id}: {found.sentence}"
    return (Hold(reason=found.reason or "window_is_closed", message=text, until=until, stalled=until is None),)


def going_back(ctx: RolloutContext) -> tuple[Hold, ...]:
    """Return the hold of devices that report a newer version than declared, unless a downgrade is allowed."""
    at = ctx.at
    if at.rollout.strategy.allow_downgrade:
        return ()
    version, selection = at.rollout.firmware.version, at.rollout.backend.selection
    if selection is not None:
        return _selected_back(selection, version)
    runs = {t.vendor_id: t.version for t in at.seen.targets if t.version}
    runs |= {device: version_ for t in at.seen.targets for device, version_ in t.member_versions.items()}
    newer = firmware_version.downgraded(runs, version)
    if not newer:
        return ()
    first = at.seen.names.get(newer[0], newer[0])
    devices = count(len(newer), "device reports", "devices report")
    text = (
        f"{devices} a newer version than {version} ({first}: {runs[newer[0]]}"
        f"{', …' if len(newer) > 1 else ''}); set strategy.allowDowngrade: true to allow the downgrade"
    )
    return (Hold(reason="downgrade_not_allowed", message=text, stalled=True),)


def _selected_back(selection: Selection, version: str) -> tuple[Hold, ...]:
    """Return devices that the service selects: what they run is bounded by what the manifest says, or not known."""
    if not selection.versions:
        text = "the service selects the devices, so what they run is not known, and one that runs a newer version than "
        text += (
            f"{version} would be downgraded; name versions in {selection.field}, or set strategy.allowDowngrade: true"
        )
        return (Hold(reason="versions_are_unknown", message=text, stalled=True),)
    newer = firmware_version.downgraded({v: v for v in selection.versions}, version)
    if not newer:
        return ()
    text = f"{selection.field} names {', '.join(newer)}, newer than {version}; remove it, or set "
    return (Hold(reason="downgrade_not_allowed", message=f"{text}strategy.allowDowngrade: true", stalled=True),)


def latest_start(ctx: StartContext) -> datetime | None:
    """Return until when a start may be sent; None if no window and no freeze limits it."""
    at = ctx.at
    if not at.rollout.windows and not at.environment.freezes:
        return None
    return windows.verdict(at.rollout.windows, at.environment.freezes, ctx.start_at, None).latest


def gate_hold(ctx: AttemptContext) -> Hold:
    """Return why a wave that has run is not done."""
    at, wave, known, attempt = ctx.at, ctx.wave, ctx.known, ctx.attempt
    verdict, gate = known.verdict_of(at.rollout.generation), at.rollout.gate_of(wave)
    if wave_verdict.tainted(attempt, at.record, at.rollout, at.now):
        text = (
            f"wave {wave.name}: the image differed when the session started, so its devices may hold other bytes; "
            "check them, then accept it in spec.drift.ignore, or declare a new revision"
        )
        return Hold(reason=wave_verdict.DIFFERED, message=text, stalled=True)
    again = retry.retry_plan(at.rollout, known)
    if again is not None and again.ready_at > at.now:
        devices = count(len(again.only), "device is", "devices are")
        text = f"wave {wave.name}: {devices} tried again at {iso(again.ready_at)}"
        return Hold(reason="waiting_for_retry", message=text, until=again.ready_at)
    if verdict is None:
        state = wave_verdict.judgement(known, wave, at.rollout, at.now)
        until = state[0].until if state is not None and state[0].state is GateState.WAITING else None
        number = state[1].unanswered if state is not None else 0
        text = f"wave {wave.name}: {count(number, 'device has', 'devices have')} not answered"
        text += f"; they count as failed at {iso(until)}" if until is not None else ""
        return Hold(reason="waiting_for_devices", message=text, until=until)
    words = wave_verdict.arithmetic(verdict, gate)
    overdue = ctx.unit.overdue if ctx.unit is not None else ""
    soaked = verdict.at + wave_verdict.soak_of(gate) <= at.now
    if verdict.passed and overdue and (soaked or attempt.unread):
        text = f"wave {wave.name} passed ({words}), and is not released: {attempt.unit_id}: {overdue}"
        return Hold(reason="devices_are_overdue", message=text)
    if verdict.passed:
        until = verdict.at + wave_verdict.soak_of(gate)
        text = f"wave {wave.name} passed ({words}) and soaks until {iso(until)}"
        return Hold(reason="soak_is_running", message=text, until=until)
    if verdict.reason == gates.TOO_WEAK:
        text = f"wave {wave.name} is not decided: {words}; late answers count; add devices to the wave, lower "
        text += "gate.confidence, or allow another share of failures, by pull request"
        return Hold(reason=verdict.reason, message=text, stalled=True)
    if verdict.reason in gates.UNDECIDED:
        text = f"wave {wave.name} is not decided: {words}; late answers count; check the devices, or change the gate"
        return Hold(reason=verdict.reason, message=text, stalled=True)
    reason = verdict.reason or "success_rate_is_too_low"
    if retry.goes_on(known, at.rollout) and (left := len(retry.unbegun(known, at.rollout))):
        words += f"; {count(left, 'device')} had not started and will not follow"
    words += _why_silent(known, at.rollout.generation)
    words += _what_was_lost(known, at.rollout)
    text = f"wave {wave.name}: {words}; change spec.firmware, or the gate, by pull request"
    return Hold(reason=reason, message=text, stalled=True)


def retry_to_come(ctx: AttemptContext) -> tuple[Hold, ...]:
    """Return the hold of a wave that has passed, of which devices are tried again once a unit has ended."""
    at, known, attempt = ctx.at, ctx.known, ctx.attempt
    if number := retry.waits_for_end(at.rollout, known):
        text = f"{count(number, 'device that failed is', 'devices that failed are')} tried again when "
        text += f"{attempt.unit_id} has ended, if strategy.retry names the reason; to wait for its other devices no "
        text += f"longer: {suspend.end_of(attempt, ctx.can)}"
    elif retry.comes_late(at.rollout, known) and (again := retry.retry_plan(at.rollout, known)) is not None:
        devices = count(len(again.only), "device is", "devices are")
        text = f"{devices} tried again after wave {ctx.wave_name}, unless that fails its gate"
    else:
        return ()
    return (Hold(reason="waiting_for_retry", message=f"wave {ctx.wave.name}: {text}", limit=RETRY_LIMIT),)


def _what_was_lost(known: WaveRecord, rollout: Rollout) -> str:
    """Return what helps devices that did not receive enough fragments; empty where none lacked any."""
    lacked = sum(r.reason is Reason.MISSING_FRAGMENTS for r in results_of(known, rollout.generation))
    if not lacked:
        return ""
    text = f"; {count(lacked, 'device')} lacked fragments: raise the redundancy, or send smaller fragments"
    return text if rollout.strategy.retry is not None else f"{text}, or let strategy.retry send them again"


def _why_silent(known: WaveRecord, generation: str) -> str:
    """Return why devices count as silent, in the words of their service, where it has any."""
    details = Counter(r.detail for r in results_of(known, generation) if r.silent and r.detail)
    return "".join(f"; {number} count as silent: {detail}" for detail, number in details.most_common(1))
