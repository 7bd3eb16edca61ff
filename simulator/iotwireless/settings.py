"""The switches: one for each point AWS does not document, so that scenarios can pass both ways.

A switch is settable by POST /_simulator/settings; `otactl`'s own tests run with both answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """One open point: its default, the answers it can have (or a type), and what it is about."""

    default: object
    choices: tuple[object, ...] | type
    about: str


NUMBER = float
SWITCHES: dict[str, Switch] = {
    "startWithoutTime": Switch("refuse", ("refuse", "soonest"), "StartFuotaTask without StartTime"),
    "secondStart": Switch("conflict", ("conflict", "moves"), "a second start while the first one waits"),
    "startTooSoonError": Switch(
        "ValidationException",
        ("ValidationException", "ConflictException"),
        "error of a start less than 30 minutes ahead",
    ),
    "outsidePendingError": Switch(
        "ConflictException", ("ConflictException", "ValidationException"), "error of an edit outside Pending"
    ),
    "deleteStopsSession": Switch(True, (True, False), "whether deleting a task in session stops its transmission"),
    "deleteWaitingSeconds": Switch(60, NUMBER, "how long a task stays Delete_Waiting"),
    "listByTaskIncludesGroupMembers": Switch(
        True, (True, False), "whether the filter by task lists its groups' devices"
    ),
    "tokenAfterDelete": Switch("new", ("new", "old"), "what a used token gives once its task was deleted"),
    "usedToken": Switch(
        "same", ("same", "conflict"), "the same token with the same parameters: older texts say exception"
    ),
    "sourceConditions": Switch(True, (True, False), "whether the role is assumed with aws:SourceAccount and SourceArn"),
    "echoDefaults": Switch(False, (True, False), "whether Get shows defaults for fragment settings never given"),
    "roundInterval": Switch(True, (True, False), "whether Get shows the fragment interval rounded to whole seconds"),
    "doneHoldsDevices": Switch(False, (True, False), "whether a FuotaDone task holds its devices against a new one"),
    "associateAgain": Switch("success", ("success", "conflict"), "associating what is associated already"),
    "multicastReadySeconds": Switch(0, NUMBER, "how long after joining a group a device is ready for multicast"),
    "staleSeconds": Switch(60, NUMBER, "how long after a write a stale read may still show the state before it"),
    "unicastFragmentBytes": Switch(48, NUMBER, "the fragment size the service chooses for single devices"),
    "unicastIntervalSeconds": Switch(2, NUMBER, "the interval it chooses for single devices"),
}


class Settings:
    """The switches as they stand."""

    def __init__(self) -> None:
        self._values = {name: switch.default for name, switch in SWITCHES.items()}

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def number(self, name: str) -> float:
        """A numeric switch."""
        value = self._values[name]
        return float(value) if isinstance(value, int | float) else 0.0

    def all(self) -> dict[str, object]:
        """Every switch by name."""
        return dict(self._values)

    def apply(self, wanted: Mapping[str, object]) -> None:
        """Turn switches, all or none; ValueError tells which one cannot be so."""
        for name, value in wanted.items():
            switch = SWITCHES.get(name)
            if switch is None:
                raise ValueError(f"unknown setting {name}; there are {', '.join(SWITCHES)}")
            if isinstance(switch.choices, tuple):
                if not any(type(value) is type(choice) and value == choice for choice in switch.choices):
                    raise ValueError(f"{name} is one of {', '.join(map(str, switch.choices))}: {switch.about}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name} is a number, not below 0: {switch.about}")
        self._values |= wanted
