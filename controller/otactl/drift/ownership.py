"""Decides which journal owns a unit: compares the journal id in its tag with this run's journal.

1. A unit without the tag was created before there was one, or lost it; it says nothing.
2. A unit that names another journal is another actor's, although it carries our owner and environment: two memories of
   one fleet send everything twice. One such unit holds every rollout of its environment: nothing is created and nothing
   is adopted until a person has decided.
3. A journal that takes over from a lost one (`replaces`) adopts what carries that one's id, and writes its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

import msgspec

from otactl.model import Attempt, Environment, Observation, Record, Unit
from otactl.model.actions import Hold
from otactl.model.tags import TAG_JOURNAL

_ID = re.compile(r"[0-9a-f]{16}")


def is_journal_id(text: object) -> bool:
    """Return whether a text is the id of a journal; anything else in the tag is an edit by hand."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def maker_of(unit: Unit) -> str:
    """Return the journal that created a unit: by its tag, else by the service's own record; "" if unknown."""
    tagged = unit.tags.get(TAG_JOURNAL, "")
    if is_journal_id(tagged):
        return tagged
    return unit.journal_id if is_journal_id(unit.journal_id) else ""


def is_anothers(unit: Unit, environment: Environment) -> bool:
    """Return whether a unit names another journal than this run's."""
    return maker_of(unit) not in ("", environment.journal_id, *environment.replaces)


def without_anothers(seen: Observation, record: Record, environment: Environment) -> Observation:
    """Return the observation without units of other journals that our record does not know: never adopt them."""
    known = {*record.vendor_ids, *(name for a in record.attempts for name in (a.unit_id, *a.previous_unit_ids))}
    ours = tuple(u for u in seen.units if not is_anothers(u, environment) or u.vendor_id in known or u.unit_id in known)
    return seen if len(ours) == len(seen.units) else msgspec.structs.replace(seen, units=ours)


def holds(environment: Environment, seen: Iterable[tuple[str, Observation]]) -> tuple[Hold, ...]:
    """Return what holds an environment of which some rollout shows a unit of another journal; by rollout name."""
    found = sorted(
        (name, unit.unit_id, maker_of(unit))
        for name, look in seen
        for unit in look.units
        if is_anothers(unit, environment)
    )
    if not found:
        return ()
    rollout, unit_id, other = found[0]
    more = f" (and {len(found) - 1} more units)" if len(found) > 1 else ""
    ours = f"this run's is {environment.journal_id}" if environment.journal_id else "this run has none"
    where = f" {shlex.quote(environment.journal)}" if environment.journal is not None else ""
    text = (
        f"{unit_id} of rollout {rollout}{more} was created by journal {other}, {ours}; two journals of one environment "
        f"would send everything twice, so nothing is sent. Use journal {other} (--journal, OTACTL_JOURNAL or "
        f"spec.journal), or, if it is lost for good, take over from it: otactl journal init{where} --replaces {other}"
    )
    return (Hold(reason="another_journal_is_in_use", message=text, stalled=True),)


def to_be_named(key: str, attempt: Attempt, unit: Unit) -> bool:
    """Return whether a differing tag is our journal's id, not written yet: on older or adopted units."""
    if key != TAG_JOURNAL:
        return False
    return is_journal_id(unit.tags.get(key)) or (key not in unit.tags and not attempt.journal_id)
