"""Chains the events of a rollout by hashes, and finds the first event that breaks the chain.

1. The hash of an event is the SHA-256, in hex, of the canonical JSON of `{"environment", "name", "number", "revision",
   "previous", "event"}`: `number` counts from 1, `previous` is the hash of the event before it, 64 zeros for the first.
2. Canonical JSON has sorted keys, no white space and no escapes but those JSON requires, in UTF-8; numbers are written
   as Python's `json` writes them.
3. The head is the number and the hash of the newest event. It is stored with the record, so a cut at the end shows.
4. Events from before the chain have no hash. The first event of the chain is then `chainBegins`, with their number
   and the SHA-256 over `canonical JSON of [revision, event]` and a line feed for each of them.
5. The chain shows any single change. It does not show that someone wrote all of it again from a place on, with the
   head: what was signed or copied elsewhere before does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from otactl.model import Event, JsonObject, Value
from otactl.wording import count

FIRST = "0" * 64
BEGINS = "chainBegins"


class Link(Value, frozen=True, kw_only=True):
    """The place of an event in its chain; the newest one is the chain's head."""

    number: int
    hash: str


class Break(NamedTuple):
    """The first event that does not fit, and why."""

    where: str
    message: str


def canonical(value: object) -> bytes:
    """Return the canonical JSON of a value (rule 2)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parsed(text: str | bytes) -> object:
    """Read JSON; raises `ValueError` for what is no JSON, or names a key twice."""
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def linked(environment: str, name: str, revision: int, events: Sequence[str | bytes], head: Link | None) -> list[Link]:
    """Return the links of events, as JSON, that follow `head` in the chain of a rollout."""
    links = []
    for text in events:
        head = _link(environment, name, revision, parsed(text), head)
        links.append(head)
    return links


class ChainCheck:
    """Checks the chain of one rollout, event after event."""

    def __init__(self, environment: str, name: str) -> None:
        self._environment, self._name = environment, name
        self._old = hashlib.sha256()
        self._first_old = ""
        self._broken: Break | None = None
        self.head: Link | None = None
        """The newest event that has a hash."""
        self.unchained = 0
        """Number of events from before the chain."""

    @property
    def chained(self) -> int:
        """Return the number of events in the chain."""
        return self.head.number if self.head is not None else 0

    def add(self, where: str, revision: object, text: str | bytes, link: Link | None) -> None:
        """Take the next event, as JSON with its place in the chain; `where` names it in messages."""
        if self._broken is not None:
            return
        why = self._wrong(revision, text, link)
        if why == _UNANNOUNCED:
            self._broken = Break(self._first_old, why)
        elif why:
            self._broken = Break(where, why)
        elif link is not None:
            self.head = link
        else:
            self._first_old = self._first_old or where

    def broken(self, head: Link | None) -> Break | None:
        """Return where the chain breaks, given the head that is stored with the record; None where it is whole."""
        if self._broken is not None or head == self.head:
            return self._broken
        where, ends = f"{self._environment}/{self._name}", f"the events end with number {self.chained}"
        if head is None:
            return Break(where, f"{ends}, and the record names no newest event: it was removed")
        if head.number > self.chained:
            lost = count(head.number - self.chained, "event after it is", "events after it are")
            return Break(where, f"{ends}, the record names number {head.number} as the newest: {lost} missing")
        return Break(where, f"{ends}, the record names number {head.number} with another hash: one of them was changed")

    def beginning(self, at: datetime) -> Event:
        """Return the event that begins the chain behind the old events that were added (rule 4)."""
        text = f"the hash chain begins here; {count(self.unchained, 'event')} from before it have no hash"
        return Event(at=at, kind=BEGINS, subject=self._name, message=text, data=self.beginning_data())

    def beginning_data(self) -> JsonObject:
        """Return what the event that begins the chain says of the old ones (rule 4)."""
        return {"unchained": self.unchained, "sha256": self._old.hexdigest()}

    def _wrong(self, revision: object, text: str | bytes, link: Link | None) -> str:
        """Return why an event does not fit, "" where it does."""
        try:
            event = parsed(text)
        except ValueError as error:
            return f"it is no JSON ({error})"
        if link is None:
            if self.head is not None:
                return "it has no hash, and those before it have: it was inserted, or an older version wrote it"
            self.unchained += 1
            self._old.update(canonical([revision, event]) + b"\n")
            return ""
        expected = self.chained + 1
        if link.number != expected:
            return f"its number is {link.number}, not {expected}: events were removed, inserted or put in another order"
        if link != _link(self._environment, self._name, revision, event, self.head):
            return "its hash is not that of its text, revision and predecessor: it was changed, or put in another place"
        return self._beginning_wrong(event) if self.head is None else ""

    def _beginning_wrong(self, event: object) -> str:
        if not isinstance(event, dict) or event.get("kind") != BEGINS:
            return _UNANNOUNCED if self.unchained else ""
        data = event.get("data")
        found = (data.get("unchained"), data.get("sha256")) if isinstance(data, dict) else (None, None)
        if found == (self.unchained, self._old.hexdigest()):
            return ""
        return (
            f"the chain begins here behind {found[0]} events without a hash, and {self.unchained} are there or one of "
            "them is another: they were changed"
        )


_UNANNOUNCED = "it has no hash, and the chain that begins behind it does not count it: it was inserted"


def _link(environment: str, name: str, revision: object, event: object, head: Link | None) -> Link:
    number, previous = (head.number + 1, head.hash) if head is not None else (1, FIRST)
    value = {
        "environment": environment,
        "name": name,
        "number": number,
        "revision": revision,
        "previous": previous,
        "event": event,
    }
    return Link(number=number, hash=hashlib.sha256(canonical(value)).hexdigest())


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it names a key twice")
    return found
