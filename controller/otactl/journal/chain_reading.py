"""Defines the chained events of one rollout as a journal gives them, and checks that they are whole."""

from __future__ import annotations

from typing import NamedTuple

from otactl.errors import StalledError
from otactl.state.event_chain import ChainCheck, Link


class ChainedEvent(NamedTuple):
    """An event as it is stored: its number in the journal, its revision, its JSON, its link in the chain."""

    sequence: int
    revision: int
    text: str
    link: Link | None


class ChainReading(NamedTuple):
    """The events of a rollout, oldest first, and the head stored with its record."""

    environment: str
    name: str
    events: tuple[ChainedEvent, ...]
    head: Link | None

    def checked(self) -> ChainCheck:
        """Return the check of a chain that is whole. Raises: StalledError naming the first broken event."""
        check = ChainCheck(self.environment, self.name)
        for each in self.events:
            where = f"{self.environment}/{self.name} event {each.sequence}"
            check.add(where, each.revision, each.text, each.link)
        broken = check.broken(self.head)
        if broken is not None:
            text = f"the history of {self.environment}/{self.name} is broken at {broken.where}: {broken.message}"
            raise StalledError("JournalIsDamaged", f"{text}; run `otactl journal check`, then compare it with a backup")
        return check
