"""Serves multicast groups and their sessions.

Rules, from the AWS IoT Wireless developer guide, "Multicast groups", unless said otherwise:

1. Members are frozen once a session is scheduled, and the group's radio region is its devices'.
2. Devices are wanted (NumberOfDevicesRequested) before they are in (NumberOfDevicesInGroup): a class A device gets its
   setup only after an uplink.
3. A group that a FUOTA task uses cannot be deleted (SDK model: DeleteMulticastGroup declares the 409).
4. A session starts within 48 hours; it can be cancelled, unlike a FUOTA task.
5. Bulk association answers no job id and no progress (SDK model): only the counts tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from otactl_simulator.clock import Clock
from otactl_simulator.iotwireless.common import created_once, page, tags_of
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import DELETING, DONE, Device, Group, Store, Stores, conflict, invalid
from otactl_simulator.service import Handler, ModelledError, Request

KIND = "MulticastGroup"
SESSION_WITHIN = timedelta(hours=48)
_GIVEN = ("Name", "Description", "LoRaWAN")


def ready_devices(store: Store, group: Group, settings: Settings, now: datetime) -> list[str]:
    """Return the devices of a group that are set up for multicast by now (rule 2)."""
    joined = ((store.devices.get(key), since) for key, since in group.joined.items())
    return [d.id for d, since in joined if d is not None and is_ready(d, since, settings, now)]


def is_ready(device: Device, since: datetime, settings: Settings, now: datetime) -> bool:
    """Return whether a device that is wanted in a group `since` a moment is set up for multicast by now (rule 2)."""
    return not device.never_ready and (now - since).total_seconds() >= settings.number("multicastReadySeconds")


class Groups:
    """The multicast operations."""

    def __init__(self, stores: Stores, clock: Clock, settings: Settings) -> None:
        self._stores = stores
        self._clock = clock
        self._settings = settings

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateMulticastGroup": self.create,
            "GetMulticastGroup": self.get,
            "UpdateMulticastGroup": self.update,
            "DeleteMulticastGroup": self.delete,
            "ListMulticastGroups": self.list_groups,
            "AssociateWirelessDeviceWithMulticastGroup": self.add,
            "DisassociateWirelessDeviceFromMulticastGroup": self.remove,
            "StartBulkAssociateWirelessDeviceWithMulticastGroup": self.bulk_add,
            "StartBulkDisassociateWirelessDeviceFromMulticastGroup": self.bulk_remove,
            "StartMulticastGroupSession": self.start_session,
            "GetMulticastGroupSession": self.get_session,
            "CancelMulticastGroupSession": self.cancel_session,
            "SendDataToMulticastGroup": self.send_data,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateMulticastGroup."""
        store, wanted = self._stores.of(request), request.parameters

        def make() -> str:
            identifier, arn = store.new(KIND)
            given = {k: v for k, v in wanted.items() if k in _GIVEN}
            store.groups[identifier] = Group(identifier, arn, self._clock.now(), given)
            store.tags[arn] = tags_of(wanted)
            return identifier

        return created_once(store, KIND, wanted, make, alive=store.groups, settings=self._settings)

    def get(self, request: Request) -> dict[str, object]:
        """GetMulticastGroup, with devices wanted and devices in."""
        store = self._stores.of(request)
        group = store.group(request.parameters["Id"])
        lorawan = group.parameters.get("LoRaWAN")
        counts = {
            "NumberOfDevicesRequested": len(group.joined),
            "NumberOfDevicesInGroup": len(ready_devices(store, group, self._settings, self._clock.now())),
        }
        return {
            **group.parameters,
            "Id": group.id,
            "Arn": group.arn,
            "Status": self._status(group),
            "CreatedAt": group.created_at,
            "LoRaWAN": {**(lorawan if isinstance(lorawan, dict) else {}), **counts},
        }

    def _status(self, group: Group) -> str:
        if group.session is None:
            return "Pending"
        start = group.session.get("SessionStartTime")
        started = isinstance(start, datetime) and start <= self._clock.now()
        return "In_Session" if started else "Session_Attempting"

    def update(self, request: Request) -> dict[str, object]:
        """UpdateMulticastGroup: not while a session is scheduled (rule 1)."""
        group = self._free(request)
        group.parameters |= {k: v for k, v in request.parameters.items() if k in _GIVEN}
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteMulticastGroup (rule 3)."""
        store = self._stores.of(request)
        group = store.group(request.parameters["Id"])
        users = [t.id for t in store.tasks.values() if group.id in t.groups and t.status not in (DONE, DELETING)]
        if users:
            raise conflict(KIND, group.id, f"FUOTA task {users[0]} uses the multicast group")
        del store.groups[group.id]
        store.tags.pop(group.arn, None)
        return {}

    def list_groups(self, request: Request) -> dict[str, object]:
        """ListMulticastGroups: thin items."""
        items, token = page(list(self._stores.of(request).groups.values()), request.parameters)
        listed = [{"Id": g.id, "Arn": g.arn, "Name": g.parameters.get("Name")} for g in items]
        return {"MulticastGroupList": listed, "NextToken": token}

    def add(self, request: Request) -> dict[str, object]:
        """AssociateWirelessDeviceWithMulticastGroup (rule 1)."""
        group = self._free(request)
        self._join(group, self._stores.of(request).device(request.parameters["WirelessDeviceId"]))
        return {}

    def _join(self, group: Group, device: Device) -> None:
        if device.rf_region and group.rf_region and device.rf_region != group.rf_region:
            raise invalid(f"the RfRegion of device {device.id} is {device.rf_region}, the group's is {group.rf_region}")
        group.joined.setdefault(device.id, self._clock.now())

    def remove(self, request: Request) -> dict[str, object]:
        """DisassociateWirelessDeviceFromMulticastGroup (rule 1)."""
        group, key = self._free(request), str(request.parameters["WirelessDeviceId"])
        if key not in group.joined:
            raise ModelledError("ResourceNotFoundException", f"device {key} is not in the group", ResourceId=key)
        del group.joined[key]
        return {}

    def bulk_add(self, request: Request) -> dict[str, object]:
        """StartBulkAssociate… (rule 5)."""
        group = self._free(request)
        for device in self._queried(request):
            self._join(group, device)
        return {}

    def bulk_remove(self, request: Request) -> dict[str, object]:
        """StartBulkDisassociate… (rule 5)."""
        group = self._free(request)
        for device in self._queried(request):
            group.joined.pop(device.id, None)
        return {}

    def _queried(self, request: Request) -> list[Device]:
        """Return the devices a fleet query names; it reads only `*` and `DeviceName:<prefix>*`."""
        query = str(request.parameters.get("QueryString", "*"))
        store = self._stores.of(request)
        name, _, value = query.partition(":")
        if query == "*":
            return list(store.devices.values())
        if name != "DeviceName" or not value:
            raise invalid(f"the simulator reads the queries * and DeviceName:<prefix>*, not {query!r}")
        prefix = value.removesuffix("*")
        return [d for d in store.devices.values() if str(d.parameters.get("Name", "")).startswith(prefix)]

    def start_session(self, request: Request) -> dict[str, object]:
        """StartMulticastGroupSession (rule 4)."""
        group = self._free(request)
        lorawan = request.parameters.get("LoRaWAN")
        session = dict(lorawan) if isinstance(lorawan, dict) else {}
        start = session.get("SessionStartTime")
        now = self._clock.now()
        if isinstance(start, datetime) and not now <= start <= now + SESSION_WITHIN:
            raise invalid("SessionStartTime must lie within the next 48 hours")
        group.session = session
        return {}

    def get_session(self, request: Request) -> dict[str, object]:
        """GetMulticastGroupSession."""
        group = self._stores.of(request).group(request.parameters["Id"])
        if group.session is None:
            raise ModelledError("ResourceNotFoundException", f"group {group.id} has no session", ResourceId=group.id)
        return {"LoRaWAN": group.session}

    def cancel_session(self, request: Request) -> dict[str, object]:
        """CancelMulticastGroupSession (rule 4)."""
        group = self._stores.of(request).group(request.parameters["Id"])
        if group.session is None:
            raise conflict(KIND, group.id, "the group has no session")
        group.session = None
        return {}

    def send_data(self, request: Request) -> dict[str, object]:
        """SendDataToMulticastGroup: only in a session."""
        group = self._stores.of(request).group(request.parameters["Id"])
        if group.session is None:
            raise conflict(KIND, group.id, "the group is not in a session")
        return {"MessageId": f"{group.id}/{self._clock.now().timestamp()}"}

    def _free(self, request: Request) -> Group:
        group = self._stores.of(request).group(request.parameters["Id"])
        if group.session is not None:
            raise conflict(KIND, group.id, "a session of the group is scheduled; its members are frozen")
        return group
