"""Serves FUOTA tasks: create, edit while Pending, start, delete.

Rules, each from the AWS IoT Wireless developer guide, "FUOTA tasks", unless said otherwise:

1. Only a Pending task can be edited, filled or emptied; afterwards it can only be deleted.
2. A task holds devices or multicast groups, never both, and all of its own RfRegion.
3. A start lies at least 30 minutes ahead. There is no stop, and no way back to Pending. The guide's own sample gives no
   StartTime ("Add devices and multicast groups to a FUOTA task"); what happens then is the switch `startWithoutTime`.
4. Deletion is asynchronous and irreversible: Delete_Waiting, then gone.
5. A list shows Id, Arn and Name, nothing else (SDK model).
6. Fragments are counted in 14 bits (TS004), so a task never sends more than 16383.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from otactl_simulator.clock import Clock
from otactl_simulator.iotwireless.common import created_once, page, tags_of
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import DELETING, PENDING, WAITING, Store, Stores, Task, conflict, invalid
from otactl_simulator.service import Handler, ModelledError, Request

KIND = "FuotaTask"
START_LEAD = timedelta(minutes=30)
_EDITABLE = (
    "Name",
    "Description",
    "LoRaWAN",
    "FirmwareUpdateImage",
    "FirmwareUpdateRole",
    "RedundancyPercent",
    "FragmentSizeBytes",
    "FragmentIntervalMS",
    "Descriptor",
)
_DEFAULTS: dict[str, object] = {"RedundancyPercent": 0, "FragmentSizeBytes": 48, "FragmentIntervalMS": 2000}


class Tasks:
    """The task operations."""

    def __init__(self, stores: Stores, clock: Clock, settings: Settings) -> None:
        self._stores = stores
        self._clock = clock
        self._settings = settings

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateFuotaTask": self.create,
            "GetFuotaTask": self.get,
            "UpdateFuotaTask": self.update,
            "DeleteFuotaTask": self.delete,
            "ListFuotaTasks": self.list_tasks,
            "StartFuotaTask": self.start,
            "AssociateWirelessDeviceWithFuotaTask": self.add_device,
            "DisassociateWirelessDeviceFromFuotaTask": self.remove_device,
            "AssociateMulticastGroupWithFuotaTask": self.add_group,
            "DisassociateMulticastGroupFromFuotaTask": self.remove_group,
            "ListMulticastGroupsByFuotaTask": self.list_groups,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateFuotaTask."""
        store, wanted = self._stores.of(request), request.parameters

        def make() -> str:
            identifier, arn = store.new(KIND)
            given = {name: wanted[name] for name in _EDITABLE if name in wanted}
            store.remember(identifier)
            store.tasks[identifier] = Task(identifier, arn, self._clock.now(), given)
            store.tags[arn] = tags_of(wanted)
            return identifier

        return created_once(store, KIND, wanted, make, alive=store.tasks, settings=self._settings)

    def get(self, request: Request) -> dict[str, object]:
        """GetFuotaTask: everything but tags, token, members and results."""
        task = self._stores.of(request).task(request.parameters["Id"], stale=request.stale)
        shown = dict(task.parameters)
        if self._settings["echoDefaults"]:
            shown = {**_DEFAULTS, **shown}
        interval = shown.get("FragmentIntervalMS")
        if isinstance(interval, int) and self._settings["roundInterval"]:
            shown["FragmentIntervalMS"] = max(1000, round(interval / 1000) * 1000)
        lorawan: dict[str, object] = {"RfRegion": task.rf_region} if task.rf_region else {}
        if task.start_time is not None:
            lorawan["StartTime"] = task.start_time
        return {
            **shown,
            "Id": task.id,
            "Arn": task.arn,
            "Status": task.status,
            "CreatedAt": task.created_at,
            "LoRaWAN": lorawan,
        }

    def update(self, request: Request) -> dict[str, object]:
        """UpdateFuotaTask: what is given is set; nothing can be unset."""
        store = self._stores.of(request)
        task = self._pending(store, request)
        given = {name: request.parameters[name] for name in _EDITABLE if name in request.parameters}
        lorawan = given.get("LoRaWAN")
        if isinstance(lorawan, dict):
            self._same_region(store, task, str(lorawan.get("RfRegion", "")))
            given["LoRaWAN"] = lorawan or task.parameters.get("LoRaWAN", {})
        task.parameters |= given
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteFuotaTask: allowed in every state, even twice."""
        store = self._stores.of(request)
        task = store.task(request.parameters["Id"])
        if task.status != DELETING:
            store.remember(task.id)
            task.status = DELETING
            task.delete_at = self._clock.now() + timedelta(seconds=self._settings.number("deleteWaitingSeconds"))
        return {}

    def list_tasks(self, request: Request) -> dict[str, object]:
        """ListFuotaTasks: thin items, oldest first."""
        store = self._stores.of(request)
        items, token = page(store.listed(stale=request.stale), request.parameters)
        listed = [{"Id": t.id, "Arn": t.arn, "Name": t.parameters.get("Name")} for t in items]
        return {"FuotaTaskList": listed, "NextToken": token}

    def start(self, request: Request) -> dict[str, object]:
        """StartFuotaTask (rule 3)."""
        store, now = self._stores.of(request), self._clock.now()
        task = store.task(request.parameters["Id"])
        if task.status != PENDING and not (task.status == WAITING and self._settings["secondStart"] == "moves"):
            raise conflict(KIND, task.id, f"the task is {task.status}; only a Pending task can be started")
        lorawan = request.parameters.get("LoRaWAN")
        start_time = lorawan.get("StartTime") if isinstance(lorawan, dict) else None
        if start_time is None:
            if self._settings["startWithoutTime"] == "refuse":
                raise invalid("LoRaWAN.StartTime is required")
            start_time = now + START_LEAD
        if not isinstance(start_time, datetime) or start_time - now < START_LEAD:
            text = "StartTime must be at least 30 minutes from now"
            if self._settings["startTooSoonError"] == "ConflictException":
                raise conflict(KIND, task.id, text)
            raise invalid(text)
        if not task.devices and not task.groups:
            raise invalid("the task has neither devices nor multicast groups")
        store.remember(task.id)
        task.status, task.start_time = WAITING, start_time
        return {}

    def add_device(self, request: Request) -> dict[str, object]:
        """AssociateWirelessDeviceWithFuotaTask (rules 1 and 2)."""
        store = self._stores.of(request)
        task = self._pending(store, request)
        device = store.device(request.parameters["WirelessDeviceId"])
        if task.groups:
            raise conflict(KIND, task.id, "the task holds multicast groups; it cannot hold devices too")
        self._check_region(task.rf_region, "device", device.id, device.rf_region)
        self._add(task.devices, task, device.id)
        return {}

    def remove_device(self, request: Request) -> dict[str, object]:
        """DisassociateWirelessDeviceFromFuotaTask (rule 1)."""
        store = self._stores.of(request)
        self._remove(
            self._pending(store, request).devices, str(request.parameters["WirelessDeviceId"]), "WirelessDevice"
        )
        return {}

    def add_group(self, request: Request) -> dict[str, object]:
        """AssociateMulticastGroupWithFuotaTask (rules 1 and 2)."""
        store = self._stores.of(request)
        task = self._pending(store, request)
        group = store.group(request.parameters["MulticastGroupId"])
        if task.devices:
            raise conflict(KIND, task.id, "the task holds devices; it cannot hold multicast groups too")
        self._check_region(task.rf_region, "multicast group", group.id, group.rf_region)
        self._add(task.groups, task, group.id)
        return {}

    def remove_group(self, request: Request) -> dict[str, object]:
        """DisassociateMulticastGroupFromFuotaTask (rule 1)."""
        store = self._stores.of(request)
        self._remove(
            self._pending(store, request).groups, str(request.parameters["MulticastGroupId"]), "MulticastGroup"
        )
        return {}

    def list_groups(self, request: Request) -> dict[str, object]:
        """ListMulticastGroupsByFuotaTask: ids only."""
        task = self._stores.of(request).task(request.parameters["Id"], stale=request.stale)
        items, token = page(task.groups, request.parameters)
        return {"MulticastGroupList": [{"Id": key} for key in items], "NextToken": token}

    def _pending(self, store: Store, request: Request) -> Task:
        task = store.task(request.parameters["Id"])
        if task.status != PENDING:
            text = f"the task is {task.status}; only a Pending task can be changed"
            if self._settings["outsidePendingError"] == "ConflictException":
                raise conflict(KIND, task.id, text)
            raise invalid(text)
        store.remember(task.id)
        return task

    def _add(self, members: list[str], task: Task, key: str) -> None:
        if key not in members:
            members.append(key)
        elif self._settings["associateAgain"] == "conflict":
            raise conflict(KIND, task.id, f"{key} is associated already")

    @staticmethod
    def _remove(members: list[str], key: str, kind: str) -> None:
        if key not in members:
            raise ModelledError(
                "ResourceNotFoundException", f"{key} is not associated", ResourceId=key, ResourceType=kind
            )
        members.remove(key)

    @staticmethod
    def _check_region(wanted: str, what: str, key: str, region: str) -> None:
        if wanted and region and wanted != region:
            raise invalid(f"the RfRegion of {what} {key} is {region}, the task's is {wanted}")

    def _same_region(self, store: Store, task: Task, region: str) -> None:
        for key in task.groups:
            self._check_region(region, "multicast group", key, store.group(key).rf_region)
        for key in task.devices:
            self._check_region(region, "device", key, store.device(key).rf_region)
