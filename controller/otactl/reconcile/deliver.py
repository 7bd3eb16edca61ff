"""Sends the notices of an environment to their receivers at the end of a run.

1. A notice is in the journal before it is sent, and until each receiver has accepted it, for `KEPT` at most.
2. It is sent under the lease, so one runner at a time sends. Killed between an answer and the commit after it, the next
   run sends at most `BATCH` notices again, with the same ids.
3. All receivers of a run share `RUN_SECONDS`, and a request takes `REQUEST_SECONDS` at most. One that does not answer
   gets no other request in this run.
4. Nothing here fails a run: what goes wrong is a note of the run, and stays in `status` until the receiver accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec

from otactl.errors import OtactlError, defect
from otactl.model import Event, Record
from otactl.model.notices import Notice, Receiver, ReceiverFailure
from otactl.planning.environment import NAME
from otactl.ports import Commit, Stored
from otactl.reconcile.leased_journal import LeasedJournal
from otactl.state.status_conditions import alike
from otactl.wording import count

KEPT = timedelta(days=1)
BATCH = 10
REQUEST_SECONDS, RUN_SECONDS = 3.0, 10.0


class Sent(NamedTuple):
    """What came of sending one notice: no `problem` when it was accepted; `silent` when no answer came at all."""

    problem: str = ""
    silent: bool = False


class Send(Protocol):
    """Sends one notice to one receiver within some seconds; raises nothing that a receiver can cause."""

    def __call__(self, receiver: Receiver, notice: Notice, seconds: float) -> Sent:
        """Send it once."""
        ...


class Delivery:
    """One run's round over what is to be sent."""

    def __init__(
        self,
        journal: LeasedJournal,
        environment: str,
        receivers: Iterable[Receiver],
        send: Send,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        """`now` is the clock that dates notices; `monotonic` the one that limits the round."""
        self._journal = journal
        self._environment = environment
        self._receivers = tuple(receivers)
        self._send = send
        self._now = now
        self._monotonic = monotonic
        self._accepted: set[tuple[str, str]] = set()
        self._uncommitted = 0
        self._taken: set[str] = set()
        self._problems: dict[str, str] = {}

    def run(self) -> tuple[str, ...]:
        """Send what can be sent now; return notes for a person."""
        if not any(stored.record.notices for stored in self._journal.stored.values()) and not self._removed():
            return ()
        try:
            self._journal.hold()
            end = self._monotonic() + RUN_SECONDS
            for receiver in self._receivers:
                self._round(receiver, end)
            self._commit(last=True)
        except OtactlError as error:
            return (f"notices were not sent, or not recorded as sent: {error}; the next run goes on",)
        except Exception as error:  # noqa: BLE001 - rule 4
            return (f"notices were not sent: {defect(error)}",)
        return tuple(self._notes())

    def _removed(self) -> bool:
        """Return whether a failure is remembered of a receiver that the manifest does not declare any more."""
        own = self._journal.stored.get(NAME)
        return own is not None and not set(own.record.receiver_failures) <= {r.name for r in self._receivers}

    def _round(self, receiver: Receiver, end: float) -> None:
        for notice in self._waiting(receiver):
            left = end - self._monotonic()
            if left <= 0:
                self._problems.setdefault(receiver.name, f"the {RUN_SECONDS:g} s of a run for notices were over")
                return
            sent = self._send(receiver, notice, min(REQUEST_SECONDS, left))
            if not sent.problem:
                self._accepted.add((notice.id, receiver.name))
                self._taken.add(receiver.name)
                self._uncommitted += 1
                if self._uncommitted >= BATCH:
                    self._commit(last=False)
                continue
            self._problems.setdefault(receiver.name, sent.problem)
            if sent.silent:
                return

    def _waiting(self, receiver: Receiver) -> list[Notice]:
        """Return what a receiver has not accepted, oldest first; what is too old is not sent any more."""
        since = self._now() - KEPT
        found = [n for s in self._journal.stored.values() for n in s.record.notices if receiver.name in n.to]
        return sorted((n for n in found if n.at > since), key=lambda n: (n.at, n.id))

    def _commit(self, *, last: bool) -> None:
        commits = [commit for stored in self._journal.stored.values() if (commit := self._changed(stored)) is not None]
        if last:
            commits = self._with_failures(commits)
        if commits:
            self._journal.commit(tuple(commits))
        self._uncommitted = 0

    def _changed(self, stored: Stored) -> Commit | None:
        """Return the record without what was accepted, is too old, or has no receiver any more."""
        now, names = self._now(), {receiver.name for receiver in self._receivers}
        left: list[Notice] = []
        events: list[Event] = []
        for notice in stored.record.notices:
            to = tuple(n for n in notice.to if (notice.id, n) not in self._accepted)
            lost = [n for n in to if n not in names] if now - notice.at < KEPT else list(to)
            to = tuple(n for n in to if n not in lost)
            if lost:
                why = "a day old" if now - notice.at >= KEPT else "not a receiver any more"
                text = f"{notice.kind.value} was not accepted by {', '.join(lost)}: {why}; it is not sent again"
                events.append(Event(at=now, kind="noticeDropped", subject=stored.record.name, message=text))
            if to:
                left.append(msgspec.structs.replace(notice, to=to))
        if tuple(left) == stored.record.notices:
            return None
        record = msgspec.structs.replace(stored.record, notices=tuple(left))
        return Commit(record=record, expected_revision=stored.revision, events=tuple(events))

    def _with_failures(self, commits: list[Commit]) -> list[Commit]:
        """Add what is remembered of receivers that accept nothing, where that changed."""
        empty = Stored(record=Record(environment=self._environment, name=NAME), revision=0)
        held = self._journal.stored.get(NAME, empty)
        mine = next((c for c in commits if c.record.name == NAME), None)
        record = mine.record if mine is not None else held.record
        failures = self._failures(record.receiver_failures)
        if failures == record.receiver_failures:
            return commits
        changed = Commit(
            record=msgspec.structs.replace(record, receiver_failures=failures),
            expected_revision=held.revision,
            events=mine.events if mine is not None else (),
        )
        return [*(c for c in commits if c is not mine), changed]

    def _failures(self, before: dict[str, ReceiverFailure]) -> dict[str, ReceiverFailure]:
        names = {receiver.name for receiver in self._receivers}
        found = {n: f for n, f in before.items() if n in names and n not in self._taken}
        for name, problem in self._problems.items():
            known = before.get(name)
            if name not in self._taken and (known is None or not alike(known.error, problem)):
                found[name] = ReceiverFailure(since=self._now(), error=problem)
        return found

    def _notes(self) -> Iterable[str]:
        for name, problem in self._problems.items():
            left = sum(name in n.to for s in self._journal.stored.values() for n in s.record.notices)
            if left:
                yield f"receiver {name}: {problem}; {count(left, 'notice waits', 'notices wait')} for the next run"
