"""Simulates AWS IoT Wireless as otactl needs it: FUOTA tasks, multicast groups, devices, profiles, tags, log levels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iotwireless import fleet
from otactl_simulator.iotwireless.common import iso
from otactl_simulator.iotwireless.devices import Devices
from otactl_simulator.iotwireless.groups import Groups, ready_devices
from otactl_simulator.iotwireless.images_port import Images
from otactl_simulator.iotwireless.profiles import Fittings
from otactl_simulator.iotwireless.session import Sessions
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import Store, Stores
from otactl_simulator.iotwireless.tags import Labels
from otactl_simulator.iotwireless.tasks import Tasks
from otactl_simulator.iotwireless.things_port import Things
from otactl_simulator.service import Handler, Switched

_OF_A_DEVICE = (
    "id",
    "arn",
    "parameters",
    "rf_region",
    "loss",
    "caps",
    "behaviour",
    "version",
    "never_ready",
    "image_sha256",
    "thing_arn",
)


class IotWireless(Switched):
    """The service, for every account and Region."""

    name = "iotwireless"

    def __init__(self, clock: Clock, images: Images, things: Things, seed: int) -> None:
        self._clock = clock
        self._settings = Settings()
        super().__init__(self._settings)
        self._stores = Stores(seed, clock, self._settings)
        self._sessions = Sessions(self._stores, images, things, self._settings, seed)
        nouns = (
            Tasks(self._stores, clock, self._settings),
            Groups(self._stores, clock, self._settings),
            Devices(self._stores, clock, self._settings),
            Fittings(self._stores),
            Labels(self._stores),
        )
        self._handlers = {name: handler for noun in nouns for name, handler in noun.handlers.items()}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return self._handlers

    def advance(self) -> None:
        """Bring every task up to the clock."""
        self._sessions.advance(self._clock.now())

    def next_change(self) -> datetime | None:
        """Return the next start, end or deletion of a task."""
        return self._sessions.next_change()

    def load_fleet(self, given: Mapping[str, object]) -> None:
        """Add devices and groups; ValueError says what is wrong with them."""
        fleet.load(self._stores, given, self._clock.now())

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:
        """Return the tags of a resource, none when it is not there."""
        return dict(self._stores.at(account, region).tags.get(arn, {}))

    def snapshot(self) -> dict[str, object]:
        """State as JSON: per account and Region, tasks with logs and device statuses, groups with their counts."""
        return {f"{account}/{region}": self._store(s) for (account, region), s in self._stores.all.items()}

    def _store(self, store: Store) -> dict[str, object]:
        now = self._clock.now()
        return {
            "tasks": [
                {
                    "id": t.id,
                    "name": t.parameters.get("Name"),
                    "status": t.status,
                    "startTime": iso(t.start_time),
                    "sessionEnd": iso(t.session_end),
                    "devices": t.devices,
                    "groups": t.groups,
                    "deviceStatuses": t.statuses,
                    "tags": store.tags.get(t.arn, {}),
                    "log": t.log,
                }
                for t in store.tasks.values()
            ],
            "groups": [
                {
                    "id": g.id,
                    "name": g.parameters.get("Name"),
                    "devices": list(g.joined),
                    "ready": ready_devices(store, g, self._settings, now),
                    "session": {k: str(v) for k, v in g.session.items()} if g.session else None,
                }
                for g in store.groups.values()
            ],
            "devices": [{name: getattr(d, name) for name in _OF_A_DEVICE} for d in store.devices.values()],
        }
