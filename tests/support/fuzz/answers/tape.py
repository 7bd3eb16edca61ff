"""Holds what services answered in a run, and finds the answer to a call when the run is played again.

1. The state of a service is the number of writes it carried out. An answer belongs to the state it was given in.
2. A read that is asked again in one state gets the answers of that state in turn, the last one for ever.
3. What was never asked is not there: a read of it has no answer, and a write of it has none either.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otactl.backends.aws.operations import WRITES
from otactl.backends.tuya.operations import WRITES as TUYA_WRITES

TOKENS = ("NextToken", "nextToken", "Marker", "CurrentPage")
"""The parameters that ask for a further page."""


@dataclass(frozen=True)
class Raw:
    """An answer as it comes from the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Taped:
    """One call and its answer; `state` is the number of writes before it."""

    index: int
    service: str
    operation: str
    key: str
    state: int
    writes: bool
    raw: Raw


def writes(service: str, operation: str) -> bool:
    """Return whether a call changes something."""
    return (service, operation) in WRITES or (service == "tuya" and operation in TUYA_WRITES)


def key_of(parameters: Mapping[str, Any]) -> str:
    """Return the parameters of a call as one text."""
    return json.dumps(parameters, sort_keys=True, default=str)


def first_page(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that asked for the first page of a list."""
    found = {name: value for name, value in parameters.items() if name not in TOKENS}
    return {**found, "CurrentPage": "1"} if "CurrentPage" in parameters else found


@dataclass
class Tape:
    """The calls of a run in their order."""

    calls: list[Taped] = field(default_factory=list)

    def record(self, service: str, operation: str, parameters: Mapping[str, Any], raw: Raw) -> None:
        """Add a call."""
        state = sum(call.writes for call in self.calls)
        index = len(self.calls)
        changes = writes(service, operation)
        self.calls.append(Taped(index, service, operation, key_of(parameters), state, changes, raw))


class Play:
    """One time that a tape is played."""

    def __init__(self, tape: Tape) -> None:
        self._by_call: dict[tuple[str, str, str], list[Taped]] = defaultdict(list)
        for call in tape.calls:
            self._by_call[call.service, call.operation, call.key].append(call)
        self._asked: Counter[tuple[str, str, str, int]] = Counter()
        self._done: dict[tuple[str, str, str], Taped] = {}
        self.state = 0

    def find(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Taped | None:
        """Return the taped call that answers a call; None when nothing on the tape does."""
        where = (service, operation, key_of(parameters))
        calls = self._by_call.get(where)
        if not calls:
            return None
        if writes(service, operation):
            if where not in self._done:
                self._done[where] = calls[0]
                self.state += 1
            return self._done[where]
        before = max((call.state for call in calls if call.state <= self.state), default=calls[0].state)
        same = [call for call in calls if call.state == before]
        turn = self._asked[*where, before]
        self._asked[*where, before] += 1
        return same[min(turn, len(same) - 1)]
