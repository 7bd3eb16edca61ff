"""Checks that account, Region, endpoint and owner are still those under which a rollout's units were created.

1. A record remembers them while the service holds something of it. Where the environment says otherwise then, nothing
   is checked and nothing made: what is not in the new place may still be in the old one.
2. With nothing under way the next revision may begin elsewhere. One that reached devices goes on in its place, since a
   later wave stands on the result of an earlier one. An attempt keeps where it was made when its record moves on;
   one that was not made yet will be made in the new place.
3. A place is an account and a Region; where the service has an endpoint of its own that names one, it is the endpoint.
   One that is not known, as in a record of an older version, differs from none.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from otactl.model import Attempt, Environment, Home, Record, Stage
from otactl.model.actions import Hold

_PLACE = ("account", "region", "endpoint")


def home_of(environment: Environment, backend: str) -> Home:
    """Return where units of a backend would be created now."""
    access = environment.access.get(backend)
    return Home(
        account=environment.account,
        region=environment.region,
        owner=environment.owner,
        endpoint=access.place if access is not None else "",
    )


def moved(record: Record, environment: Environment) -> Hold | None:
    """Return the hold of a rollout whose environment was changed under units of it (rule 1)."""
    home = record.home
    changed = _changed(home, home_of(environment, record.backend), *_PLACE, "owner")
    if not changed or not record.under_way:
        return None
    units = (*(a.unit_id for a in record.attempts if a.live), *(i.unit_id for i in record.intents if i.creates))
    live = ", ".join(dict.fromkeys(units))
    text = (
        f"environment {environment.name} has {changed} now, and {live} has not ended there; put it back until it has, "
        "and give the new place an environment of its own name"
    )
    return Hold(reason="environment_changed", message=text, stalled=True)


def parted(record: Record, environment: Environment, backend: str, generation: str) -> Hold | None:
    """Return the hold of a revision that reached devices in another place, and has waves left (rule 2)."""
    now = home_of(environment, backend)
    sent = _sent_elsewhere(record, now, generation)
    if not sent:
        return None
    changed = _changed(sent[-1].home or record.home, now, *_PLACE)
    text = (
        f"environment {environment.name} has {changed} now, and {', '.join(a.unit_id for a in sent)} of this revision "
        "ran there; put it back, or declare the rollout under another name to begin with its first wave in the new "
        "place"
    )
    return Hold(reason="environment_changed", message=text, stalled=True)


def _changed(home: Home | None, now: Home, *fields: str) -> str:
    """Return which of the fields differ now, with both values; empty for none."""
    pairs = [(f, getattr(home, f), getattr(now, f)) for f in fields if home is not None]
    return ", ".join(f"{field} {there} (it was {was})" for field, was, there in pairs if was and there and was != there)


def _sent_elsewhere(record: Record, now: Home, generation: str) -> tuple[Attempt, ...]:
    """Return the attempts at a revision that reached devices in another place."""
    made = (a for a in record.attempts if a.generation == generation and a.reached)
    return tuple(a for a in made if _changed(a.home or record.home, now, *_PLACE))


def settled(record: Record, environment: Environment, backend: str, generation: str) -> Record:
    """Return the record with the home that this pass observed, before anything else is recorded (rule 2)."""
    now, home = home_of(environment, backend), record.home
    if home is None:
        return msgspec.structs.replace(record, home=now)
    if not _changed(home, now, *_PLACE, "owner"):
        return msgspec.structs.replace(record, home=now) if now.endpoint and now != home else record
    if record.under_way or _sent_elsewhere(record, now, generation):
        return record

    def kept(_wave: str, attempt: Attempt) -> Attempt:
        made = attempt.stage is not Stage.DECLARED
        return msgspec.structs.replace(attempt, home=attempt.home or home) if made else attempt

    return msgspec.structs.replace(record.with_attempts(kept), home=now)


def beside(records: Iterable[Record], environment: Environment) -> tuple[Record, ...]:
    """Return the records of other environments whose units were created in the same place (rule 3)."""
    return tuple(r for r in records if r.environment != environment.name and r.home and _is_here(r, environment))


def _is_here(record: Record, environment: Environment) -> bool:
    home, now = record.home, home_of(environment, record.backend)
    if home is None:
        return False
    if home.endpoint and now.endpoint:
        return home.endpoint == now.endpoint
    return (home.account, home.region) == (now.account, now.region)
