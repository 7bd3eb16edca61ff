"""The journal of one environment as a run writes it: under the environment's lease, taken at the first write.

1. The lease is taken when there is something to write and not before: a quiet run writes nothing at all.
2. `wall` is this machine's clock, by which a lease runs out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from controller.ports import Commit, Journal, Lease, Stored

RENEW_BEFORE = timedelta(seconds=60)


class LeasedJournal:
    """Reads and writes the records of one environment for one run; every write is fenced."""

    def __init__(self, environment: str, journal: Journal, holder: str, wall: Callable[[], datetime]) -> None:
        self._environment = environment
        self._journal = journal
        self._holder = holder
        self._wall = wall
        self._lease: Lease | None = None
        self._renewing = Lock()

    def check_free(self) -> None:
        """Raise `LeaseHeldError` when another living process holds the lease; take it over from a dead one."""
        held = self._journal.lease(self._environment)
        if held is not None and held.holder != self._holder and held.expires_at > self._wall():
            self._acquire()  # the journal knows whether that holder still lives

    def load_all(self) -> dict[str, Stored]:
        """Load every record of the environment, by name."""
        return self._journal.load_all(self._environment)

    def commit(self, commits: tuple[Commit, ...]) -> dict[str, int]:
        """Write records and their events, all or none; gives the new revision by name."""
        return self._journal.commit(commits, self._acquire().fencing)

    def renew(self) -> None:
        """Renew a lease that is about to run out: a thousand associations take 100 s."""
        with self._renewing:
            if self._lease is not None and self._lease.expires_at - self._wall() < RENEW_BEFORE:
                self._acquire()

    def release(self) -> None:
        """Give the lease back, if this run took one."""
        if self._lease is not None:
            lease, self._lease = self._lease, None
            self._journal.release(lease, self._wall())

    def _acquire(self) -> Lease:
        self._lease = self._journal.acquire(self._environment, self._holder, self._wall())
        return self._lease
