"""States what must hold in every world that a walk reaches; each invariant is one line of code.

The walk gathers the facts of each line from the service's side: what devices were really sent, what the reads of a
pass really showed, what is really there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from otactl.model.actions import Call
from otactl.model.record import Record
from otactl.ports import Stored
from tests.support.explore.world import Change, Sent, Task


class Fault(NamedTuple):
    """An invariant that does not hold, and what was seen."""

    invariant: str
    text: str


def sent_once(before: Sent, content: str, *, asked: bool) -> bool:
    """No device is sent one content twice unless asked."""
    return before.content != content or asked


def fully_checked(needed: set[str], shown: set[str]) -> bool:
    """No start without the full check of that pass: image, role and each target were read, and are right."""
    return needed <= shown


def may_send(*, leased: bool, suspended: bool, withdraws: bool, starts_over_drift: bool) -> bool:
    """Nothing is sent while suspended, without lease, or over open drift."""
    return leased and (withdraws or not suspended) and not starts_over_drift


def passed_truly(good: int, total: int, needed: float, unjudged: int) -> bool:
    """No wave passes with a member unjudged or failed beyond its gate."""
    return total > 0 and unjudged == 0 and 100 * good >= needed * total


def in_ledger(change: Change, records: Iterable[Record]) -> bool:
    """Every out-of-band change seen is in the ledger."""
    return any(is_about(e.subject, e.field, change) for record in records for e in record.drift)


def accounted_for(key: str, task: Task, records: Sequence[Record]) -> bool:
    """Whatever lives at a service is known or reported as foreign."""
    return any(key in r.vendor_ids or names(r, key, task) for r in records)


def comes_to_rest(ended: bool, holds: Sequence[str]) -> bool:
    """From every state, without further disturbance, the rollout ends or holds with a named way out."""
    return ended or (bool(holds) and all(any(word in text for word in WAYS_OUT) for text in holds))


def as_planned(planned: Sequence[Call], sent: Sequence[Call]) -> bool:
    """`plan` = first calls of `reconcile`."""
    return in_order(sent[: len(planned)]) == in_order(planned) and (bool(planned) or not sent)


def is_defect(error: str) -> bool:
    """No run ends in a defect of the product."""
    return "defect of otactl" in error


WAYS_OUT = (
    *("set ", "fix ", "change ", "accept ", "restore ", "remove ", "put it back", "declare ", "cancel it", "check "),
    *("to stop", "take ", "use ", "leave it", "call the wave", "raise ", "check whose", "clear", "opens "),
    *("is held by", "cancel those", "push it", "add some", "name the", "update otactl"),
)
"""What a hold that needs a person says in the imperative."""


def is_about(subject: str, field: str, change: Change) -> bool:
    """Return whether an entry of a ledger is about a change."""
    mine = subject in (change.unit_id, change.subject, f"acme-{change.unit_id}")
    return mine and (field == change.field or field == "unit" or field.startswith(change.field))


def names(record: Record, key: str, task: Task) -> bool:
    """Return whether a record's intents or open drift name a task."""
    pending = any(i.unit_id == task.unit.unit_id for i in record.intents)
    subjects = (key, f"acme-{task.unit.unit_id}", task.unit.unit_id)
    return pending or any(e.open and e.subject in subjects for e in record.drift)


def in_order(calls: Sequence[Call]) -> list[Call]:
    """Return the calls of one step, which are sent side by side, in one order."""
    return sorted(calls, key=lambda c: (c.key, c.operation))


def records_of(records: dict[str, Stored]) -> list[Record]:
    """Return what a journal remembers."""
    return [held.record for held in records.values()]
