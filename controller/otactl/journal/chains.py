"""Checks the chains of events of all rollouts of a journal side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from otactl.state.event_chain import Break, ChainCheck, Link


class Chains:
    """Takes the events of a journal in their order; then names the first broken one of each rollout."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], ChainCheck] = {}

    def add(self, environment: str, name: str, where: str, revision: object, text: object, link: Link | None) -> None:
        """Take the next event."""
        check = self._of.setdefault((environment, name), ChainCheck(environment, name))
        check.add(where, revision, str(text), link)

    def broken(
        self, heads: Mapping[tuple[str, str], Link | None], records: Iterable[tuple[str, str]]
    ) -> Iterator[Break]:
        """Name the first broken event of each rollout that has a record, given the heads stored with the records."""
        for key in records:
            found = self._of.get(key, ChainCheck(*key)).broken(heads.get(key))
            if found is not None:
                yield found

    @property
    def chained(self) -> int:
        """Return the number of events in chains."""
        return sum(check.chained for check in self._of.values())

    @property
    def unchained(self) -> int:
        """Return the number of events from before the chains."""
        return sum(check.unchained for check in self._of.values())
