"""Enumerates the fault product: scenario x service x journal x drift mode x boundary x fault. Pure.

1. A boundary is one call over HTTP (to a service, or to the bucket of a journal), or one commit of a journal file.
2. What can go wrong at a boundary follows from what it is: dying before or after a read leaves the same behind, and
   whether a read is carried out twice shows nowhere.
3. The cases of a setting are divided into shares of like composition, so that every first part of a long run is a fair
   sample of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import product
from typing import NamedTuple

BACKENDS = ("fuota", "otaUpdate", "tuya")
SCENARIOS = ("waves", "failing", "edited", "newer-content")
JOURNALS = ("sqlite", "s3")
MODES = ("correct", "report")
SHARES = 16


class Kind(StrEnum):
    """What a boundary is."""

    READ = "read"
    WRITE = "write"
    JOURNAL_READ = "journal read"
    JOURNAL_WRITE = "journal write"
    COMMIT = "commit"


class Fault(StrEnum):
    """What goes wrong at a boundary."""

    DIES_BEFORE_SEND = "dies-before-send"
    DIES_BEFORE_ANSWER = "dies-before-answer"
    DIES_BEFORE_JOURNAL = "dies-before-journal"
    DIES_AFTER_JOURNAL = "dies-after-journal"
    THROTTLE = "throttle"
    ERROR_500 = "error-500"
    RESET = "reset"
    TIMEOUT = "timeout"
    LATE = "late"
    SLOW = "slow"
    STALE = "stale"
    SHORT = "short"
    TWICE_FIRST = "twice-first-answer"
    TWICE_SECOND = "twice-second-answer"
    PORTAL = "portal"
    HTML = "html"
    EMPTY = "empty"
    MISSING = "missing-field"
    WRONG_TYPE = "wrong-type"

    @property
    def kills(self) -> bool:
        """Return whether the process dies of it."""
        return self.value.startswith("dies-")


MEANING: dict[Fault, str] = {
    Fault.DIES_BEFORE_SEND: "SIGKILL before the call is sent",
    Fault.DIES_BEFORE_ANSWER: "SIGKILL after the call was carried out, before its answer",
    Fault.DIES_BEFORE_JOURNAL: "SIGKILL after the answer, before the journal is written",
    Fault.DIES_AFTER_JOURNAL: "SIGKILL after the journal is written",
    Fault.THROTTLE: "the service throttles",
    Fault.ERROR_500: "the service answers with an error of its own (500)",
    Fault.RESET: "the connection is reset before the call is carried out",
    Fault.TIMEOUT: "the call is carried out, the answer never comes",
    Fault.LATE: "the call arrives 3 minutes late",
    Fault.SLOW: "the answer takes 3 minutes",
    Fault.STALE: "the read is stale",
    Fault.SHORT: "the list is short of one item",
    Fault.TWICE_FIRST: "the call is carried out twice, the first answer comes",
    Fault.TWICE_SECOND: "the call is carried out twice, the second answer comes",
    Fault.PORTAL: "a page of HTML comes, the call did not reach the service",
    Fault.HTML: "the call is carried out, a page of HTML comes",
    Fault.EMPTY: "the call is carried out, an empty body comes",
    Fault.MISSING: "a field is missing in the answer",
    Fault.WRONG_TYPE: "a field has the wrong type",
}


class Setting(NamedTuple):
    """One world in which a scenario runs."""

    backend: str
    scenario: str
    journal: str
    mode: str

    @property
    def name(self) -> str:
        """Return the name, as the command takes it."""
        return "/".join(self)


class Boundary(NamedTuple):
    """One call or commit of the undisturbed run; `number` counts the calls of run `run`, or its commits, from 1.

    `fields` are the members that a reader needs, `leaves` the number of values; a stale read may differ (`lags`), and
    a list may be short (`lists`).
    """

    run: int
    number: int
    kind: Kind
    operation: str
    body: bool = True
    fields: int = 0
    leaves: int = 0
    lags: bool = False
    lists: bool = False


class Case(NamedTuple):
    """One fault at one boundary of one setting."""

    setting: Setting
    boundary: Boundary
    fault: Fault

    @property
    def name(self) -> str:
        """Return the name, which plays it again."""
        counted = "c" if self.boundary.kind is Kind.COMMIT else ""
        return f"{self.setting.name}@{self.boundary.run}.{counted}{self.boundary.number}:{self.fault.value}"


def settings() -> list[Setting]:
    """List every setting."""
    return [Setting(*each) for each in product(BACKENDS, SCENARIOS, JOURNALS, MODES)]


_WIRE = (Fault.THROTTLE, Fault.ERROR_500, Fault.RESET, Fault.TIMEOUT, Fault.LATE, Fault.SLOW, Fault.PORTAL)
_DYING = (Fault.DIES_BEFORE_SEND, Fault.DIES_BEFORE_ANSWER)
_TWICE = (Fault.TWICE_FIRST, Fault.TWICE_SECOND)


def faults_of(boundary: Boundary) -> list[Fault]:
    """List what can go wrong at a boundary."""
    if boundary.kind is Kind.COMMIT:
        return [Fault.DIES_BEFORE_JOURNAL, Fault.DIES_AFTER_JOURNAL]
    found = list(_WIRE)
    if boundary.kind in (Kind.READ, Kind.JOURNAL_READ):
        found.append(Fault.DIES_BEFORE_SEND)
    else:
        found += [*_DYING, *_TWICE, Fault.HTML]
    if boundary.kind is Kind.WRITE:
        found += [Fault.DIES_BEFORE_JOURNAL, Fault.DIES_AFTER_JOURNAL]
    possible = (
        (Fault.EMPTY, boundary.body),
        (Fault.MISSING, boundary.fields > 0),
        (Fault.WRONG_TYPE, boundary.leaves > 0),
        (Fault.STALE, boundary.lags),
        (Fault.SHORT, boundary.lists),
    )
    return [*found, *(fault for fault, can in possible if can)]


def cases(setting: Setting, boundaries: Iterable[Boundary]) -> list[Case]:
    """List the cases of a setting, in the order of its boundaries."""
    return [Case(setting, boundary, fault) for boundary in boundaries for fault in faults_of(boundary)]


def shared(found: list[Case], share: int, shares: int) -> list[Case]:
    """Return one of the shares of the cases of a setting (rule 3)."""
    return found[share::shares]
