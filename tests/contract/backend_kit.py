"""What the contract suite needs of a sibling: a stage to drive a rollout on, and a service that says odd things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.actions import Action, Call, Receipt, UnitDeclaration
from controller.backends import _tuya_calls_list
from controller.backends._aws import Answer, AwsTransport
from controller.backends._calls import READS, WRITES
from controller.backends.fuota_shape import FuotaShape
from controller.backends.ota_shape import OtaShape
from controller.backends.tuya_shape import TuyaShape
from controller.cli._backends import backends_for
from controller.model import JsonObject, Listed, Observation, Record, Rollout, Survey
from controller.ports import Backend
from controller.reconciler import RunReport
from controller.situation import Shape
from tests.ground import Around, Ground, declared, environment
from tests.ota_ground import OtaGround, gateway
from tests.tuya_ground import TuyaGround, plugs

ALL_READS = set(READS) | {("tuya", name) for name in _tuya_calls_list.READS}
ALL_WRITES = set(WRITES) | {("tuya", name) for name in _tuya_calls_list.WRITES}


@dataclass
class Sibling:
    """One backend on its stage.

    `status_call` is the read that shows a unit's status, `odd` gives its answer a status nobody knows; `waves` is how
    many units a rollout makes, and `make` the call that makes one, named by its parameter `named_by` if it has a name.
    """

    ground: Ground
    rollout: Rollout
    shape: Shape
    status_call: str
    odd: Callable[[Answer], Answer]
    make: str
    named_by: str
    waves: int

    def backend(self, around: Around | None = None) -> tuple[Backend, AwsTransport]:
        """A fresh backend."""
        wire = self.ground.transport(around=around)
        return backends_for(self.ground.environment(), wire)[self.rollout.backend_kind], wire

    def record(self) -> Record:
        """What the journal remembers of it."""
        return self.ground.record(self.rollout.name)

    def drive(self, wrap: Callable[[Backend], Backend], rounds: int = 6) -> RunReport:
        """Cron, with a wrapped backend."""
        for _ in range(rounds):
            report = self.ground.run(self.rollout, wrap=wrap)
            self.ground.advance(3600)
        return report

    def empty(self) -> Record:
        """What a journal that knows nothing gives."""
        return Record(environment="prod-eu", name=self.rollout.name)

    def units(self) -> int:
        """How many units the service ever made."""
        acted = [r for r in self.ground.server.world.requests if r["operation"] == self.make and r["errorCode"] is None]
        return len({str(r["parameters"][self.named_by] if self.named_by else r["n"]) for r in acted})


def fuota(ground: OtaGround) -> Sibling:
    """AWS IoT Wireless FUOTA."""
    return Sibling(
        ground=ground, rollout=declared(), shape=FuotaShape(), status_call="GetFuotaTask",
        odd=lambda answer: {**answer, "Status": "Reticulating"}, make="CreateFuotaTask",
        named_by="ClientRequestToken", waves=2,
    )  # fmt: skip


def ota_update(ground: OtaGround) -> Sibling:
    """AWS IoT OTA updates."""

    def odd(answer: Answer) -> Answer:
        return {**answer, "otaUpdateInfo": {**answer["otaUpdateInfo"], "otaUpdateStatus": "Reticulating"}}

    return Sibling(
        ground=ground, rollout=gateway(), shape=OtaShape(environment()), status_call="GetOTAUpdate", odd=odd,
        make="CreateOTAUpdate", named_by="otaUpdateId", waves=2,
    )  # fmt: skip


def tuya(ground: TuyaGround) -> Sibling:
    """Tuya's upgrade batches."""

    def odd(answer: Answer) -> Answer:
        return {**answer, "data": {**answer["data"], "jobStatus": "Reticulating"}}

    return Sibling(
        ground=ground, rollout=plugs(), shape=TuyaShape(), status_call="QueryOTAJob", odd=odd,
        make="CreateOTAStaticUpgradeJob", named_by="", waves=2,
    )  # fmt: skip


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
