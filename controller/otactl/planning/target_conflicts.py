"""Lets the second of two rollouts wait for a shared target: a device hears one session at a time.

1. A target is busy while a unit that holds it is scheduled, on air, or may still come to be by a late request,
   whichever rollout, declared or not, it is of.
2. Of two that would start in the same pass, the first by name starts.
3. Where the service selects devices itself, its product is the target: beside that, no device of it is started on.
4. Devices are compared by their one identity: the members of groups count, and so does every name of a device. Names
   of different services are of different devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import NamedTuple

import msgspec

from otactl.model import Attempt, Cause, Phase, Record, Rollout, Stage, Survey
from otactl.model.actions import CreateUnit, StartUnit
from otactl.planning.assess import Assessment
from otactl.planning.context import POLL
from otactl.planning.preflight import busy_holds, keys_of, parts_of


class Holder(NamedTuple):
    """A unit that holds a target, with the rollout that it is of."""

    rollout: str
    unit_id: str


HeldTargets = Mapping[str, Mapping[str, list[Holder]]]
"""Who holds a target, by service and by the target's key."""


class BusyTargets(Mapping[str, str]):
    """The targets that units of other rollouts hold: target key to unit id.

    A view of what all rollouts share: a copy for each would cost rollouts times targets.
    """

    def __init__(self, held: Mapping[str, list[Holder]], rollout: str) -> None:
        self._held, self._rollout = held, rollout

    def __getitem__(self, key: str) -> str:
        others = (holder.unit_id for holder in reversed(self._held[key]) if holder.rollout != self._rollout)
        if (unit_id := next(others, None)) is None:
            raise KeyError(key)
        return unit_id

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._held if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def holders(records: Mapping[str, Record]) -> HeldTargets:
    """Return the targets that units hold, and by which; once for all rollouts of a pass."""
    found: dict[str, dict[str, list[Holder]]] = {}
    for name, record in records.items():
        for attempt in record.attempts:
            if attempt.stage in (Stage.SCHEDULED, Stage.RUNNING) or record.start_pending_since(attempt.unit_id):
                holder, of_service = Holder(name, _holder(attempt, record)), found.setdefault(record.backend, {})
                for key in attempt.keys:
                    of_service.setdefault(key, []).append(holder)
    return found


def busy(held: HeldTargets, rollout: Rollout) -> BusyTargets:
    """Return targets that units of other rollouts of the same service hold."""
    return BusyTargets(held.get(rollout.backend_kind, {}), rollout.name)


def _holder(attempt: Attempt, record: Record) -> str:
    """Return a unit that holds a target; of a rollout removed from Git with the command that ends it."""
    if record.phase is not Phase.ORPHANED:
        return attempt.unit_id
    open_ = (e for e in record.drift if e.open and e.subject == attempt.unit_id and e.cause is Cause.ORPHAN)
    end = next((str(e.observed) for e in open_), "its create has no answer yet")
    return f"{attempt.unit_id} of {record.name}, whose manifest was removed from Git ({end}),"


def knowing(surveys: Mapping[str, Survey], records: Mapping[str, Record]) -> dict[str, Survey]:
    """Return the surveys with what the journal knows of their units: those are compared by records, others by reads.

    A unit whose devices the journal does not know (found by its marks, or of an older version) is not one of those.
    """
    known = frozenset(
        vendor_id
        for record in records.values()
        for attempt in record.attempts
        if not attempt.stage.is_over and (attempt.devices or attempt.stage not in (Stage.SCHEDULED, Stage.RUNNING))
        for vendor_id in attempt.vendor_ids
    )
    return {kind: msgspec.structs.replace(survey, known=known) for kind, survey in surveys.items()}


def in_turn(look: Assessment, taken: MutableMapping[str, dict[str, str]]) -> Assessment:
    """Return the look, its start put off when an earlier one of this pass took a target; else its targets are taken.

    `taken` has the unit that a target is taken for, by service and by the target's key.
    """
    starts = [a for a in look.plan.actions if isinstance(a, StartUnit | CreateUnit) and a.start_at is not None]
    for start in starts:
        held = taken.setdefault(look.record.backend, {})
        if holds := busy_holds(start.unit, look.seen, held):
            back = start.start_at + POLL if start.start_at is not None else None
            plan = msgspec.structs.replace(look.plan, actions=(), holds=holds, requeue_at=back)
            return msgspec.structs.replace(look, plan=plan)
        mine = (*keys_of(start.unit, look.seen), *parts_of(start.unit, look.seen))
        held.update(dict.fromkeys(mine, start.unit.unit_id))
    return look
