"""Builders of declared and observed values, so that a test names only what it is about."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import msgspec

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.definition import FuotaShape
from otactl.model import (
    Attempt,
    Environment,
    Firmware,
    Gate,
    ImageFacts,
    Observation,
    Record,
    RoleFacts,
    Rollout,
    Source,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    Unit,
    UnitPhase,
    Wave,
    WaveRecord,
)
from otactl.model.actions import Finding, Hold
from otactl.planning import start_context, wave_context
from otactl.planning.assess import Assessment, assess
from otactl.planning.context import PlanContext
from otactl.planning.start_context import StartContext
from otactl.planning.units import declare
from otactl.planning.wave_context import WaveContext
from otactl.ports import Shape

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SHA = "ab" * 32
SOURCE = Source(file="rollouts/a.yaml", digest="d" * 64)
SHAPE = FuotaShape()
ENVIRONMENT = Environment(name="prod-eu", owner="acme", account="123456789012", region="eu-west-1", source=SOURCE)
FACTS_IMAGE = ImageFacts(
    exists=True, size_bytes=6000, sha256=SHA, region="eu-west-1", versioning=True, fingerprint="version=1"
)
FACTS_ROLE = RoleFacts(exists=True, trusts="yes", reads="yes", fingerprint="role-1")


def rollout(**changes: object) -> Rollout:
    """A two-wave rollout to groups g1, then g2 and g3."""
    base = Rollout(
        name="probe",
        environment="prod-eu",
        firmware=Firmware(version="2.4.1", image=f"s3://b/{SHA}/x.bin", sha256=SHA, size_bytes=6000),
        backend=FuotaConfig(
            rf_region="EU868",
            role="arn:aws:iam::123456789012:role/fuota",
            data_rate=3,
            fragment_size_bytes=112,
            fragment_interval_ms=9000,
            redundancy_percent=12,
        ),
        strategy=Strategy(
            waves=(
                Wave(name="canary", targets=Targets(multicast_groups=("g1",))),
                Wave(name="fleet", targets=Targets(multicast_groups=("g2", "g3"))),
            ),
            gate=Gate(min_success_percent=90),
        ),
        source=SOURCE,
    )
    return msgspec.structs.replace(base, **changes)


def unit_of(declared: Rollout, wave: str = "canary", number: int = 1, **changes: object) -> Unit:
    """The unit of a wave as the service shows it when all is well and open."""
    chosen = next(w for w in declared.strategy.waves if w.name == wave)
    unit = declare(declared, ENVIRONMENT, chosen, number, None)
    fields, marks = SHAPE.desired(unit)
    shown = Unit(
        unit_id=unit.unit_id,
        phase=UnitPhase.OPEN,
        vendor_id="t-1",
        arn="arn:t-1",
        fields=fields,
        tags=marks,
        members=unit.members,
    )
    return msgspec.structs.replace(shown, **changes)


def seen(*units: Unit, ready: int = 2, **changes: object) -> Observation:
    """An observation in which image, role and groups are right."""
    groups = sorted({"group:g1", "group:g2", "group:g3", *(m for u in units for m in u.members)})
    targets = tuple(
        TargetFacts(key=k, exists=True, vendor_id=k[6:], region="EU868", requested=2, ready=ready) for k in groups
    )
    base = Observation(units=units, targets=targets, image=FACTS_IMAGE, role=FACTS_ROLE)
    return msgspec.structs.replace(base, **changes)


def record_of(declared: Rollout, unit: Unit, stage: Stage, wave: str = "canary", **changes: object) -> Record:
    """A record that knows one attempt."""
    attempt = Attempt(
        number=1,
        generation=declared.generation,
        unit_id=unit.unit_id,
        stage=stage,
        vendor_id=unit.vendor_id,
        arn=unit.arn,
        members=unit.members,
        declared=tuple(sorted(unit.fields)),
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    attempt = msgspec.structs.replace(attempt, **changes)
    return Record(
        backend="fuota",
        environment=declared.environment,
        name=declared.name,
        generation=declared.generation,
        waves=(WaveRecord(name=wave, attempts=(attempt,)),),
    )


def empty(declared: Rollout) -> Record:
    """A rollout no one has seen yet."""
    return Record(backend="fuota", environment=declared.environment, name=declared.name)


def look(
    declared: Rollout, record: Record, observed: Observation, now: datetime = NOW, refused: tuple[Hold, ...] = ()
) -> Assessment:
    """One look."""
    return assess(ENVIRONMENT, declared, record, observed, SHAPE, refused, now)


def of_start(at: PlanContext, wave: int | Wave = 0, **changes: object) -> StartContext:
    """Gather what the checks of a creation read; `changes` are of the unit as it is declared."""
    ctx = of_wave(at, wave)
    unit = declare(at.rollout, at.environment, ctx.wave, 1, None)
    return start_context.of_creation(ctx, msgspec.structs.replace(unit, **changes))


def of_wave(
    at: PlanContext, wave: int | Wave = 0, shape: Shape = SHAPE, findings: tuple[Finding, ...] = ()
) -> WaveContext:
    """Gather what the rules of a wave look at."""
    chosen = at.rollout.strategy.waves[wave] if isinstance(wave, int) else wave
    gathered = wave_context.of_rollout(at, shape, (), findings)
    return wave_context.of_wave(dataclasses.replace(gathered, next_wave=chosen), chosen)
