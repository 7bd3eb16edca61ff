"""Defines everything in a journal as values, to be checked, exported or written into another journal.

1. A copy's target must be empty; nothing is ever overwritten or mixed. It becomes the same journal: it takes on the id.
2. In SQLite and PostgreSQL the copy is one transaction. On S3 the journal says first that it is being copied into, and
   no otactl opens it until the copy has ended: half a copy is never taken for a journal.
3. The order of a rollout's events, their text and their chain stay; their numbers in the journal restart, by
   environment on S3, over all elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from otactl.errors import ConflictError, LeaseHeldError, UsageError
from otactl.journal.leases import TOLERANCE, Held, who_holds
from otactl.journal.process_liveness import current, is_dead
from otactl.journal.sqlite_events import Row
from otactl.model import iso
from otactl.ports import Identity, Journal, Stored
from otactl.state.event_chain import Link


class Unread(NamedTuple):
    """Something that is not whole."""

    where: str
    code: str
    message: str


class Rows(Protocol):
    """One moment of a journal in rows."""

    @property
    def unread(self) -> Sequence[Unread]:
        """What could not be read."""
        ...

    @property
    def leftovers(self) -> Mapping[str, int]:
        """Number of objects of no finished commit, by environment."""
        ...

    def examine(self) -> Iterator[Unread]:
        """Check what holds the rows, and name what is not whole."""
        ...

    @property
    def records(self) -> Iterable[tuple[str, str, int, str]]:
        """Environment, name, revision and JSON."""
        ...

    @property
    def events(self) -> Iterable[Row]:
        """Environment, name, sequence, revision, JSON and link in the chain."""
        ...

    @property
    def chains(self) -> Mapping[tuple[str, str], Link | None]:
        """The heads of the chains, by environment and name."""
        ...

    @property
    def leases(self) -> Iterable[tuple[str, int, str]]:
        """Environment, fencing number and JSON."""
        ...


class CopiedEvent(NamedTuple):
    """An event with its rollout and revision: its JSON as it was written, and its link in the chain."""

    environment: str
    name: str
    revision: int
    text: str
    link: Link | None


class Contents(NamedTuple):
    """Everything in a journal, events oldest first; `chains` are the heads of their chains, by environment and name."""

    records: tuple[Stored, ...]
    events: tuple[CopiedEvent, ...]
    leases: tuple[Held, ...]
    chains: Mapping[tuple[str, str], Link | None]
    identity: Identity = Identity()

    def must_be_at_rest(self, now: datetime) -> None:
        """Raise `LeaseHeldError` while another actor may work: what that run writes next would be missing in the copy.

        Its clock and this machine's may differ, so a lease that was not given back counts `TOLERANCE` longer here.
        """
        for held in self.leases:
            lease = held.lease
            over = lease.released or now >= lease.expires_at + TOLERANCE or is_dead(held.process, current())
            if not over:
                until = f"{iso(lease.expires_at)} by its clock; to end that by hand: otactl journal release "
                raise LeaseHeldError(lease.environment, who_holds(lease), f"{until}{lease.environment}")

    def fence(self, source: Journal, now: datetime) -> None:
        """End the leases of a journal at rest that were not given back, by whatever clock they are over.

        A run that lives after all can commit no more, so the copy that is read now lacks nothing of it.

        Raises: LeaseHeldError as `must_be_at_rest` does.
        """
        self.must_be_at_rest(now)
        for held in self.leases:
            if not held.lease.released:
                source.end_lease(held.lease.environment, now)

    def must_be_unchanged(self, source: Journal, target: object) -> None:
        """Raise `ConflictError` where a run has taken a lease since: the copy may lack what it wrote."""
        known = {held.lease.environment: held.lease for held in self.leases}
        for environment in sorted({*source.environments(), *known}):
            lease = source.lease(environment)
            if lease != known.get(environment):
                who = f"{who_holds(lease)} took its lease" if lease is not None else "its lease changed"
                text = f"environment {environment} was worked on while it was copied ({who}); "
                raise ConflictError(f"{text}delete {target}, stop cron, and copy again")


def not_empty(where: str) -> UsageError:
    """Return the error for a copy into a journal that holds something."""
    return UsageError(f"journal {where} is not empty; a copy is written into an empty place, name another")
