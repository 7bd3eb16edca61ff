"""Finds what a new revision changes of the one that devices were sent last, by the digests that the journal keeps."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl.model import Record, Rollout
from otactl.model.actions import CreateUnit, UpdateUnit
from otactl.planning.expected_state import Step
from otactl.ports import Shape
from otactl.state.intents import noted


def changed_fields(record: Record, rollout: Rollout, following: Iterable[Step], shape: Shape) -> tuple[str, ...] | None:
    """Return the fields of the next unit that differ from the last one of another revision, sorted.

    None where nothing was sent before; empty where nothing of another revision is compared, as in a rollout that goes
    on, or where the journal does not know the fields of the last unit.
    """
    earlier = [a for a in record.attempts if a.was_sent]
    if not earlier:
        return None
    last = next((a for a in reversed(earlier) if a.generation != rollout.generation), None)
    units = (s.action.unit for s in following if isinstance(s.action, CreateUnit | UpdateUnit))
    unit = next(units, None)
    if last is None or unit is None or any(a.generation == rollout.generation for a in earlier):
        return ()
    written = noted(shape.desired(unit)[0])
    another = msgspec.structs.replace(unit, unit_id=f"{unit.unit_id}-", attempt=unit.attempt + 1, generation="")
    own = noted(shape.desired(another)[0])  # a field that names the unit itself differs in every unit
    names = {*written, *last.field_digests} if last.field_digests else set()
    changed = (name for name in names if written.get(name) != last.field_digests.get(name))
    return tuple(sorted(name for name in changed if written.get(name) == own.get(name)))
