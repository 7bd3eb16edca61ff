"""Reads the targets of a FUOTA task before its start: groups with their devices, and single devices.

1. A device has one identity, the service's id; a manifest may name it by that or by its DevEUI. Both are looked up
   before anything is made, so that a device that is not there costs no task.
2. A lookup by name costs a call a device, once a process: a device keeps its id. What is inside a task already is
   known from the task's own list.
3. A group's devices are read whole, page after page. A list that shows fewer devices than the group counts is not
   whole, and is reported so.
"""

from __future__ import annotations

import re
from functools import partial
from threading import Lock
from typing import NamedTuple

from otactl.backends.aws.client import NotFoundError
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.fuota.reads import Item, TaskReader, eui_of
from otactl.backends.fuota.statuses import device_outcome
from otactl.backends.fuota.things import ThingReader, thing_in
from otactl.model import Outcome, TargetFacts, Unit, UnitPhase

_EUI = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{2}(?:[-_][0-9A-Fa-f]{2}){7}")
_TAKE_OUT = (
    "aws iotwireless disassociate-wireless-device-from-multicast-group --id {group} --wireless-device-id {device}"
)
_SINGLE = {"device": "WirelessDeviceId", "devEui": "DevEui"}


class GroupDevice(NamedTuple):
    """A device in a multicast group, as the group's list shows it; kept for a pass, and there may be 100,000."""

    id: str
    dev_eui: str | None
    is_ready: bool
    """Whether it has its multicast session."""
    shows_success: bool
    """Whether its FUOTA status is a success, of whichever task."""


class TargetReader:
    """Reads targets."""

    def __init__(self, reader: TaskReader, things: ThingReader) -> None:
        self._reader, self._things = reader, things
        self._found: dict[str, TargetFacts] = {}
        self._lock = Lock()

    def of(self, keys: tuple[str, ...], unit: Unit | None, facts: ImageAndRoleReader) -> tuple[TargetFacts, ...]:
        """Return the facts of targets to be put into a unit, or in it; none once its start is accepted."""
        if unit is not None and unit.phase is not UnitPhase.OPEN:
            return ()
        ids = unit.ids if unit is not None else {}
        called = {device: key for key, device in ids.items() if key.startswith("devEui:")}
        found = []
        for key in keys:
            kind, _, rest = key.partition(":")
            if kind not in _SINGLE:
                found.append(facts.once(("group", rest), partial(self._group, key, rest, facts)))
            elif key in ids:
                device = ids[key]
                names = {device: called[device].partition(":")[2]} if device in called else {}
                found.append(TargetFacts(key=key, exists=True, vendor_id=device, names=names))
            else:
                found.append(self._single(key, facts))
        return tuple(found)

    def devices_of(self, group: str, facts: ImageAndRoleReader) -> tuple[GroupDevice, ...]:
        """Return the devices of a multicast group as its list shows them, read once a pass."""
        return facts.once(("devices", group), lambda: tuple(map(_group_device, self._reader.group_devices(group))))

    def succeeded_before(self, vendor_id: str, groups: tuple[str, ...], facts: ImageAndRoleReader) -> tuple[str, ...]:
        """Return devices of the groups of a full task whose success later would prove nothing.

        Where the list by task has the groups' members, its statuses are of this task. Where it has not, only the list
        by group tells, and what it shows may be of a task before.
        """
        by_task = self._reader.pages("ListWirelessDevices", "WirelessDeviceList", {"FuotaTaskId": vendor_id})
        if next(by_task, None) is not None:
            return ()
        shown = {d.id: d.shows_success for group in groups for d in self.devices_of(group, facts)}
        return tuple(sorted(device for device, success in shown.items() if success))

    def _group(self, key: str, group: str, facts: ImageAndRoleReader) -> TargetFacts:
        """Return a multicast group: its region, devices wanted and ready, and who they are."""
        try:
            answer = self._reader.get("GetMulticastGroup", {"Id": group})
            devices = self.devices_of(group, facts)
        except NotFoundError:
            return TargetFacts(key=key, exists=False)
        lorawan = answer.get("LoRaWAN")
        lorawan = lorawan if isinstance(lorawan, dict) else {}
        region, wanted, ready = (
            lorawan.get(name) for name in ("RfRegion", "NumberOfDevicesRequested", "NumberOfDevicesInGroup")
        )
        waiting = tuple(device.id for device in devices if not device.is_ready)
        return TargetFacts(
            key=key,
            exists=True,
            vendor_id=group,
            waiting=waiting,
            removal_command=_TAKE_OUT.format(group=group, device=waiting[0]) if waiting else "",
            region=str(region) if region is not None else None,
            requested=wanted if isinstance(wanted, int) else None,
            ready=ready if isinstance(ready, int) else None,
            members=tuple(sorted({device.id for device in devices})),
            members_complete=not isinstance(ready, int) or len(devices) >= ready,
            names={device.id: device.dev_eui for device in devices if device.dev_eui},
        )

    def _single(self, key: str, facts: ImageAndRoleReader) -> TargetFacts:
        """Return a single device by the key a manifest has for it (rule 2)."""
        with self._lock:
            known = self._found.get(key)
        return known or facts.once(("device", key), lambda: self._look_up(key))

    def _look_up(self, key: str) -> TargetFacts:
        kind, _, rest = key.partition(":")
        try:
            answer = self._reader.get("GetWirelessDevice", {"Identifier": rest, "IdentifierType": _SINGLE[kind]})
        except NotFoundError:
            text = (
                f"it looks like a DevEUI: write {{devEui: {rest}}}" if kind == "device" and _EUI.fullmatch(rest) else ""
            )
            return TargetFacts(key=key, exists=False, hint=text)
        device, eui = str(answer["Id"]), eui_of(answer)
        self._things.note(device, thing_in(answer))
        found = TargetFacts(key=key, exists=True, vendor_id=device, names={device: eui} if eui else {})
        with self._lock:
            self._found[key] = found
        return found


def _group_device(item: Item) -> GroupDevice:
    outcome, _ = device_outcome(item.get("FuotaDeviceStatus"), ended=True)
    return GroupDevice(str(item["Id"]), eui_of(item), _is_ready(item), outcome is Outcome.SUCCEEDED)


def _is_ready(item: Item) -> bool:
    """Return whether a device of a group has its multicast session, by a status that AWS publishes as free text.

    One without a status is not named as waiting: nothing says that it is.
    """
    status = item.get("MulticastDeviceStatus")
    return not isinstance(status, str) or "ready" in status.lower()
