"""Checks that account, Region and owner are still those under which a rollout's units were created.

1. A record remembers them while the service holds something of it. Where the environment says otherwise then, nothing
   is checked and nothing made: what is not in the new place may still be in the old one.
2. With nothing under way the next revision may begin elsewhere. One that reached devices goes on in its account and
   Region, since a later wave stands on the result of an earlier one; its record keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl.model import Environment, Home, Record
from otactl.model.actions import Hold


def home_of(environment: Environment) -> Home:
    """Return where units would be created now."""
    return Home(account=environment.account, region=environment.region, owner=environment.owner)


def moved(record: Record, environment: Environment) -> Hold | None:
    """Rule 1: the hold of a rollout whose environment was changed under units of it."""
    home = record.home
    if home is None or home == home_of(environment) or not record.under_way:
        return None
    units = (*(a.unit_id for a in record.attempts if a.live), *(i.unit_id for i in record.intents if i.creates))
    live = ", ".join(dict.fromkeys(units))
    changed = _changed(home, environment, "account", "region", "owner")
    text = (
        f"{changed}, and {live} has not ended there; put it back until it has, "
        "and give the new place an environment of its own name"
    )
    return Hold(reason="environment_changed", message=text, stalled=True)


def parted(record: Record, environment: Environment, generation: str) -> Hold | None:
    """Rule 2: the hold of a revision that reached devices in another account or Region, and has waves left."""
    home, sent = record.home, _sent_elsewhere(record, environment, generation)
    if home is None or not sent:
        return None
    text = (
        f"{_changed(home, environment, 'account', 'region')}, and {', '.join(sent)} of this revision ran there; put it "
        "back, or declare the rollout under another name to begin with its first wave in the new place"
    )
    return Hold(reason="environment_changed", message=text, stalled=True)


def _changed(home: Home, environment: Environment, *fields: str) -> str:
    """Return which of the fields the environment has changed since its units were created, with both values."""
    pairs = [(f, getattr(home, f), getattr(environment, f)) for f in fields]
    changed = ", ".join(f"{field} {now} (it was {was})" for field, was, now in pairs if was != now)
    return f"environment {environment.name} has {changed} now"


def _sent_elsewhere(record: Record, environment: Environment, generation: str) -> tuple[str, ...]:
    """Return the units of a revision that reached devices in another account or Region."""
    home = record.home
    if home is None or (home.account, home.region) == (environment.account, environment.region):
        return ()
    return tuple(a.unit_id for a in record.attempts if a.generation == generation and a.reached)


def settled(record: Record, environment: Environment) -> Record:
    """Rule 2, and the first observation."""
    home = home_of(environment)
    if record.home == home or (record.home is not None and record.under_way):
        return record
    if _sent_elsewhere(record, environment, record.generation):
        return record
    return msgspec.structs.replace(record, home=home)


def beside(records: Iterable[Record], environment: Environment) -> tuple[Record, ...]:
    """Return the records of other environments whose units were created in this one's account and Region."""
    here = (environment.account, environment.region)
    return tuple(
        r for r in records if r.environment != environment.name and r.home and (r.home.account, r.home.region) == here
    )
