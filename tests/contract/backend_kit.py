"""What the contract suite needs of a sibling: a stage to drive a rollout on, and a service that says odd things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.actions import Action, Call, Receipt, UnitDeclaration
from controller.backends._aws import Answer, AwsTransport
from controller.backends._calls import WRITES
from controller.backends.fuota_shape import FuotaShape
from controller.backends.iotwireless_fuota import FuotaBackend
from controller.model import JsonObject, Observation, Record, Rollout, Survey
from controller.ports import Backend
from controller.reconciler import RunReport
from controller.situation import Shape
from tests.ground import Around, Ground, declared, environment


@dataclass
class Sibling:
    """One backend on its stage.

    `status_call` is the read that shows a unit's status, `status_member` where; `waves` how many units a rollout makes.
    """

    ground: Ground
    rollout: Rollout
    shape: Shape
    status_call: str
    status_member: str
    make: str
    waves: int

    def backend(self, around: Around | None = None) -> tuple[Backend, AwsTransport]:
        """A fresh backend."""
        wire = self.ground.transport(around=around)
        return FuotaBackend(environment(), wire), wire

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
        return len({str(w["parameters"]) for w in self.ground.writes(self.make)})


def fuota(ground: Ground) -> Sibling:
    """AWS IoT Wireless FUOTA."""
    return Sibling(
        ground=ground, rollout=declared(), shape=FuotaShape(), status_call="GetFuotaTask", status_member="Status",
        make="CreateFuotaTask", waves=2,
    )  # fmt: skip


class Passing:
    """A backend that passes everything on; a law changes one method."""

    def __init__(self, inner: Backend) -> None:
        self.inner = inner
        self.capabilities = inner.capabilities

    def survey(self) -> Survey:
        return self.inner.survey()

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
    return [a for a in asked if a in WRITES]


def listening(asked: list[tuple[str, str]]) -> Around:
    """Note every call that goes out."""

    def around(service: str, operation: str, send: Callable[[], Answer]) -> Answer:
        asked.append((service, operation))
        return send()

    return around
