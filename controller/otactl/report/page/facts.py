"""Defines what the page is built from: records, their history, and what manifests say of them where they are known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from otactl.model import Device, Event, Rollout, Targets, Value, Window
from otactl.ports import Stored


class RolloutFacts(Value, frozen=True, kw_only=True):
    """One rollout: its record, its history oldest first, and its manifest.

    `declared` is the manifest as it was read, or as the record keeps it while a unit may exist; None where neither is.
    """

    stored: Stored
    events: tuple[Event, ...] = ()
    declared: Rollout | None = None

    @property
    def key(self) -> str:
        """Return the journal's key."""
        return self.stored.record.key


class Picture(Value, frozen=True, kw_only=True):
    """A picture to show: an SVG document as text, and what it shows."""

    title: str
    svg: str


class FleetFacts(Value, frozen=True, kw_only=True):
    """All that the page is built from; `environments` are the environments' own records, where there are any."""

    built_at: datetime
    version: str
    """Version of otactl."""
    title: str
    journals: tuple[str, ...]
    """The journals that were read, for people."""
    environments: dict[str, Stored | None]
    rollouts: tuple[RolloutFacts, ...]
    freezes: dict[str, tuple[Window, ...]] = msgspec.field(default_factory=dict)
    """Freezes by environment, from its manifest."""
    pictures: tuple[Picture, ...] = ()


def declared_devices(rollout: Rollout | None) -> Iterator[Device]:
    """Yield the single devices that a manifest names, with their labels."""
    if rollout is None:
        return
    every = (rollout.targets, *(wave.targets for wave in rollout.strategy.waves))
    for targets in every:
        yield from _single(targets or Targets())


def _single(targets: Targets) -> tuple[Device, ...]:
    return (*targets.wireless_devices, *targets.things, *targets.devices)
