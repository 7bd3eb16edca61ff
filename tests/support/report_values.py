"""Remembered rollouts for the report tests, and the schemas their JSON must meet."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import jsonschema
import msgspec

from otactl.model import (
    Attempt,
    Cause,
    Condition,
    DeviceResult,
    DriftEntry,
    DriftStatus,
    Outcome,
    Phase,
    Reason,
    Record,
    Stage,
    Verdict,
    WaveRecord,
)
from otactl.ports import Stored
from tests.support.paths import ROOT

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
GENERATION = "a" * 64
HOSTILE = "soil\x1b[2J\u202e\x9b31m\r\n@acme/team|<b>"
_SCHEMAS = ROOT / "schemas" / "v1"


def validated(text: str, schema: str) -> object:
    """Parse JSON output and hold it against its schema."""
    document: object = json.loads(text)
    declared = json.loads((_SCHEMAS / f"{schema}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(declared).validate(document)
    return document


def result(device: str, outcome: Outcome, reason: Reason | None = None, via: str | None = None) -> DeviceResult:
    return DeviceResult(device=device, outcome=outcome, reason=reason, via=via, name=f"70B3{device}")


def attempt(number: int = 1, stage: Stage = Stage.RUNNING, **changes: object) -> Attempt:
    unit_id = f"soil-canary-{number}-0a1b2c3d"
    plain = Attempt(number=number, generation=GENERATION, unit_id=unit_id, stage=stage)
    return msgspec.structs.replace(plain, **changes)


def verdict(succeeded: int, total: int, needed: float = 95.0) -> Verdict:
    passed = succeeded * 100 >= needed * total
    return Verdict(
        passed=passed, succeeded=succeeded, failed=total - succeeded, total=total, needed_percent=needed, at=NOW
    )


def entry(field: str, status: DriftStatus = DriftStatus.WAITING, closed: bool = False) -> DriftEntry:
    return DriftEntry(
        subject="soil-canary-1-0a1b2c3d",
        field=field,
        desired=12,
        observed={"a": [1, None]},
        cause=Cause.OUT_OF_BAND_EDIT,
        first_seen=NOW - timedelta(hours=2),
        last_seen=NOW,
        status=status,
        action="to be corrected",
        manifest="d" * 64,
        closed_at=NOW if closed else None,
        closed_by="otactl" if closed else "",
    )


def conditions(reason: str = "TargetIsNotReady", message: str = "waiting for the group") -> tuple[Condition, ...]:
    return (
        Condition(type="Ready", status=False, reason="Progressing", message=""),
        Condition(type="Reconciling", status=True, reason=reason, message=message),
        Condition(type="Stalled", status=False, reason="No", message=""),
    )


def record(*waves: WaveRecord, name: str = "soil", environment: str = "prod-eu", **changes: object) -> Record:
    plain = Record(
        backend="fuota",
        environment=environment,
        name=name,
        generation=GENERATION,
        version="2.4.1",
        phase=Phase.PROGRESSING,
        waves=waves,
        conditions=conditions(),
    )
    return msgspec.structs.replace(plain, **changes)


def stored(*records: Record) -> tuple[Stored, ...]:
    return tuple(Stored(record=r, revision=3) for r in records)
