"""Simulates AWS IoT Core as otactl needs it: registry, fleet indexing, shadows, jobs, OTA updates, streams, tags.

Three services of one state: `iot` (control plane), `iot-jobs-data` (a device's jobs) and `iot-data` (shadows). The
first keeps the switches, takes the fleet and moves by the clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iot import endpoints
from otactl_simulator.iot.fleet import Fleet
from otactl_simulator.iot.groups import ThingGroups
from otactl_simulator.iot.index import Index
from otactl_simulator.iot.jobs import Jobs
from otactl_simulator.iot.jobs_data import JobsData
from otactl_simulator.iot.registry import Things
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.shadows import Shadows
from otactl_simulator.iot.signer import SignerService
from otactl_simulator.iot.snapshot import snapshot
from otactl_simulator.iot.state import Stores
from otactl_simulator.iot.streams import Streams
from otactl_simulator.iot.tags import Labels
from otactl_simulator.iot.thing_types import ThingTypes
from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.iot.updates import Updates
from otactl_simulator.service import Handler, Service, Still, Switched


class Iot(Switched):
    """The control plane, and the clock's hand on everything behind it."""

    name = "iot"

    def __init__(self, stores: Stores, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._stores = stores
        self._settings = settings
        super().__init__(self._settings)
        self._jobs = Jobs(stores, clock, settings)
        agenda, rollouts = self._jobs.agenda, self._jobs.rollouts
        self._fleet = Fleet(stores, agenda, rollouts, self._jobs.devices)
        nouns = (
            self._jobs,
            Updates(stores, agenda, settings, self._jobs),
            Streams(stores, agenda, settings),
            Labels(stores),
            Things(stores, rollouts),
            ThingTypes(stores, agenda),
            ThingGroups(stores, agenda, rollouts),
            Index(stores),
        )
        self._handlers = {name: handler for noun in nouns for name, handler in noun.handlers.items()}
        self._handlers |= endpoints.handlers()

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return self._handlers

    def planes(self) -> list[Service]:
        """Return the data planes beside this control plane."""
        jobs_data = JobsData(self._stores, self._jobs.agenda, self._jobs.course)
        shadows = Shadows(self._stores, self._jobs.agenda)
        return [
            DataPlane("iot-jobs-data", jobs_data.handlers),
            DataPlane("iot-data", {**shadows.handlers, **endpoints.data_handlers()}),
        ]

    def advance(self) -> None:
        """Bring jobs, devices and OTA updates up to the clock: they stand in one agenda, by their moments."""
        self._jobs.advance(self._clock.now())

    def next_change(self) -> datetime | None:
        """Return the next step of a job, a device or an OTA update."""
        return self._jobs.agenda.next_due

    def load_fleet(self, fleet: Mapping[str, object]) -> None:
        """Add things and thing groups; ValueError says what is wrong with them."""
        self._fleet.load(fleet)

    def took_image(self, account: str, region: str, thing_arn: str, image_sha256: str, at: datetime) -> None:
        """Set that an image reached a thing's device by another way than a job."""
        name = thing_arn.partition(":thing/")[2]
        self._jobs.devices.hold(self._stores.at(account, region), name, image_sha256, at)

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:
        """Return the tags of a resource, none when it is not there."""
        return dict(self._stores.at(account, region).tags.get(arn, {}))

    def snapshot(self) -> dict[str, object]:
        """State as JSON, per account and Region."""
        return {f"{account}/{region}": snapshot(store) for (account, region), store in self._stores.all.items()}


class DataPlane(Still):
    """A data plane: handlers on the state that the control plane moves; it has no switches, fleet or tags."""

    def __init__(self, name: str, handlers: Mapping[str, Handler]) -> None:
        self.name = name
        self._handlers = handlers

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return self._handlers

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:  # noqa: ARG002 - the protocol's
        """Return nothing: no resource here has tags."""
        return {}

    def snapshot(self) -> dict[str, object]:
        """Return nothing: `iot` shows this state."""
        return {}


def services(clock: Clock, seed: int) -> tuple[Iot, list[Service]]:
    """Return the control plane; it, its data planes and AWS Signer on one fresh state, as they are brought up to date.

    They share the agenda as their clock, so that all they write while catching up carries the moment it belongs to.
    """
    settings, agenda = Settings(), Agenda(clock)
    stores = Stores(seed, agenda, settings)
    control = Iot(stores, agenda, settings)
    return control, [control, *control.planes(), SignerService(stores, agenda)]
