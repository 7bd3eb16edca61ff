"""Rollouts of three devices with attempts in their record, for each service that sends to devices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import (
    Attempt,
    BackendConfig,
    Device,
    DeviceResult,
    Observation,
    Outcome,
    Reason,
    Record,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    Unit,
    Wave,
    WaveRecord,
)
from otactl.model.unit_id import unit_id
from otactl.planning.assess import Assessment, assess
from otactl.ports import Shape
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE, NOW, rollout

LATER, BEFORE = NOW + timedelta(minutes=20), NOW - timedelta(minutes=20)


SHAPES: dict[str, tuple[Shape, BackendConfig]] = {
    "otaUpdate": (OtaShape(ENVIRONMENT), OtaUpdateConfig(document={"role": "r", "files": []})),
    "tuya": (TuyaShape(), TuyaConfig(document={"productKey": "p"})),
}


NAMES = ("a", "b", "c")


def many(kind: str, *attempts: Attempt, **changes: object) -> tuple[Rollout, Record]:
    wave = Wave(name="all", targets=Targets(things=tuple(Device(id=n) for n in NAMES)))
    declared = rollout(backend=SHAPES[kind][1], strategy=Strategy(waves=(wave,)), **changes)
    names = ("acme", "prod-eu", "probe", declared.generation, "all")
    reported = tuple(
        msgspec.structs.replace(a, generation=declared.generation, unit_id=unit_id(*names, n))
        for n, a in enumerate(attempts, start=1)
    )
    members = tuple(f"device:{n}" for n in NAMES)
    record = Record(
        environment="prod-eu",
        name="probe",
        backend=kind,
        generation=declared.generation,
        waves=(WaveRecord(name="all", attempts=reported, members=members),),
    )
    return declared, record


def made(number: int = 1, **changes: Any) -> Attempt:
    given: dict[str, Any] = {
        "number": number,
        "generation": "",
        "unit_id": "",
        "stage": Stage.RUNNING,
        "vendor_id": f"v-{number}",
        "start_at": BEFORE,
        "members": tuple(f"device:{n}" for n in NAMES),
    }
    return Attempt(**(given | changes))


def judged(*ends: Reason | None, number: int = 1, **changes: object) -> Attempt:
    results = tuple(
        DeviceResult(device=n, outcome=Outcome.FAILED if end else Outcome.SUCCEEDED, reason=end)
        for n, end in zip(NAMES, ends, strict=False)
    )
    return made(
        number, stage=Stage.ENDED, ended_at=BEFORE, results=results, canceled_by_us=True, withdrawn=True, **changes
    )


def decided(kind: str, declared: Rollout, record: Record, *units: Unit) -> Assessment:
    facts = tuple(TargetFacts(key=f"device:{n}", exists=True, vendor_id=n) for n in NAMES)
    shown = Observation(units=units, targets=facts, image=FACTS_IMAGE, role=FACTS_ROLE)
    return assess(ENVIRONMENT, declared, record, shown, SHAPES[kind][0], (), NOW)
