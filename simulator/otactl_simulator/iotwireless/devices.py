"""Serves wireless devices and device profiles.

FuotaDeviceStatus is shown by ListWirelessDevices alone (SDK model: GetWirelessDevice has no such member), when the
filter names a task; whether that lists the members of a task's groups is a switch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from otactl_simulator.clock import Clock
from otactl_simulator.iotwireless.common import created_once, page, tags_of
from otactl_simulator.iotwireless.groups import is_ready
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import Device, Group, Profile, Store, Stores, Task, conflict, invalid, not_found
from otactl_simulator.service import Handler, Request

KIND = "WirelessDevice"
_FILTERS = ("FuotaTaskId", "MulticastGroupId")
_OF_A_DEVICE = ("DestinationName", "WirelessDeviceType", "DeviceProfileId", "ServiceProfileId")


class Devices:
    """The device and profile operations."""

    def __init__(self, stores: Stores, clock: Clock, settings: Settings) -> None:
        self._stores = stores
        self._clock = clock
        self._settings = settings

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateWirelessDevice": self.create,
            "GetWirelessDevice": self.get,
            "UpdateWirelessDevice": self.update,
            "DeleteWirelessDevice": self.delete,
            "ListWirelessDevices": self.list_devices,
            "AssociateWirelessDeviceWithThing": self.add_thing,
            "DisassociateWirelessDeviceFromThing": self.remove_thing,
            "CreateDeviceProfile": self.create_profile,
            "GetDeviceProfile": self.get_profile,
            "ListDeviceProfiles": self.list_profiles,
            "DeleteDeviceProfile": self.delete_profile,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateWirelessDevice; its radio region is its profile's."""
        store, wanted = self._stores.of(request), request.parameters
        profile_id = _lorawan(wanted).get("DeviceProfileId")
        profile = store.profiles.get(str(profile_id)) if profile_id else None
        if profile_id and profile is None:
            raise not_found("DeviceProfile", str(profile_id))

        def make() -> str:
            identifier, arn = store.new(KIND)
            given = {k: v for k, v in wanted.items() if k not in ("Tags", "ClientRequestToken")}
            region = str(_lorawan(profile.parameters).get("RfRegion", "")) if profile else ""
            device = Device(identifier, store.device_prefix(), given, rf_region=region)
            if device.dev_eui and any(d.dev_eui == device.dev_eui for d in store.devices.values()):
                raise conflict(KIND, device.dev_eui, f"DevEUI {device.dev_eui} is registered already")
            store.devices[identifier] = device
            store.tags[arn] = tags_of(wanted)
            return identifier

        return created_once(store, KIND, wanted, make, alive=store.devices, settings=self._settings)

    def get(self, request: Request) -> dict[str, object]:
        """GetWirelessDevice by id, DevEUI or thing name."""
        store = self._stores.of(request)
        kind, value = request.parameters["IdentifierType"], str(request.parameters["Identifier"])
        found = next((d for d in store.devices.values() if _named(d, kind, value)), None)
        if found is None:
            raise not_found(KIND, value)
        return {**found.parameters, "Id": found.id, "Arn": found.arn, **_thing(found)}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateWirelessDevice: name, description, destination, profile. Ports and keys stay (SDK model)."""
        device = self._stores.of(request).device(request.parameters["Id"])
        given = {k: v for k, v in request.parameters.items() if k in ("Name", "Description", "DestinationName")}
        device.change(given)
        return {}

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteWirelessDevice."""
        store = self._stores.of(request)
        device = store.device(request.parameters["Id"])
        del store.devices[device.id]
        for group in store.groups.values():
            group.joined.pop(device.id, None)
        return {}

    def list_devices(self, request: Request) -> dict[str, object]:
        """ListWirelessDevices with the service's filters."""
        store, wanted = self._stores.of(request), request.parameters
        if all(name in wanted for name in _FILTERS):
            raise invalid("FuotaTaskId and MulticastGroupId cannot be given together")
        task = store.task(wanted["FuotaTaskId"], stale=request.stale) if "FuotaTaskId" in wanted else None
        group = store.group(wanted["MulticastGroupId"]) if "MulticastGroupId" in wanted else None
        # Names are taken together and devices one page at a time: all pages cost little more than their devices.
        chosen: Collection[str] = store.devices
        if task is not None:
            chosen = self._of_task(store, task)
        elif group is not None:
            chosen = group.joined
        names = list(chosen)
        if any(name in wanted for name in _OF_A_DEVICE):
            names = [n for n in names if n in store.devices and self._passes(store.devices[n], wanted)]
        shown, token = page(names, wanted)
        devices = [store.devices[n] for n in shown if n in store.devices]
        if task is not None:
            return {"WirelessDeviceList": [self._in_task(d, task) for d in devices], "NextToken": token}
        if group is not None:
            return {"WirelessDeviceList": self._in_group(store, group, devices), "NextToken": token}
        return {"WirelessDeviceList": [_item(d) for d in devices], "NextToken": token}

    def _passes(self, device: Device, wanted: Mapping[str, object]) -> bool:
        lorawan = _lorawan(device.parameters)
        checks = {
            "DestinationName": device.parameters.get("DestinationName"),
            "WirelessDeviceType": device.parameters.get("Type"),
            "DeviceProfileId": lorawan.get("DeviceProfileId"),
            "ServiceProfileId": lorawan.get("ServiceProfileId"),
        }
        return all(name not in wanted or wanted[name] == value for name, value in checks.items())

    def _of_task(self, store: Store, task: Task) -> Collection[str]:
        members = dict.fromkeys(task.devices)
        if self._settings["listByTaskIncludesGroupMembers"]:
            for group in task.groups:
                members |= dict.fromkeys(store.groups[group].joined if group in store.groups else ())
        return members

    def _in_task(self, device: Device, task: Task) -> dict[str, object]:
        return {**_item(device), "FuotaDeviceStatus": task.statuses.get(device.id, "Initial")}

    def _in_group(self, store: Store, group: Group, devices: Sequence[Device]) -> list[dict[str, object]]:
        number = list(store.groups).index(group.id) % 4  # a device holds four groups: 2-bit ids (TS005)
        tasks = [t for t in reversed(store.tasks.values()) if group.id in t.groups]
        now, items = self._now(), []
        for device in devices:
            state = "ready" if is_ready(device, group.joined[device.id], self._settings, now) else "attempting"
            item = {**_item(device), "MulticastDeviceStatus": f"Multicast setup {state}", "McGroupId": number}
            status = next((t.statuses[device.id] for t in tasks if device.id in t.statuses), None)
            items.append(item if status is None else {**item, "FuotaDeviceStatus": status})
        return items

    def _now(self) -> datetime:
        return self._clock.now()

    def add_thing(self, request: Request) -> dict[str, object]:
        """AssociateWirelessDeviceWithThing."""
        device = self._stores.of(request).device(request.parameters["Id"])
        device.thing_arn = str(request.parameters["ThingArn"])
        return {}

    def remove_thing(self, request: Request) -> dict[str, object]:
        """DisassociateWirelessDeviceFromThing."""
        self._stores.of(request).device(request.parameters["Id"]).thing_arn = None
        return {}

    def create_profile(self, request: Request) -> dict[str, object]:
        """CreateDeviceProfile."""
        store = self._stores.of(request)
        identifier, arn = store.new("DeviceProfile")
        given = {k: v for k, v in request.parameters.items() if k not in ("Tags", "ClientRequestToken")}
        store.profiles[identifier] = Profile(identifier, arn, given)
        store.tags[arn] = tags_of(request.parameters)
        return {"Id": identifier, "Arn": arn}

    def get_profile(self, request: Request) -> dict[str, object]:
        """GetDeviceProfile."""
        profile = self._profile(request)
        return {**profile.parameters, "Id": profile.id, "Arn": profile.arn}

    def list_profiles(self, request: Request) -> dict[str, object]:
        """ListDeviceProfiles: thin items."""
        items, token = page(list(self._stores.of(request).profiles.values()), request.parameters)
        listed = [{"Id": p.id, "Arn": p.arn, "Name": p.parameters.get("Name")} for p in items]
        return {"DeviceProfileList": listed, "NextToken": token}

    def delete_profile(self, request: Request) -> dict[str, object]:
        """DeleteDeviceProfile: not while devices use it."""
        store, profile = self._stores.of(request), self._profile(request)
        if any(_lorawan(d.parameters).get("DeviceProfileId") == profile.id for d in store.devices.values()):
            raise conflict("DeviceProfile", profile.id, "devices use the profile")
        del store.profiles[profile.id]
        return {}

    def _profile(self, request: Request) -> Profile:
        key = str(request.parameters["Id"])
        found = self._stores.of(request).profiles.get(key)
        if found is None:
            raise not_found("DeviceProfile", key)
        return found


def _named(device: Device, kind: object, value: str) -> bool:
    if kind == "WirelessDeviceId":
        return device.id == value
    if kind == "DevEui":
        return device.dev_eui == value.lower()
    return kind == "ThingName" and device.thing_arn is not None and device.thing_arn.endswith(f":thing/{value}")


def _thing(device: Device) -> dict[str, object]:
    """Return the thing associated with a device, as GetWirelessDevice shows it."""
    arn = device.thing_arn
    return {"ThingArn": arn, "ThingName": arn.partition(":thing/")[2]} if arn is not None else {}


def _lorawan(parameters: Mapping[str, object]) -> dict[str, object]:
    lorawan = parameters.get("LoRaWAN")
    return dict(lorawan) if isinstance(lorawan, dict) else {}


def _item(device: Device) -> dict[str, object]:
    """Return what every list shows of a device."""
    return {
        "Id": device.id,
        "Arn": device.arn,
        "Type": device.parameters.get("Type", "LoRaWAN"),
        "Name": device.parameters.get("Name"),
        "DestinationName": device.parameters.get("DestinationName"),
        "LoRaWAN": {"DevEui": device.dev_eui} if device.dev_eui else None,
    }
