"""Reading tasks, groups and devices of AWS IoT Wireless into our words.

1. The SDK ships no paginator for these lists, so the token is followed here, 250 a page.
2. What is not there is None, not an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from controller.backends._aws import AwsTransport, NotFoundError
from controller.backends._fuota_words import FIELD_MEMBERS, device_outcome, task_phase
from controller.lifecycle import MARK_WAVE
from controller.model import (
    Attempt,
    Device,
    DeviceResult,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    TargetFacts,
    Targets,
    Unit,
    UnitPhase,
)

PAGE = 250
SERVICE = "iotwireless"
_SUCCESS = Outcome.SUCCEEDED


class TaskReader:
    """All reads of the FUOTA sibling."""

    def __init__(self, transport: AwsTransport) -> None:
        self._transport = transport

    def _get(self, operation: str, parameters: JsonObject) -> dict[str, object]:
        return self._transport.call(SERVICE, operation, parameters, repeatable=True)

    def pages(self, operation: str, member: str, parameters: JsonObject) -> Iterator[dict[str, object]]:
        """Every item of a list, page after page."""
        token: object = None
        while True:
            asked: JsonObject = {**parameters, "MaxResults": PAGE}
            if token is not None:
                asked["NextToken"] = token
            answer = self._get(operation, asked)
            items = answer.get(member)
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict):
                    yield item
            token = answer.get("NextToken")
            if not token:
                return

    def unit(self, vendor_id: str, attempt: Attempt, rollout: Rollout, owner: str) -> Unit | None:
        """One task with its tags and members; its devices' results too when it is done and they are not recorded."""
        try:
            task = self._get("GetFuotaTask", {"Id": vendor_id})
            arn = str(task.get("Arn", ""))
            tags = self._get("ListTagsForResource", {"ResourceArn": arn}).get("Tags")
            marks = _tags(tags)
            targets = _targets(rollout, marks, attempt)
            items = self._members(vendor_id, targets)
        except NotFoundError:
            return None
        phase = task_phase(task.get("Status"))
        lorawan = task.get("LoRaWAN")
        lorawan = lorawan if isinstance(lorawan, dict) else {}
        fields: JsonObject = {
            ours: task[theirs] for ours, theirs in FIELD_MEMBERS.items() if task.get(theirs) is not None
        }
        if lorawan.get("RfRegion") is not None:
            fields["rfRegion"] = lorawan["RfRegion"]
        name = str(task.get("Name", ""))
        results = self._results(vendor_id, items, targets, attempt) if phase is UnitPhase.ENDED else None
        running = phase is UnitPhase.RUNNING and attempt.before
        return Unit(
            reset=self._reset(targets, attempt) if running else (),
            unit_id=name.removeprefix(f"{owner}-") if name.startswith(f"{owner}-") else attempt.unit_id,
            phase=phase,
            vendor_id=vendor_id,
            arn=arn,
            fields=fields,
            marks=marks,
            members=tuple(sorted(_keys(items, targets))),
            start_at=_moment(lorawan.get("StartTime")),
            created_at=_moment(task.get("CreatedAt")),
            results=results,
        )

    def _reset(self, targets: Targets, attempt: Attempt) -> tuple[str, ...]:
        listed = [item for group in targets.multicast_groups for item in self.group_devices(group)]
        shown = {str(i["Id"]): device_outcome(i.get("FuotaDeviceStatus"), ended=False)[0] for i in listed}
        return tuple(d for d in attempt.before if d in shown and shown[d] is not _SUCCESS)

    def _members(self, vendor_id: str, targets: Targets) -> list[dict[str, object]]:
        if targets.multicast_groups:
            return list(self.pages("ListMulticastGroupsByFuotaTask", "MulticastGroupList", {"Id": vendor_id}))
        return list(self.pages("ListWirelessDevices", "WirelessDeviceList", {"FuotaTaskId": vendor_id}))

    def _results(
        self, vendor_id: str, items: list[dict[str, object]], targets: Targets, attempt: Attempt
    ) -> tuple[DeviceResult, ...]:
        merged: dict[str, DeviceResult] = {}
        by_task = items
        if targets.multicast_groups:
            by_task = list(self.pages("ListWirelessDevices", "WirelessDeviceList", {"FuotaTaskId": vendor_id}))
            for group in items:
                for item in self.group_devices(str(group["Id"])):
                    found = _result(item, via=f"group:{group['Id']}")
                    merged.setdefault(found.device, _proved(found, attempt.before))
        for item in by_task:
            own = _result(item, via=None)
            other = merged.get(own.device)
            merged[own.device] = msgspec.structs.replace(own, via=(other.via if other else None) or own.via)
        for device in attempt.devices:
            merged.setdefault(device, silent(DeviceResult(device=device, outcome=Outcome.FAILED)))
        if not targets.multicast_groups:
            present = {key for item in by_task for key in _device_keys(item)}
            # An adopted task shows who is in now; who was in at its start only the manifest can tell.
            adopted = not attempt.annotations
            for key in sorted({*attempt.members, *(targets.keys if adopted else ())}):
                if key not in present:
                    merged[key] = silent(DeviceResult(device=key, outcome=Outcome.FAILED))
        return tuple(merged[key] for key in sorted(merged))

    def group_devices(self, group: str) -> Iterator[dict[str, object]]:
        """The devices of a multicast group, with the FUOTA status each shows, whichever task it is of."""
        return self.pages("ListWirelessDevices", "WirelessDeviceList", {"MulticastGroupId": group})

    def before_start(self, vendor_id: str, groups: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Devices of the groups of a full task, and those whose success later would prove nothing.

        Where the list by task has the groups' members, its statuses are of this task. Where it has not, only the list
        by group tells, and what it shows may be of a task before.
        """
        named = [item for group in groups for item in self.group_devices(group)]
        devices = tuple(sorted({str(item["Id"]) for item in named}))
        by_task = self.pages("ListWirelessDevices", "WirelessDeviceList", {"FuotaTaskId": vendor_id})
        if next(by_task, None) is not None:
            return devices, ()
        done = {str(i["Id"]) for i in named if device_outcome(i.get("FuotaDeviceStatus"), ended=True)[0] is _SUCCESS}
        return devices, tuple(sorted(done))

    def group(self, key: str, group: str) -> TargetFacts:
        """A multicast group: its region, devices wanted and ready."""
        try:
            answer = self._get("GetMulticastGroup", {"Id": group})
        except NotFoundError:
            return TargetFacts(key=key, exists=False)
        lorawan = answer.get("LoRaWAN")
        lorawan = lorawan if isinstance(lorawan, dict) else {}
        region, wanted, ready = (
            lorawan.get(name) for name in ("RfRegion", "NumberOfDevicesRequested", "NumberOfDevicesInGroup")
        )
        return TargetFacts(
            key=key,
            exists=True,
            vendor_id=group,
            region=str(region) if region is not None else None,
            requested=wanted if isinstance(wanted, int) else None,
            ready=ready if isinstance(ready, int) else None,
        )

    def device(self, key: str, eui: str) -> TargetFacts:
        """A single device named by its DevEUI: the service's id of it."""
        try:
            answer = self._get("GetWirelessDevice", {"Identifier": eui, "IdentifierType": "DevEui"})
        except NotFoundError:
            return TargetFacts(key=key, exists=False)
        return TargetFacts(key=key, exists=True, vendor_id=str(answer.get("Id", "")))


def _targets(rollout: Rollout, marks: dict[str, str], attempt: Attempt) -> Targets:
    """What the task holds: groups or devices, never both, and each has its own list call.

    What we put in tells first, the wave's declaration next; without a wave mark (stripped by hand, or a wave that left
    the manifest) the first wave's kind is the best guess.
    """
    waves = rollout.strategy.waves
    wave = next((w for w in waves if w.name == marks.get(MARK_WAVE)), waves[0])
    declared = rollout.targets_of(wave)
    if attempt.only:
        return Targets(wireless_devices=tuple(_device(k) for k in attempt.only))
    groups = tuple(k.removeprefix("group:") for k in attempt.targets if k.startswith("group:"))
    if groups:
        return Targets(multicast_groups=groups)
    if attempt.targets and declared.multicast_groups:
        return Targets(wireless_devices=tuple(_device(k) for k in attempt.targets))
    return declared


def _device(key: str) -> Device:
    kind, _, rest = key.partition(":")
    return Device(dev_eui=rest) if kind == "devEui" else Device(id=rest)


def _keys(items: list[dict[str, object]], targets: Targets) -> set[str]:
    if targets.multicast_groups:
        return {f"group:{item['Id']}" for item in items}
    wanted = set(targets.keys)
    keys = set()
    for item in items:
        names = _device_keys(item)
        keys.add(next((n for n in names if n in wanted), names[0]))
    return keys


def _device_keys(item: dict[str, object]) -> tuple[str, ...]:
    """Every key a manifest may name this device by."""
    eui = _eui(item)
    return (f"device:{item['Id']}", *((f"devEui:{eui}",) if eui else ()))


def _eui(item: dict[str, object]) -> str | None:
    lorawan = item.get("LoRaWAN")
    eui = lorawan.get("DevEui") if isinstance(lorawan, dict) else None
    return str(eui).lower() if eui else None


def _result(item: dict[str, object], via: str | None) -> DeviceResult:
    outcome, reason = device_outcome(item.get("FuotaDeviceStatus"), ended=True)
    group = item.get("McGroupId")
    result = DeviceResult(
        device=str(item["Id"]),
        outcome=outcome,
        reason=reason,
        name=_eui(item),
        via=via or (f"group:{group}" if group else None),
    )
    return silent(result) if reason is Reason.TIMEOUT else result


def silent(result: DeviceResult) -> DeviceResult:
    """A device that has not answered: a failure for now."""
    return msgspec.structs.replace(result, outcome=Outcome.FAILED, reason=Reason.TIMEOUT, silent=True)


def _proved(result: DeviceResult, before: tuple[str, ...]) -> DeviceResult:
    """A group's word for a device: a success it showed before the start already is silence."""
    if result.outcome is _SUCCESS and result.device in before:
        return silent(result)
    return result


def _tags(tags: object) -> dict[str, str]:
    listed = tags if isinstance(tags, list) else []
    return {str(t["Key"]): str(t["Value"]) for t in listed if isinstance(t, dict)}


def _moment(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC)
