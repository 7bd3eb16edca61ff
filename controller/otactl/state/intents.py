"""Records write-ahead intents before a batch of calls, and their outcomes after it.

1. `intend` is committed before the first call of a step; `settle` after the last.
2. A call whose outcome is unknown keeps its intent: it explains what the service shows later.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from otactl.drift import diff
from otactl.model import (
    Attempt,
    Baseline,
    Event,
    Intent,
    JsonObject,
    Observation,
    Reason,
    Record,
    RecordedCall,
    Stage,
    Value,
    WaveRecord,
    iso,
)
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    Placeholder,
    Receipt,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
    name_of,
    unit_of,
)
from otactl.wording import count


class CallResult(Value, frozen=True, kw_only=True):
    """The outcome of one call: a receipt or an error; `unknown` if the service may have carried it out."""

    key: str
    receipt: Receipt | None = None
    error: str = ""
    unknown: bool = False


def recorded(call: Call) -> RecordedCall:
    """Return a call as the journal and JSON outputs show it: blobs as base64, times as ISO 8601."""
    parameters = {name: _plain(value) for name, value in call.parameters.items()}
    return RecordedCall(service=call.service, operation=call.operation, parameters=parameters)


def _plain(value: object) -> object:
    if isinstance(value, Placeholder):
        return str(value)
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def intend(
    record: Record, action: Action, calls: Iterable[Call], seen: Observation, desired: JsonObject, now: datetime
) -> Record:
    """Return the record with the intents of an action, and what creating or starting a unit freezes.

    `desired` are the fields that the unit is declared with: no read tells them from the service's own defaults, so that
    the answer to its creation may be lost without losing them.
    """
    moved = record
    if isinstance(action, CreateUnit):
        moved = _declare(moved, action.unit, seen)
        moved = _attempt(
            moved,
            lambda a: a.unit_id == action.unit.unit_id and a.vendor_id is None,
            lambda a: msgspec.structs.replace(a, **_written(action.unit, desired)),
        )
        if action.start_at is not None:
            moved = _wave(moved, action.unit.wave, lambda w: _frozen(w, action.unit))
            devices = _inside(action.unit, seen)
            moved = _attempt(
                moved,
                lambda a: a.unit_id == action.unit.unit_id,
                lambda a: a if a.ids_by_call else _as_started(a, action.unit, devices, seen),
            )
    elif isinstance(action, StartUnit):
        if not action.unit.only:  # a retry is of some of them
            moved = _wave(moved, action.unit.wave, lambda w: msgspec.structs.replace(w, members=action.unit.whole))
        moved = _attempt(
            moved,
            lambda a: a.unit_id == action.unit.unit_id,
            lambda a: msgspec.structs.replace(
                _as_started(a, action.unit, _without_spared(action.unit, seen), seen),
                already_succeeded=seen.succeeded_before,
            ),
        )
    elif isinstance(action, CancelUnit):
        moved = _attempt(moved, lambda a: a.unit_id == action.unit_id and not a.canceled_by_us, _with_canceled)
    start_at = action.start_at if isinstance(action, StartUnit | CreateUnit | ResendCreate) else None
    why = action.why if isinstance(action, DeleteUnit | CancelUnit) else ""
    known = {i.key for i in moved.intents}
    fresh = tuple(
        Intent(
            action=name_of(action),
            unit_id=unit_of(action),
            key=call.key,
            call=recorded(call),
            at=now,
            start_at=start_at,
            reason=why,
        )
        for call in calls
        if call.key not in known
    )
    return msgspec.structs.replace(moved, intents=(*moved.intents, *fresh))


def _with_canceled(attempt: Attempt) -> Attempt:
    """Return the attempt with the number of devices that another actor canceled before we stop it."""
    return msgspec.structs.replace(attempt, canceled_before=attempt.failures.get(Reason.CANCELED, 0))


def _frozen(wave: WaveRecord, unit: UnitDeclaration) -> WaveRecord:
    """Return the wave with the members its revision starts with; a failed creation freezes none."""
    members = wave.members if wave.started(unit.generation) and wave.members else unit.whole
    return msgspec.structs.replace(wave, members=members)


def _inside(unit: UnitDeclaration, seen: Observation) -> tuple[str, ...]:
    """Return the devices that a unit starts with: its own among those observed."""
    names = {key.partition(":")[2] for key in unit.members if key.startswith("device:")}
    if len(names) == len(unit.members):
        return tuple(d for d in seen.devices if d in names)
    return _without_spared(unit, seen)


def _without_spared(unit: UnitDeclaration, seen: Observation) -> tuple[str, ...]:
    """Return the observed devices without those of skipped targets only."""
    if not unit.spared:
        return seen.devices
    meant = {device for target in seen.targets if target.key in unit.members for device in target.devices}
    return tuple(device for device in seen.devices if device in meant)


def _as_started(attempt: Attempt, unit: UnitDeclaration, devices: tuple[str, ...], seen: Observation) -> Attempt:
    """Return the attempt with the devices it starts with, and those it skips."""
    inside = frozenset(devices)
    had = {d: t.key for t in seen.targets if t.key in unit.spared for d in t.devices if d not in inside}
    names = _called((*devices, *had), seen)
    return msgspec.structs.replace(
        attempt, devices=devices, names=names, skipped_devices=had or attempt.skipped_devices
    )


def _called(devices: tuple[str, ...], seen: Observation) -> dict[str, str]:
    """Return what people call the devices of a unit, by identity."""
    names = seen.names
    return {device: names[device] for device in devices if device in names}


def settle(
    record: Record,
    action: Action,
    results: Iterable[CallResult],
    desired: JsonObject,
    now: datetime,
    *,
    gone: bool = True,
) -> tuple[Record, tuple[Event, ...]]:
    """Return the record with the outcomes of an action's calls, and the events that report them.

    `desired` are the fields that the unit was declared with. `gone` is true where an accepted deletion needs no second
    look.
    """
    answers = tuple(results)
    done = {r.key: r.receipt for r in answers if r.receipt is not None}
    failed = [r for r in answers if r.error]
    moved = record
    if done and (gone or not isinstance(action, DeleteUnit)):
        moved = _fold(moved, action, done, len(answers), desired, now)
    cleared = {r.key for r in answers if not r.unknown}
    moved = msgspec.structs.replace(moved, intents=tuple(i for i in moved.intents if i.key not in cleared))
    events = []
    if done:
        made = [r.vendor_id for r in done.values() if r.vendor_id and r.vendor_id != unit_of(action)]
        named = f"; its service calls it {', '.join(made)}" if made else ""
        text = f"{name_of(action)}: {action.reason}{named}"
        payload: JsonObject = {"calls": len(done), **({"serviceIds": made} if made else {})}
        events.append(Event(at=now, kind="sent", subject=unit_of(action), message=text, data=payload))
    if failed:
        text = f"{name_of(action)}: {action.reason}; {_failures(failed, len(answers))}: {failed[0].error}"
        data: JsonObject = {"calls": len(failed), "unknown": any(r.unknown for r in failed)}
        events.append(Event(at=now, kind="failed", subject=unit_of(action), message=text, data=data))
    return moved, tuple(events)


def _failures(failed: list[CallResult], sent: int) -> str:
    """Return how many of the calls failed, and whether the service may have acted all the same."""
    number = "its call" if sent == 1 else f"{len(failed)} of {count(sent, 'call')}"
    return (
        f"{number} got no answer that tells whether it acted" if any(r.unknown for r in failed) else f"{number} failed"
    )


def _declare(record: Record, unit: UnitDeclaration, seen: Observation) -> Record:
    attempt = Attempt(
        number=unit.attempt,
        generation=unit.generation,
        unit_id=unit.unit_id,
        created_with=diff.baseline_of(seen),
        retry_targets=unit.only,
        try_number=unit.tries,
        image_sha256=unit.firmware.sha256,
        version=unit.firmware.version,
        rollout=unit.rollout if unit.rollout != record.name else "",
    )

    def add(wave: WaveRecord) -> WaveRecord:
        if any(a.unit_id == unit.unit_id for a in wave.attempts):
            return wave

        first = not wave.started(unit.generation)
        baseline = diff.baseline_of(seen) if first or wave.baseline == Baseline() else wave.baseline
        members, joined = ((), ()) if first else (wave.members, wave.joined)
        kept = tuple(a for a in wave.attempts if not _renamed(a, unit, record))
        wave = msgspec.structs.replace(
            wave, attempts=(*kept, attempt), baseline=baseline, members=members, joined=joined
        )
        if wave.verdict_generation != unit.generation:
            return wave  # of other content: it counts again should this one never reach a device
        # The verdict was of an attempt before; this one gives its own.
        return msgspec.structs.replace(wave, verdict=None, verdict_generation="", released=False)

    return _wave(record, unit.wave, add)


def _renamed(attempt: Attempt, unit: UnitDeclaration, record: Record) -> bool:
    """Return whether an attempt is the one a unit is made for, by its name of before, and certainly was never made."""
    same = (attempt.number, attempt.generation) == (unit.attempt, unit.generation)
    return same and attempt.stage is Stage.DECLARED and all(i.unit_id != attempt.unit_id for i in record.intents)


def _wave(record: Record, name: str, change: Callable[[WaveRecord], WaveRecord]) -> Record:
    return record.with_wave(change(record.wave(name) or WaveRecord(name=name)))


def _attempt(record: Record, wanted: Callable[[Attempt], bool], change: Callable[[Attempt], Attempt]) -> Record:
    return record.with_attempts(lambda _wave, a: change(a) if wanted(a) else a)


def _fold(
    record: Record, action: Action, done: dict[str, Receipt], sent: int, desired: JsonObject, now: datetime
) -> Record:
    """Return the memory with what came through of the `sent` calls of an action; of most, all have to."""

    def mine(attempt: Attempt) -> bool:
        vendor_id = getattr(action, "vendor_id", None)
        return attempt.unit_id == unit_of(action) or (vendor_id is not None and attempt.vendor_id == vendor_id)

    def change(attempt: Attempt) -> Attempt:
        replace = msgspec.structs.replace
        match action:
            case CreateUnit() | ResendCreate():
                receipt = next(iter(done.values()))
                starts = action.start_at is not None
                whole = f"createUnit/{action.unit.unit_id}"
                made = {key: r.vendor_id for key, r in done.items() if r.vendor_id and key != whole}
                first = attempt.vendor_id is None
                stage = Stage.SCHEDULED if starts else Stage.OPEN
                return replace(
                    attempt,
                    stage=stage if first else attempt.stage,
                    last_write_at=now,
                    vendor_id=receipt.vendor_id if first else attempt.vendor_id,
                    arn=receipt.arn if first else attempt.arn,
                    ids_by_call={**attempt.ids_by_call, **made},
                    created_at=now if first else attempt.created_at,
                    never_shown=first or attempt.never_shown,
                    **_written(action.unit, desired),
                    started_by_us=starts,
                    start_at=action.start_at if first else attempt.start_at,
                    start_sent_at=now if starts else None,
                )
            case UpdateUnit(unit=unit):
                return replace(
                    attempt,
                    unit_id=unit.unit_id,
                    previous_unit_ids=_former(attempt, unit.unit_id),
                    generation=unit.generation,
                    number=unit.attempt,
                    declared=tuple(sorted({*attempt.declared, *desired})),
                    last_write_at=now,
                    annotation_digest=unit.annotations,
                    image_sha256=unit.firmware.sha256,
                    version=unit.firmware.version,
                    found_by_tags=attempt.found_by_tags and attempt.generation == unit.generation,
                    rollout=unit.rollout if unit.rollout != record.name else "",
                    field_digests={
                        **attempt.field_digests,
                        **{k: v for k, v in noted(desired).items() if k in action.fields},
                    },
                )
            case AddMembers():
                added = {m for m in action.members if member_key(action, m) in done}
                members, targets = ({*held, *added} for held in (attempt.members, attempt.targets))
                return replace(
                    attempt, members=tuple(sorted(members)), targets=tuple(sorted(targets)), last_write_at=now
                )
            case RemoveMembers():
                taken = {m for m in action.members if member_key(action, m) in done}
                return replace(attempt, members=tuple(sorted({*attempt.members} - taken)), last_write_at=now)
            case StartUnit():
                return replace(
                    attempt, stage=Stage.SCHEDULED, start_at=action.start_at, started_by_us=True, start_sent_at=now
                )
            case DeleteUnit():
                return attempt.deleted(action.why, now)
            case MarkUnit():
                return replace(attempt, last_write_at=now)
            case CancelUnit():
                return replace(
                    attempt,
                    last_write_at=now,
                    canceled_by_us=True,
                    withdrawn=attempt.withdrawn or action.why == "suspended",
                )

    in_part = isinstance(action, AddMembers | RemoveMembers | CreateUnit | CancelUnit)
    return _attempt(record, mine, change) if in_part or len(done) == sent else record


def _written(unit: UnitDeclaration, desired: JsonObject) -> JsonObject:
    """Return what an attempt keeps of what its unit is created with."""
    return {
        "declared": tuple(sorted(desired)),
        "annotation_digest": unit.annotations,
        "field_digests": noted(desired),
    }


def noted(fields: JsonObject) -> dict[str, str]:
    """Return the digest of each field that we wrote, to distinguish an edit of the manifest from one at the service."""
    return {name: diff.digest_of(value) for name, value in fields.items()}


def _former(attempt: Attempt, unit_id: str) -> tuple[str, ...]:
    """Return the names an attempt had: their tokens are used, so no other attempt may take them."""
    return attempt.previous_unit_ids if unit_id == attempt.unit_id else (*attempt.previous_unit_ids, attempt.unit_id)


def member_key(action: AddMembers | RemoveMembers, member: str) -> str:
    """Return the key of the call that moves one member, by which its receipt is found."""
    return f"{name_of(action)}/{action.unit.unit_id}/{member}"
