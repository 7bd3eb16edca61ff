"""Gathers what the rules of a plan read: a rollout, its next wave, the wave's attempt, the attempt's unit.

1. A rule takes one of these contexts and returns a plan, or None when it does not apply.
2. A check takes one and returns the holds of what it checks.
3. What comes before the first rule takes one, too: `unseen_changes.forgotten` and `skip_updated` return another record,
   `detect_drift` the findings that the context then has.
4. A check of a creation or a start takes the unit with it, whole or a part of it: a `StartContext` (`start_context`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypedDict, TypeVar

import msgspec

from otactl.drift import diff
from otactl.model import Attempt, JsonObject, Record, Stage, Unit, Wave, WaveRecord
from otactl.model.actions import Action, Finding, Hold, UnitDeclaration
from otactl.planning import units
from otactl.planning.context import POLL, RECHECK, Plan, PlanContext
from otactl.ports import Capabilities, Shape
from otactl.verdicts import wave_verdict
from otactl.verdicts.updated_devices import spared


@dataclass(frozen=True, kw_only=True)
class RolloutContext:
    """A rollout with its drift; `refused` are holds known from the manifest alone."""

    at: PlanContext
    shape: Shape
    refused: tuple[Hold, ...]
    findings: tuple[Finding, ...]
    next_wave: Wave | None

    @property
    def can(self) -> Capabilities:
        """Return what its service can do."""
        return self.shape.capabilities

    @property
    def wave_name(self) -> str:
        """Return the name of the next wave; empty when every wave has passed."""
        return self.next_wave.name if self.next_wave is not None else ""

    def with_record(self, record: Record) -> RolloutContext:
        """Return the context of another record of the rollout, as a rule has changed it."""
        at = msgspec.structs.replace(self.at, record=record)
        return of_rollout(at, self.shape, self.refused, self.findings)

    def act(self, *actions: Action) -> Plan:
        """Plan actions."""
        return self.at.plan(*actions, findings=self.findings, wave=self.wave_name)

    def wait(self, *holds: Hold, soon: bool = False) -> Plan:
        """Plan to wait, and to check again in a minute (`soon`) or in five."""
        return self.wait_until(self.at.now + (POLL if soon else RECHECK), *holds)

    def wait_until(self, moment: datetime | None, *holds: Hold) -> Plan:
        """Plan to wait, and to check again at a moment; None for no check before something changes."""
        return self.at.plan(holds=holds, findings=self.findings, wave=self.wave_name, requeue_at=moment)


@dataclass(frozen=True, kw_only=True)
class WaveContext(RolloutContext):
    """The next wave of a rollout; `known` is its record."""

    wave: Wave
    known: WaveRecord | None

    @cached_property
    def next_number(self) -> int:
        """Return the number of the wave's next attempt."""
        return units.next_number(self.at.rollout, self.at.environment, self.wave, self.known)

    def stall(self, *, reason: str, text: str) -> Plan:
        """Plan to wait for a person."""
        return self.wait(Hold(reason=reason, message=text, stalled=True))


@dataclass(frozen=True, kw_only=True)
class AttemptContext(WaveContext):
    """An attempt at a wave; `unit` is what the service shows of it."""

    known: WaveRecord
    attempt: Attempt
    unit: Unit | None

    @property
    def of_another_revision(self) -> bool:
        """Return whether its unit was created for another revision than the manifest declares."""
        return self.attempt.generation != self.at.rollout.generation

    @cached_property
    def declared(self) -> UnitDeclaration:
        """Return what its unit is to be; while it is open, without devices that report the version already."""
        which = self.next_number if self.of_another_revision else self.attempt
        had = spared(self.at.seen, self.can) if self.attempt.stage is Stage.OPEN else None
        return self.at.declare(self.wave, which, self.known, spared=had)

    @cached_property
    def _desired(self) -> tuple[JsonObject, dict[str, str]]:
        return self.shape.desired(self.declared)

    @property
    def fields(self) -> JsonObject:
        """Return the fields its unit must show."""
        return self._desired[0]

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags its unit must show."""
        return self._desired[1]


@dataclass(frozen=True, kw_only=True)
class UnitContext(AttemptContext):
    """An attempt whose unit the service shows."""

    unit: Unit

    @cached_property
    def changed_fields(self) -> tuple[str, ...]:
        """Return the fields that differ from what is declared."""
        return tuple(diff.changed_fields(self.fields, self.unit))


_C = TypeVar("_C", bound=RolloutContext)


def first(rules: Iterable[Callable[[_C], Plan | None]], ctx: _C) -> Plan:
    """Return the plan of the first rule that applies; the last of the rules always does."""
    return next(found for rule in rules if (found := rule(ctx)) is not None)


class SharedFields(TypedDict):
    """The fields of a `RolloutContext`."""

    at: PlanContext
    shape: Shape
    refused: tuple[Hold, ...]
    findings: tuple[Finding, ...]
    next_wave: Wave | None


def of_rollout(
    at: PlanContext, shape: Shape, refused: tuple[Hold, ...] = (), findings: tuple[Finding, ...] = ()
) -> RolloutContext:
    """Gather a rollout; its drift is detected from the context (`detect_drift`)."""
    wave = wave_verdict.undone(at.record, at.rollout)
    return RolloutContext(at=at, shape=shape, refused=refused, findings=findings, next_wave=wave)


def of_wave(ctx: RolloutContext, wave: Wave) -> WaveContext:
    """Gather a wave; with an attempt an `AttemptContext`, with its unit a `UnitContext`."""
    known = ctx.at.record.wave(wave.name)
    if known is not None and known.current is not None:
        return of_attempt(ctx, wave, known, known.current)
    return WaveContext(**shared_fields(ctx), wave=wave, known=known)


def of_attempt(ctx: RolloutContext, wave: Wave, known: WaveRecord, attempt: Attempt) -> AttemptContext:
    """Gather an attempt; with its unit a `UnitContext`."""
    unit = ctx.at.unit_of(attempt)
    if unit is not None:
        return UnitContext(**shared_fields(ctx), wave=wave, known=known, attempt=attempt, unit=unit)
    return AttemptContext(**shared_fields(ctx), wave=wave, known=known, attempt=attempt, unit=None)


def shared_fields(ctx: RolloutContext) -> SharedFields:
    """Return the fields of a rollout's context, for one that adds to them."""
    return {
        "at": ctx.at,
        "shape": ctx.shape,
        "refused": ctx.refused,
        "findings": ctx.findings,
        "next_wave": ctx.next_wave,
    }
