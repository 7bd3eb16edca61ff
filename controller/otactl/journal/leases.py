"""Decides who may write to an environment: the rules of the lease, the same for every store.

1. The same process under the same name renews and keeps its fencing number, even after expiry, if no one came between.
2. Another holder's lease is valid until it expires, unless that process is proved dead (process.py).
3. A lease lives for `TERM`. One that expires further ahead than `TERM` and `TOLERANCE` was dated by a clock that is
   wrong, this machine's or its holder's: it blocks no one, and the run that takes it over reports so. No clock holds an
   environment for longer than those two together.
4. Every new holder gets the next fencing number, so what the former one still commits is refused.
5. A lease given back, or ended by hand, stays on record, released: it holds no one whatever its times say, and the
   fencing number never goes back.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from otactl.errors import LeaseHeldError
from otactl.journal.process_liveness import Process, is_dead
from otactl.model import Value, iso
from otactl.ports import LEASE_TERM, LEASE_TOLERANCE, Lease

TERM, TOLERANCE = LEASE_TERM, LEASE_TOLERANCE
BY_HAND = "no one: released by hand"


class Held(Value, frozen=True, kw_only=True):
    """A lease as a store keeps it: with its process, to check whether that is alive."""

    lease: Lease
    process: Process


def stands(lease: Lease, now: datetime) -> bool:
    """Return whether a lease keeps others out by its times (rules 2, 3, 5), whether or not its holder lives."""
    return not lease.released and now < lease.expires_at and not lease.dated_ahead(now)


def who_holds(lease: Lease) -> str:
    """Return the holder, for messages."""
    return f"{lease.holder} (pid {lease.pid} on {lease.host})"


def grant(held: Held | None, environment: str, holder: str, here: Process, now: datetime) -> Held:
    """Grant the environment to `holder` in the process `here`, or raise `LeaseHeldError`."""
    fencing, text = 1, ""
    if held is not None:
        former = held.lease
        ours = former.holder == holder and held.process == here
        if not ours and stands(former, now) and not is_dead(held.process, here):
            raise LeaseHeldError(environment, who_holds(former), iso(former.expires_at))
        if not ours and former.dated_ahead(now) and not former.released:
            text = (
                f"took the lease of environment {environment} over from {who_holds(former)}: it was dated until "
                f"{iso(former.expires_at)}, and by this machine's clock it is {iso(now)}; a lease lives "
                f"{TERM.seconds} s, so one of the two clocks is wrong: set it right"
            )
        fencing = former.fencing if ours else former.fencing + 1
    lease = Lease(
        environment=environment,
        holder=holder,
        host=here.host,
        pid=here.pid,
        expires_at=now + TERM,
        fencing=fencing,
        took_over=text,
    )
    return Held(lease=lease, process=here)


def given_back(held: Held, now: datetime) -> Held:
    """Return the lease after its holder gave it back: it holds no one, its fencing number stays on record."""
    ended = msgspec.structs.replace(held.lease, expires_at=min(now, held.lease.expires_at), released=True)
    return msgspec.structs.replace(held, lease=ended)


def ended_by_hand(held: Held | None, now: datetime) -> Held | None:
    """Return the lease after a person ended it: its holder, should it live, can commit no more (rule 4).

    None where there is nothing to end: only a lease that was given back, since by whose clock should it have expired?
    """
    if held is None or (held.lease.released and not held.lease.dated_ahead(now)):
        return None
    back = given_back(held, now)
    ended = msgspec.structs.replace(back.lease, holder=BY_HAND, fencing=held.lease.fencing + 1)
    return msgspec.structs.replace(back, lease=ended)
