"""Who may write to an environment: the rules of the lease, the same for every store.

1. The same process under the same name renews and keeps its fencing number, even after expiry, if nobody came between.
2. Another holder's lease stands until it expires, unless that process is proved dead (process.py).
3. Every new holder gets the next fencing number, so what the former one still commits is refused.
4. A lease given back stays on record, expired: the fencing number never goes back.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from controller.errors import LeaseHeldError
from controller.journal.process import Process, is_dead
from controller.model import Value, iso
from controller.ports import Lease

TERM = timedelta(seconds=120)


class Held(Value, frozen=True, kw_only=True):
    """A lease as a store keeps it: with the process behind it, to tell whether it lives."""

    lease: Lease
    process: Process


def grant(held: Held | None, environment: str, holder: str, here: Process, now: datetime) -> Held:
    """Give the environment to `holder` in the process `here`, or raise `LeaseHeldError`."""
    fencing = 1
    if held is not None:
        ours = held.lease.holder == holder and held.process == here
        if not ours and now < held.lease.expires_at and not is_dead(held.process, here):
            who = f"{held.lease.holder} (pid {held.lease.pid} on {held.lease.host})"
            raise LeaseHeldError(environment, who, iso(held.lease.expires_at))
        fencing = held.lease.fencing if ours else held.lease.fencing + 1
    lease = Lease(
        environment=environment, holder=holder, host=here.host, pid=here.pid, expires_at=now + TERM, fencing=fencing
    )
    return Held(lease=lease, process=here)
