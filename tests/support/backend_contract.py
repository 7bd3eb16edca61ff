"""What the contract suite needs of a backend: a stage to drive a rollout on, and a service that says odd things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from otactl.backends.aws.client import Answer, AwsClient
from otactl.backends.aws.operations import READS, WRITES
from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.registry import backends_for
from otactl.backends.tuya import operations
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import JsonObject, Listed, Observation, PreflightRequest, Record, Rollout, Survey
from otactl.model.actions import Action, Call, Receipt, UnitDeclaration
from otactl.ports import Backend, Shape
from otactl.reconcile.run_report import RunReport
from tests.support import toy_backend
from tests.support.fuota_stage import Around, FuotaStage, declared, environment
from tests.support.ota_stage import OtaStage, gateway
from tests.support.toy_stage import ToyStage, parcels
from tests.support.tuya_stage import TuyaStage, plugs

ALL_READS = set(READS) | {("tuya", name) for name in operations.READS} | {("parcel", n) for n in toy_backend.READS}
ALL_WRITES = set(WRITES) | {("tuya", name) for name in operations.WRITES} | {("parcel", n) for n in toy_backend.WRITES}


@dataclass
class BackendCase:
    """One backend on its stage.

    `status_call` is the read that shows a unit's status, `odd` gives its answer a status no one knows; `waves` is how
    many units a rollout makes, and `make` the call that makes one, named by its parameter `named_by` if it has a name.
    """

    stage: FuotaStage | ToyStage
    rollout: Rollout
    shape: Shape
    status_call: str
    odd: Callable[[Answer], Answer]
    make: str
    named_by: str
    waves: int

    def backend(self, around: Around | None = None) -> tuple[Backend, AwsClient]:
        """A fresh backend."""
        wire = self.stage.transport(around=around)
        return backends_for(self.stage.environment(), wire)[self.rollout.backend_kind], wire

    def record(self) -> Record:
        """What the journal remembers of it."""
        return self.stage.record(self.rollout.name)

    def drive(self, wrap: Callable[[Backend], Backend], rounds: int = 6) -> RunReport:
        """Cron, with a wrapped backend."""
        for _ in range(rounds):
            report = self.stage.run(self.rollout, wrap=wrap)
            self.stage.advance(3600)
        return report

    def empty(self) -> Record:
        """What a journal that knows nothing gives."""
        return Record(environment="prod-eu", name=self.rollout.name)

    def units(self) -> int:
        """How many units the service ever made."""
        assert isinstance(self.stage, FuotaStage)
        requests: list[dict[str, Any]] = self.stage.server.world.requests
        acted = [r for r in requests if r["operation"] == self.make and r["errorCode"] is None]
        return len({str(r["parameters"][self.named_by] if self.named_by else r["n"]) for r in acted})


def fuota(fuota_stage: FuotaStage) -> BackendCase:
    """AWS IoT Wireless FUOTA."""
    return BackendCase(
        stage=fuota_stage,
        rollout=declared(),
        shape=FuotaShape(),
        status_call="GetFuotaTask",
        odd=lambda answer: {**answer, "Status": "Reticulating"},
        make="CreateFuotaTask",
        named_by="ClientRequestToken",
        waves=2,
    )


def ota_update(ota_stage: OtaStage) -> BackendCase:
    """AWS IoT OTA updates."""

    def odd(answer: dict[str, Any]) -> Answer:
        return {**answer, "otaUpdateInfo": {**answer["otaUpdateInfo"], "otaUpdateStatus": "Reticulating"}}

    return BackendCase(
        stage=ota_stage,
        rollout=gateway(),
        shape=OtaShape(environment()),
        status_call="GetOTAUpdate",
        odd=odd,
        make="CreateOTAUpdate",
        named_by="otaUpdateId",
        waves=2,
    )


def tuya(tuya_stage: TuyaStage) -> BackendCase:
    """Tuya's upgrade batches."""

    def odd(answer: dict[str, Any]) -> Answer:
        return {**answer, "data": {**answer["data"], "jobStatus": "Reticulating"}}

    return BackendCase(
        stage=tuya_stage,
        rollout=plugs(),
        shape=TuyaShape(),
        status_call="QueryOTAJob",
        odd=odd,
        make="CreateOTAStaticUpgradeJob",
        named_by="",
        waves=2,
    )


class ParcelCase(BackendCase):
    """The backend in memory, whose post office counts for itself."""

    def units(self) -> int:
        """How many parcels were ever sent."""
        assert isinstance(self.stage, ToyStage)
        return len(self.stage.office.created)


def parcel(toy_stage: ToyStage) -> BackendCase:
    """The backend in memory."""
    return ParcelCase(
        stage=toy_stage,
        rollout=parcels(),
        shape=toy_backend.ParcelShape(),
        status_call="DescribeParcel",
        odd=lambda answer: {**answer, "Status": "Reticulating"},
        make="SendParcel",
        named_by="Name",
        waves=2,
    )


class Passing:
    """A backend that passes everything on; a law changes one method."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities

    def survey(self) -> Survey:
        return self.inner.survey()

    def marks(self, item: Listed) -> Mapping[str, str]:
        return self.inner.marks(item)

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        return self.inner.observe(rollout, known, survey)

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        return self.inner.preflight(rollout, request, seen, survey)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        return self.inner.lower(action, seen)

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        return self.inner.desired(unit)

    def send(self, call: Call) -> Receipt:
        return self.inner.send(call)


def wrote(asked: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of some calls that change something."""
    return [a for a in asked if a in ALL_WRITES]


def listening(asked: list[tuple[str, str]]) -> Around:
    """Note every call that goes out."""

    def around(service: str, operation: str, send: Callable[[], Answer]) -> Answer:
        asked.append((service, operation))
        return send()

    return around
