"""Gathers what the checks of a start read: the unit that is about to be created or started, and what forbids it.

1. Where creating a unit starts it, every check of a start reads the context of its creation.
2. A part of a unit is checked as that part alone: `declared` has the targets of the part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from otactl.drift import diff
from otactl.model import Attempt, Baseline
from otactl.model.actions import Finding, Hold, UnitDeclaration
from otactl.planning import start_waits
from otactl.planning.start_waits import ALL_READY, ReadyRule
from otactl.planning.wave_context import UnitContext, WaveContext, shared_fields

_NO_TIME = timedelta()


@dataclass(frozen=True, kw_only=True)
class StartContext(WaveContext):
    """The next wave with the unit that is about to be created or started, as it is declared."""

    declared: UnitDeclaration
    start_at: datetime
    lead: timedelta = _NO_TIME
    """How long before `start_at` the start may be sent."""
    inside: tuple[str, ...]
    """The targets that the unit holds already; at a creation, all that it is created with."""
    unmet: tuple[Finding, ...]
    """The drift that may forbid the start."""
    ready_rule: ReadyRule = ALL_READY
    beside: Attempt | None = None
    """The attempt of the unit, if it is recorded: what it holds itself is not busy."""

    @property
    def busy(self) -> Mapping[str, str]:
        """Return the targets that other units hold, each with its unit."""
        return self.at.busy_beside(self.beside)


def of_creation(
    ctx: WaveContext,
    declared: UnitDeclaration,
    attempt: Attempt | None = None,
    unmet: tuple[Finding, ...] | None = None,
) -> StartContext:
    """Gather the creation of a unit; of a recorded one with its attempt."""
    return StartContext(
        **shared_fields(ctx),
        wave=ctx.wave,
        known=ctx.known,
        declared=declared,
        start_at=ctx.at.now,
        inside=declared.members,
        unmet=ctx.findings if unmet is None else unmet,
        beside=attempt,
    )


def of_successor(ctx: WaveContext) -> StartContext:
    """Gather the creation of what is declared now, to be checked while a unit of another revision is in its place."""
    return of_creation(ctx, ctx.at.declare(ctx.wave, 1, None))


def of_unit(ctx: UnitContext, start_at: datetime | None = None, lead: timedelta = _NO_TIME) -> StartContext:
    """Gather the start of a unit that the service shows, or of devices of it."""
    return StartContext(
        **shared_fields(ctx),
        wave=ctx.wave,
        known=ctx.known,
        declared=ctx.declared,
        start_at=ctx.at.now if start_at is None else start_at,
        lead=lead,
        inside=ctx.unit.members,
        unmet=ctx.findings,
        ready_rule=start_waits.ready_rule(ctx),
        beside=ctx.attempt,
    )


def source_drift(ctx: WaveContext, unit: UnitDeclaration) -> tuple[Finding, ...]:
    """Return how image and role differ from those that the wave was started with."""
    baseline = ctx.known.baseline if ctx.known is not None and ctx.known.started(unit.generation) else Baseline()
    firmware = unit.firmware
    return diff.source_findings(unit.unit_id, firmware.sha256, firmware.size_bytes, baseline, ctx.at.seen)


def checked(checks: Iterable[Callable[[StartContext], tuple[Hold, ...]]], ctx: StartContext) -> tuple[Hold, ...]:
    """Return the holds of all checks, in their order."""
    return tuple(hold for check in checks for hold in check(ctx))
