"""Holds changes that a service accepts and never shows, after a few attempts to send them.

1. A change is a field with its value, a member, or the tags: another declared value is another change. Of a field that
   lets devices start it is each id that was released: its declared value is always the same.
2. A change that is visible, or no longer declared, is dropped with its count.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl.drift import diff
from otactl.model import Attempt, JsonObject, Record, Unit
from otactl.model.actions import Action, AddMembers, Hold, MarkUnit, RemoveMembers, UnitDeclaration, UpdateUnit, unit_of
from otactl.planning.wave_context import RolloutContext
from otactl.ports import Shape
from otactl.state.intents import CallResult, member_key

LIMIT = 3  # a read may be behind once or twice; never three times, a pass apart each
_NAMES = 3


def changes_of(action: Action, desired: JsonObject) -> tuple[str, ...]:
    """Return the changes an action makes; `desired` are the fields of its unit."""
    match action:
        case UpdateUnit(fields=fields, waiting=waiting):
            plain = tuple(_field(name, desired.get(name)) for name in fields if name not in waiting)
            return (*plain, *(_released(name, each) for name in fields for each in waiting.get(name, ())))
        case AddMembers(members=members):
            return tuple(f"with {m}" for m in members)
        case RemoveMembers(members=members):
            return tuple(f"without {m}" for m in members)
        case MarkUnit():
            return ("tags",)
        case _:
            return ()


def counted(record: Record, action: Action, results: Iterable[CallResult], desired: JsonObject) -> Record:
    """Return the record with what an action changed counted once more, as far as its calls went through."""
    answers = tuple(results)
    done = {r.key for r in answers if r.receipt is not None}
    if isinstance(action, AddMembers | RemoveMembers):
        moved = tuple(m for m in action.members if member_key(action, m) in done)
        action = msgspec.structs.replace(action, members=moved)
    elif len(done) != len(answers):
        return record
    changes = changes_of(action, desired)

    def sent(attempt: Attempt) -> Attempt:
        if attempt.unit_id != unit_of(action):
            return attempt
        more = {change: attempt.invisible_changes.get(change, 0) + 1 for change in changes}
        return msgspec.structs.replace(attempt, invisible_changes={**attempt.invisible_changes, **more})

    return record.with_attempts(lambda _wave, attempt: sent(attempt)) if changes else record


def forgotten(ctx: RolloutContext) -> Record:
    """Return the record without changes that are visible now, or not declared any more (rule 2)."""
    at, shape = ctx.at, ctx.shape

    def kept(wave_name: str, attempt: Attempt) -> Attempt:
        unit = at.unit_of(attempt)
        wave = next((w for w in at.rollout.strategy.waves if w.name == wave_name), None)
        if not attempt.invisible_changes or wave is None or (unit is None and attempt.live):
            return attempt
        left: dict[str, int] = {}
        if unit is not None and attempt.live and unit.readable:
            known = at.record.wave(wave_name)
            declared = at.declare(wave, attempt.number, known)
            wanted = _wanted(declared, shape, unit)
            left = {change: n for change, n in attempt.invisible_changes.items() if change in wanted}
        return (
            attempt if left == attempt.invisible_changes else msgspec.structs.replace(attempt, invisible_changes=left)
        )

    return at.record.with_attempts(kept)


def _wanted(declared: UnitDeclaration, shape: Shape, unit: Unit) -> set[str]:
    fields, marks = shape.desired(declared)
    changed = diff.changed_fields(fields, unit)
    waiting = diff.waiting(changed, unit, shape.capabilities)
    wanted = {_field(name, fields[name]) for name in changed if name not in waiting}
    wanted |= {_released(name, each) for name, ids in waiting.items() for each in ids}
    wanted |= {f"with {m}" for m in set(declared.members) - set(unit.members)}
    wanted |= {f"without {m}" for m in set(unit.members) - set(declared.members)}
    if diff.changed_marks(marks, unit) or diff.foreign_marks(marks, unit):
        wanted.add("tags")
    return wanted


def divided(
    actions: Iterable[Action], attempt: Attempt, unit: Unit, desired: JsonObject
) -> tuple[tuple[Action, ...], tuple[Hold, ...]]:
    """Return the actions that may still show an effect, and the hold for the changes that did not in so many times."""
    left: list[Action] = []
    vain: list[str] = []
    for action in actions:
        given_up = [c for c in changes_of(action, desired) if attempt.invisible_changes.get(c, 0) >= LIMIT]
        vain += given_up
        if rest := _without(action, set(given_up), desired):
            left.append(rest)
    if not vain:
        return tuple(left), ()
    names = ", ".join(_words(change, unit) for change in sorted(vain)[:_NAMES])
    more = f" and {len(vain) - _NAMES} more" if len(vain) > _NAMES else ""
    text = (
        f"{attempt.unit_id}: sent {LIMIT} times, accepted, and not shown since: {names}{more}; check it in the "
        "service, then declare what it shows, or accept it in spec.drift.ignore"
    )
    return tuple(left), (Hold(reason="change_is_not_shown", message=text, stalled=True),)


def _without(action: Action, given_up: set[str], desired: JsonObject) -> Action | None:
    """Return what of an action is still worth sending."""
    replace = msgspec.structs.replace
    match action:
        case UpdateUnit(fields=fields, waiting=waiting):
            left = {n: tuple(i for i in ids if _released(n, i) not in given_up) for n, ids in waiting.items()}
            kept = tuple(f for f in fields if (left[f] if f in left else _field(f, desired.get(f)) not in given_up))
            return replace(action, fields=kept, waiting={n: ids for n, ids in left.items() if ids}) if kept else None
        case AddMembers(members=members):
            kept = tuple(m for m in members if f"with {m}" not in given_up)
            return replace(action, members=kept) if kept else None
        case RemoveMembers(members=members):
            kept = tuple(m for m in members if f"without {m}" not in given_up)
            return replace(action, members=kept) if kept else None
        case MarkUnit():
            return None if given_up else action
        case _:
            return action


def _field(name: str, value: object) -> str:
    return f"{name}={diff.digest_of(value)}"


def _released(name: str, each: str) -> str:
    return f"{name} of {each}"


def _words(change: str, unit: Unit) -> str:
    """Return a change for people: a field with what is shown instead of it."""
    name, is_field, _ = change.partition("=")
    return f"{name} (shown: {unit.fields.get(name)})" if is_field and not name.startswith("with") else change
