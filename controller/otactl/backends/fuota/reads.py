"""Reads tasks, groups and devices of AWS IoT Wireless into the model.

1. The SDK ships no paginator for these lists, so the token is followed here, 250 a page.
2. What is not there is None, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.statuses import FIELD_MEMBERS, device_outcome, task_phase
from otactl.model import (
    Attempt,
    Cause,
    Device,
    DeviceResult,
    JsonObject,
    Outcome,
    Reason,
    Rollout,
    ServiceFinding,
    Targets,
    Unit,
    UnitPhase,
)
from otactl.model.tags import TAG_WAVE
from otactl.verdicts.version_proof import some

Item = dict[str, object]
PAGE = 250
SERVICE = "iotwireless"
_SUCCESS = Outcome.SUCCEEDED


class TaskReader:
    """All reads of the FUOTA backend."""

    def __init__(self, transport: AwsClient) -> None:
        self._transport = transport

    def get(self, operation: str, parameters: JsonObject) -> Item:
        """Return one read of AWS IoT Wireless."""
        return self._transport.call(SERVICE, operation, parameters, repeatable=True)

    def pages(self, operation: str, member: str, parameters: JsonObject) -> Iterator[Item]:
        """Yield every item of a list, page after page."""
        token: object = None
        while True:
            asked: JsonObject = {**parameters, "MaxResults": PAGE}
            if token is not None:
                asked["NextToken"] = token
            answer = self.get(operation, asked)
            items = answer.get(member)
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict):
                    yield item
            token = answer.get("NextToken")
            if not token:
                return

    def tags(self, arn: str) -> dict[str, str]:
        """Return the tags of a task; none when it is gone."""
        try:
            return _tags(self.get("ListTagsForResource", {"ResourceArn": arn}).get("Tags"))
        except NotFoundError:
            return {}

    def unit(self, vendor_id: str, attempt: Attempt, rollout: Rollout, owner: str) -> Unit | None:
        """Return one task with its tags and members.

        Its devices' results too when it is done and they are not recorded.
        """
        try:
            task = self.get("GetFuotaTask", {"Id": vendor_id})
            arn = str(task.get("Arn", ""))
            tags = self.get("ListTagsForResource", {"ResourceArn": arn}).get("Tags")
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
        fields = as_declared(fields, rollout)
        name = str(task.get("Name", ""))
        results, shared = self._results(vendor_id, items, targets, attempt) if phase is UnitPhase.ENDED else (None, ())
        joined = _joined(results or (), attempt, groups=bool(targets.multicast_groups))
        strange = {r.device for r in joined}
        running = phase is UnitPhase.RUNNING and attempt.already_succeeded
        return Unit(
            success_cleared=self._reset(targets, attempt) if running else (),
            unit_id=name.removeprefix(f"{owner}-") if name.startswith(f"{owner}-") else attempt.unit_id,
            phase=phase,
            vendor_id=vendor_id,
            arn=arn,
            fields=fields,
            tags=marks,
            members=tuple(sorted(_keys(items, targets))),
            ids=_ids(items, targets),
            start_at=moment(lorawan.get("StartTime")),
            created_at=moment(task.get("CreatedAt")),
            results=None if results is None else tuple(r for r in results if r.device not in strange),
            updated_uncounted=tuple(r.device for r in joined if r.outcome is _SUCCESS),
            shared=shared,
            findings=_joined_findings([r.name or r.device for r in joined]),
        )

    def _reset(self, targets: Targets, attempt: Attempt) -> tuple[str, ...]:
        listed = (item for group in targets.multicast_groups for item in self.group_devices(group))
        shown = {str(i["Id"]): device_outcome(i.get("FuotaDeviceStatus"), ended=False)[0] for i in listed}
        return tuple(d for d in attempt.already_succeeded if d in shown and shown[d] is not _SUCCESS)

    def _members(self, vendor_id: str, targets: Targets) -> list[Item]:
        if targets.multicast_groups:
            return list(self.pages("ListMulticastGroupsByFuotaTask", "MulticastGroupList", {"Id": vendor_id}))
        return list(self.pages("ListWirelessDevices", "WirelessDeviceList", {"FuotaTaskId": vendor_id}))

    def _results(
        self, vendor_id: str, items: list[Item], targets: Targets, attempt: Attempt
    ) -> tuple[tuple[DeviceResult, ...], tuple[str, ...]]:
        """Return the devices by what became of them, and those of which only their group tells.

        It shows the newest status, whichever task it is of.
        """
        merged: dict[str, DeviceResult] = {}
        by_task: Iterable[Item] = items
        own_word, before = set[str](), frozenset(attempt.already_succeeded)
        if targets.multicast_groups:
            by_task = self.pages("ListWirelessDevices", "WirelessDeviceList", {"FuotaTaskId": vendor_id})
            for group in items:
                for item in self.group_devices(str(group["Id"])):
                    found = _result(item, via=f"group:{group['Id']}")
                    merged.setdefault(found.device, _proved(found, before))
        for item in by_task:
            own = _result(item, via=None)
            other = merged.get(own.device)
            merged[own.device] = msgspec.structs.replace(own, via=(other.via if other else None) or own.via)
            own_word.add(own.device)
        for device in attempt.devices:
            gone = DeviceResult(device=device, outcome=Outcome.FAILED, name=attempt.names.get(device))
            merged.setdefault(device, silent(gone))
        if targets.multicast_groups and not attempt.devices:
            inside = {f"group:{group['Id']}" for group in items}
            for key in sorted({*attempt.members} - inside):
                merged = {**{r.device: r for r in self._left_out(key)}, **merged}
        if not targets.multicast_groups and not attempt.devices:  # the devices it was started with are not recorded
            present = {key for item in items for key in device_keys(item)}
            # An adopted task shows who is in now; who was in at its start only the manifest can tell.
            adopted = not attempt.annotation_digest
            for key in sorted({*attempt.members, *(targets.keys if adopted else ())}):
                if key not in present:
                    merged[key] = silent(DeviceResult(device=key, outcome=Outcome.FAILED))
        shared = [d for d, r in merged.items() if r.via is not None and d not in own_word]
        return tuple(merged[key] for key in sorted(merged)), tuple(sorted(shared))

    def _left_out(self, key: str) -> list[DeviceResult]:
        """Return the devices of a group that was taken out before another actor started the task: none of them answers.

        A group that does not exist any more counts as one device.
        """
        try:
            found = [_result(item, via=key) for item in self.group_devices(key.removeprefix("group:"))]
        except NotFoundError:
            found = [DeviceResult(device=key, outcome=Outcome.FAILED)]
        return [silent(result) for result in found]

    def group_devices(self, group: str) -> Iterator[Item]:
        """Yield the devices of a multicast group, with the FUOTA status each shows, whichever task it is of."""
        return self.pages("ListWirelessDevices", "WirelessDeviceList", {"MulticastGroupId": group})


def _targets(rollout: Rollout, marks: dict[str, str], attempt: Attempt) -> Targets:
    """Return what the task holds: groups or devices, never both, and each has its own list call.

    What we put in tells first, the wave's declaration next; without a wave mark (stripped by hand, or a wave that left
    the manifest) the first wave's kind is the best guess.
    """
    waves = rollout.strategy.waves
    wave = next((w for w in waves if w.name == marks.get(TAG_WAVE)), waves[0])
    declared = rollout.targets_of(wave)
    if attempt.retry_targets:
        return Targets(wireless_devices=tuple(_device(k) for k in attempt.retry_targets))
    groups = tuple(k.removeprefix("group:") for k in attempt.targets if k.startswith("group:"))
    if groups:
        return Targets(multicast_groups=groups)
    if attempt.targets and declared.multicast_groups:
        return Targets(wireless_devices=tuple(_device(k) for k in attempt.targets))
    return declared


def _device(key: str) -> Device:
    kind, _, rest = key.partition(":")
    return Device(dev_eui=rest) if kind == "devEui" else Device(id=rest)


def as_declared(fields: JsonObject, rollout: Rollout) -> JsonObject:
    """Return the fields with what the service may write otherwise as the manifest writes it.

    An interval is rounded to the nearest second, and base64 may come without its padding.
    """
    spec = FuotaConfig.of(rollout)
    changed = dict(fields)
    interval, shown = spec.fragment_interval_ms, fields.get("fragmentIntervalMs")
    if interval is not None and shown == (interval + 500) // 1000 * 1000:
        changed["fragmentIntervalMs"] = interval
    descriptor, shown = spec.descriptor, fields.get("descriptor")
    if descriptor is not None and isinstance(shown, str) and shown.rstrip("=") == descriptor.rstrip("="):
        changed["descriptor"] = descriptor
    return changed


def _keys(items: list[Item], targets: Targets) -> set[str]:
    if targets.multicast_groups:
        return {f"group:{item['Id']}" for item in items}
    wanted = _by_letters(targets)
    keys: set[str] = set()
    for item in items:
        names = device_keys(item)
        keys |= {wanted[n.lower()] for n in names if n.lower() in wanted} or {names[0]}
    return keys


def _by_letters(targets: Targets) -> dict[str, str]:
    """Return target keys by their letters: an id in capitals is the same device."""
    return {key.lower(): key for key in targets.keys}


def _ids(items: list[Item], targets: Targets) -> dict[str, str]:
    """Return the ids of single devices inside, by every key, and by the one the manifest has."""
    if targets.multicast_groups:
        return {}
    ids = {key: str(item["Id"]) for item in items for key in device_keys(item)}
    wanted = _by_letters(targets)
    return {**ids, **{wanted[key.lower()]: device for key, device in ids.items() if key.lower() in wanted}}


def device_keys(item: Item) -> tuple[str, ...]:
    """Return every key a manifest may name this device by."""
    eui = eui_of(item)
    return (f"device:{item['Id']}", *((f"devEui:{eui}",) if eui else ()))


def eui_of(item: Item) -> str | None:
    lorawan = item.get("LoRaWAN")
    eui = lorawan.get("DevEui") if isinstance(lorawan, dict) else None
    return str(eui).lower() if eui else None


def _result(item: Item, via: str | None) -> DeviceResult:
    outcome, reason = device_outcome(item.get("FuotaDeviceStatus"), ended=True)
    group = item.get("McGroupId")
    result = DeviceResult(
        device=str(item["Id"]),
        outcome=outcome,
        reason=reason,
        name=eui_of(item),
        via=via or (f"group:{group}" if group else None),
    )
    return silent(result) if reason is Reason.TIMEOUT else result


def silent(result: DeviceResult) -> DeviceResult:
    """Return a device that has not answered: a failure for now."""
    return msgspec.structs.replace(result, outcome=Outcome.FAILED, reason=Reason.TIMEOUT, silent=True)


SHOWN_BEFORE = (
    "their group showed success before the start already, and no run during the session saw that gone, so it proves "
    "nothing; look at them and judge them by what they report (strategy.confirm with version), or try them again "
    "(strategy.retry with on: [timeout]) with a reconcile every few minutes"
)
"""What is said of a device whose success may be of the session before."""


def _proved(result: DeviceResult, before: frozenset[str]) -> DeviceResult:
    """Return a group's result for a device; a success that it showed before the start is silence."""
    if result.outcome is _SUCCESS and result.device in before:
        return msgspec.structs.replace(silent(result), detail=SHOWN_BEFORE)
    return result


def _joined(results: tuple[DeviceResult, ...], attempt: Attempt, *, groups: bool) -> list[DeviceResult]:
    """Return devices that joined a group after the start, where it is known who was in by then."""
    if not attempt.devices:
        return []
    started = frozenset(attempt.devices)
    return [r for r in results if (groups or r.via is not None) and r.device not in started]


def _joined_findings(names: list[str]) -> tuple[ServiceFinding, ...]:
    if not names:
        return ()
    shown = some(names)
    return (
        ServiceFinding(field="devices.joined", desired="none after the start", observed=shown, cause=Cause.MEMBERSHIP),
    )


def _tags(tags: object) -> dict[str, str]:
    listed = tags if isinstance(tags, list) else []
    return {str(t["Key"]): str(t["Value"]) for t in listed if isinstance(t, dict)}


def moment(value: object) -> datetime | None:
    """Return an aware time in UTC."""
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC)
