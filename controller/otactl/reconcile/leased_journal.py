"""Writes the journal of one environment under its lease, which is taken at the first write.

1. The lease is taken when there is something to write or to send, and not before: a quiet run writes nothing at all.
2. `wall` is this machine's clock, by which a lease runs out unless the journal has a clock of its own. Clocks differ,
   so what counts is the fencing number: when it shows that another process held the environment since we loaded its
   records, our assessment is outdated, and the commit based on it is refused (`ConflictError`), and so is every call,
   until the records are loaded again.
3. What came of calls that were sent is written all the same if the record is unchanged: it is true, whoever held the
   lease meanwhile.
4. Between renewals the lease is read before a call at most every `CHECK_EVERY`: one that was released by hand, or taken
   by a process whose clock is ahead, stops the calls within seconds. How long ago that was is what either clock says,
   `wall` or `steady`: neither a clock that is set back nor a machine that slept puts a renewal off.
5. What receivers want to hear of goes into the record, in the commit that caused it (`state/notices.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

import msgspec

from otactl.drift import unit_home
from otactl.errors import ConflictError, OtactlError
from otactl.model import Author, Environment, Record, iso
from otactl.model.notices import Receiver
from otactl.ports import LEASE_TERM, Commit, Journal, Lease, Stored
from otactl.state.authorship import attributed
from otactl.state.notices import notices_of

RENEW_BEFORE = timedelta(seconds=60)
CHECK_EVERY = timedelta(seconds=5)


class _Moment(NamedTuple):
    """A moment by both clocks."""

    wall: datetime
    steady: float


class LeasedJournal:
    """Reads and writes the records of one environment for one run; every write is fenced.

    `stored` are the records as they were loaded, or written by this run since.
    """

    def __init__(
        self,
        environment: str,
        journal: Journal,
        holder: str,
        wall: Callable[[], datetime],
        author: Author = Author(),  # noqa: B008 - a frozen value
        receivers: tuple[Receiver, ...] = (),
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """`receivers` are those of notices; without one nothing of that is written.

        `steady` gives seconds that no one sets back.
        """
        self._environment = environment
        self._journal = journal
        self._holder = holder
        self._author = author
        self._wall = wall
        self._steady = steady
        self._receivers = receivers
        self._lease: Lease | None = None
        self._taken = self._moment()
        self._known = 0
        self._checked: _Moment | None = None
        self._renewing = Lock()
        self._beside: tuple[Record, ...] | None = None
        self.notes: tuple[str, ...] = ()
        self.stored: dict[str, Stored] = {}

    def check_free(self) -> None:
        """Raise `LeaseHeldError` when another living process holds the lease; take it over from a dead one."""
        held = self._journal.lease(self._environment)
        self._known = held.fencing if held is not None else 0
        if held is not None and held.released and held.dated_ahead(self._wall()):
            text = f"the lease of environment {self._environment} was given back by {held.holder} on {held.host}, dated"
            self.notes = (f"{text} {iso(held.expires_at)}: its clock or this machine's is wrong, set it right",)
        foreign = held is not None and held.holder != self._holder and not held.released
        if held is not None and foreign and held.expires_at > self._wall():
            self._acquire()  # the journal knows whether that holder still lives

    def load(self) -> None:
        """Load every record into `stored`; decisions on them hold while no other process writes."""
        if self._lease is not None:
            self._known = self._lease.fencing
        self.stored = dict(self._journal.load_all(self._environment))

    @property
    def records(self) -> dict[str, Record]:
        """Return every record of the environment as this run knows it, by name."""
        return {name: stored.record for name, stored in self.stored.items()}

    def beside(self, environment: Environment) -> tuple[Record, ...]:
        """Return the records of other environments in the same account and Region, read at the first call."""
        if self._beside is None:
            names = (name for name in self._journal.environments() if name != environment.name)
            found = [held.record for name in names for held in self._journal.load_all(name).values()]
            self._beside = unit_home.beside(found, environment)
        return self._beside

    def commit(self, commits: tuple[Commit, ...], *, outcomes: bool = False) -> None:
        """Write records and their events, all or none (rules 2 and 3)."""
        lease = self._acquire()
        if not outcomes:
            self._must_be_ours_since(lease)
        before = {name: stored.record for name, stored in self.stored.items()}
        commits = tuple(attributed(each, self._author, before.get(each.record.name)) for each in commits)
        commits = tuple(self._with_notices(commit) for commit in commits)
        revisions = self._journal.commit(commits, lease.fencing)
        self.stored |= {c.record.name: Stored(record=c.record, revision=revisions[c.record.name]) for c in commits}

    def _with_notices(self, commit: Commit) -> Commit:
        """Add what receivers want to hear of (rule 5); a record that took another one over goes on from that one."""
        record, held = commit.record, self.stored.get(commit.record.name)
        if not self._receivers and not record.notices:
            return commit
        if held is None:
            earlier = (self.stored.get(name) for name in reversed(record.previous_names))
            held = next((each for each in earlier if each is not None), None)
        before = held.record if held is not None else Record(environment=record.environment, name=record.name)
        revision, journal_id = commit.expected_revision + 1, self._journal.identity().id
        found = notices_of(before, record, revision, self._receivers, journal_id, self._wall())
        if not found:
            return commit
        record = msgspec.structs.replace(record, notices=(*record.notices, *found))
        return msgspec.structs.replace(commit, record=record)

    def hold(self) -> None:
        """Take the lease where nothing is to be written: calls are sent under it alone (rule 2)."""
        self._must_be_ours_since(self._acquire())

    def renew(self) -> None:
        """Renew a lease that is about to run out, since a thousand associations take 100 s; every call needs it.

        Between renewals it is read now and then (rule 4).

        Raises: ConflictError for every call once the lease was lost, also when it is ours again (rule 2).
        """
        with self._renewing:
            if self._lease is not None and (
                self._since(self._taken) > LEASE_TERM - RENEW_BEFORE or self._was_taken(self._lease)
            ):
                self._acquire()
            if self.outdated:
                text = f"environment {self._environment}: another process held it while calls were sent; "
                text += "the rest of them were not sent, and the next pass assesses again"
                if text not in self.notes:
                    self.notes = (*self.notes, text)
                raise ConflictError(text)

    def _was_taken(self, lease: Lease) -> bool:
        """Return whether the journal shows another lease than ours; read at most every `CHECK_EVERY`."""
        if self._checked is not None and self._since(self._checked) < CHECK_EVERY:
            return False
        self._checked = self._moment()
        held = self._journal.lease(self._environment)
        return held is None or held.released or held.fencing != lease.fencing

    @property
    def outdated(self) -> bool:
        """Return whether another process held the environment since its records were loaded (rule 2)."""
        return self._lease is not None and self._lease.fencing > self._known + 1

    def release(self) -> OtactlError | None:
        """Release the lease, if this run took one; return the error that prevented it: it then expires."""
        lease, self._lease = self._lease, None
        try:
            if lease is not None:
                self._journal.release(lease, self._wall())
        except OtactlError as error:
            return error
        return None

    def _acquire(self) -> Lease:
        # How long it lasts still is counted from here: its own dates may be a server's.
        self._taken = self._checked = self._moment()
        lease = self._lease = self._journal.acquire(self._environment, self._holder, self._taken.wall)
        if lease.took_over and lease.took_over not in self.notes:
            self.notes = (*self.notes, lease.took_over)
        return lease

    def _moment(self) -> _Moment:
        return _Moment(self._wall(), self._steady())

    def _since(self, moment: _Moment) -> timedelta:
        """Return how long ago a moment was, by the clock that went further."""
        return max(abs(self._wall() - moment.wall), timedelta(seconds=self._steady() - moment.steady))

    def _must_be_ours_since(self, lease: Lease) -> None:
        if self.outdated:
            text = f"environment {self._environment}: another process held it since its records were read"
            raise ConflictError(f"{text} (fencing number {self._known} then, {lease.fencing} now); nothing was written")
        self._known = lease.fencing
