"""Defines switches: one for each point that a service does not document; scenarios pass both ways.

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


class Switchboard:
    """The switches of a service as they stand."""

    def __init__(self, switches: Mapping[str, Switch]) -> None:
        self._switches = switches
        self._values = {name: switch.default for name, switch in switches.items()}

    def __getitem__(self, name: str) -> object:
        return self._values[name]

    def number(self, name: str) -> float:
        """Return a numeric switch."""
        value = self._values[name]
        return float(value) if isinstance(value, int | float) else 0.0

    def all(self) -> dict[str, object]:
        """Return every switch by name."""
        return dict(self._values)

    def apply(self, wanted: Mapping[str, object]) -> None:
        """Turn switches, all or none; ValueError says which one cannot be so."""
        for name, value in wanted.items():
            switch = self._switches.get(name)
            if switch is None:
                raise ValueError(f"unknown setting {name}; there are {', '.join(self._switches)}")
            if isinstance(switch.choices, tuple):
                if not any(type(value) is type(choice) and value == choice for choice in switch.choices):
                    raise ValueError(f"{name} is one of {', '.join(map(str, switch.choices))}: {switch.about}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name} is a number, not below 0: {switch.about}")
        self._values |= wanted
