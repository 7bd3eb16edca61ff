"""Finds FUOTA tasks that another actor created, and reads each as a manifest would declare it.

1. Figures, role and targets are what the service shows. The version it does not know: it is given, or the one version
   in the image's name.
2. The data rate of a session is read back while it runs. Of one that has ended it is assumed: the slowest rate that
   holds a fragment, by which the service is presumed to choose.
3. The service reads the image when the session starts, so the image counts as it was then.
4. Groups are read as they are now: who was inside at the start, the service does not show.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.backends.aws.existing_image import existing_image
from otactl.backends.aws.existing_units import existing_units
from otactl.backends.aws.image_and_role import ImageAndRoleReader, split_uri
from otactl.backends.aws.tags import carries_marks, tags_of_others
from otactl.backends.fuota.reads import Item, TaskReader, device_keys, eui_of, moment
from otactl.backends.fuota.session_rate import session_rate
from otactl.backends.fuota.statuses import FIELD_MEMBERS, task_phase
from otactl.backends.fuota.targets import TargetReader
from otactl.backends.fuota.things import ThingReader
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.regions import region
from otactl.model import (
    AdoptionRequest,
    Doubt,
    ExistingUnit,
    ExistingUnits,
    Firmware,
    JsonObject,
    UnitPhase,
)

_VERSION = re.compile(r"(?<![0-9.])[0-9]+(?:\.[0-9]+)+(?![0-9])")
_OF_GROUPS = ("fragmentSizeBytes",)
_NOT_IN_BLOCK = ("name", "image")
HAS_CONTENT = (UnitPhase.SCHEDULED, UnitPhase.RUNNING, UnitPhase.ENDED)


class TaskFinder:
    """Reads every task of the account and Region."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client
        self._reader = TaskReader(client)
        self._targets = TargetReader(self._reader, ThingReader(client))
        self._facts = ImageAndRoleReader(client)

    def existing(self, request: AdoptionRequest, known: Collection[str]) -> ExistingUnits:
        """Read the tasks that are not `known`."""
        listed = self._reader.pages("ListFuotaTasks", "FuotaTaskList", {})
        return existing_units((str(item["Id"]) for item in listed), known, lambda task: self._unit(task, request))

    def _unit(self, vendor_id: str, request: AdoptionRequest) -> ExistingUnit | None:
        """Return one task; None when it was deleted meanwhile."""
        try:
            task = self._reader.get("GetFuotaTask", {"Id": vendor_id})
            tags = self._reader.tags(str(task.get("Arn", "")))
            phase = task_phase(task.get("Status"))
            if carries_marks(tags) or phase not in HAS_CONTENT:
                return _thin(task, tags, phase)
            return self._whole(task, tags, phase, request)
        except NotFoundError:
            return None

    def _whole(self, task: Item, tags: dict[str, str], phase: UnitPhase, request: AdoptionRequest) -> ExistingUnit:
        thin = _thin(task, tags, phase)
        asked: JsonObject = {"Id": thin.vendor_id}
        listed = self._reader.pages("ListMulticastGroupsByFuotaTask", "MulticastGroupList", asked)
        groups = [str(group["Id"]) for group in listed]
        by_task: JsonObject = {"FuotaTaskId": thin.vendor_id}
        singles = list(self._reader.pages("ListWirelessDevices", "WirelessDeviceList", by_task)) if not groups else []
        lorawan = task.get("LoRaWAN")
        lorawan = lorawan if isinstance(lorawan, dict) else {}
        names = {ours: theirs for ours, theirs in FIELD_MEMBERS.items() if ours not in _NOT_IN_BLOCK}
        block: JsonObject = {ours: task[theirs] for ours, theirs in names.items() if task.get(theirs) is not None}
        if lorawan.get("RfRegion") is not None:
            block["rfRegion"] = lorawan["RfRegion"]
        if others := tags_of_others(tags):
            block["tags"] = others
        targets, reaches, devices, called, doubts = self._reached(groups, singles)
        notes: tuple[str, ...] = ()
        if groups:
            block, notes = self._with_rate(block, groups, phase)
        else:
            block = {name: value for name, value in block.items() if name not in _OF_GROUPS}
        image = str(task.get("FirmwareUpdateImage", ""))
        firmware, doubt, note = self._firmware(thin, image, request)
        return ExistingUnit(
            vendor_id=thin.vendor_id,
            name=thin.name,
            arn=thin.arn,
            phase=phase,
            created_at=thin.created_at,
            start_at=thin.start_at or thin.created_at,
            tags=tags,
            block=block,
            firmware=firmware,
            targets=targets,
            reaches=reaches,
            devices=devices,
            names=called,
            doubts=(*doubts, *((doubt,) if doubt is not None else ())),
            notes=(*notes, *((note,) if note else ())),
        )

    def _reached(
        self, groups: list[str], singles: list[Item]
    ) -> tuple[JsonObject, tuple[str, ...], tuple[str, ...], dict[str, str], tuple[Doubt, ...]]:
        """Return the targets as a manifest names them, every key they have, their devices, and what is missing."""
        if not groups:
            ids = sorted(str(item["Id"]) for item in singles)
            keys = tuple(sorted({key for item in singles for key in device_keys(item)}))
            called = {str(item["Id"]): eui for item in singles if (eui := eui_of(item))}
            doubts = () if ids else (_no_targets("it has no device and no group"),)
            return {"wirelessDevices": ids}, keys, tuple(ids), called, doubts
        facts = self._targets.of(tuple(f"group:{g}" for g in sorted(groups)), None, self._facts)
        gone = [fact.key.partition(":")[2] for fact in facts if not fact.exists]
        names = {device: name for fact in facts for device, name in fact.names.items()}
        devices = tuple(sorted({device for fact in facts for device in fact.devices}))
        keys = tuple(sorted({key for fact in facts for key in fact.keys}))
        doubts = (_no_targets(f"its group {', '.join(gone)} is not there any more"),) if gone else ()
        return {"multicastGroups": sorted(groups)}, keys, devices, names, doubts

    def _with_rate(self, block: JsonObject, groups: list[str], phase: UnitPhase) -> tuple[JsonObject, tuple[str, ...]]:
        """Return the block with a data rate (rule 2), and what was assumed."""
        read = (session_rate(self._client, group) for group in groups) if phase is UnitPhase.RUNNING else iter(())
        rates = sorted({rate for rate in read if rate is not None})
        if rates:
            return {**block, "dataRate": rates[0]}, ()
        size, where = block.get("fragmentSizeBytes"), block.get("rfRegion")
        if not isinstance(size, int) or not isinstance(where, str):
            return block, ()
        try:
            rate = region(where).slowest_rate_for(size).dr
        except LorawanError:
            return block, ()
        note = f"fuota.dataRate {rate} is assumed: the slowest rate that holds a fragment of {size} bytes"
        return {**block, "dataRate": rate}, (note,)

    def _firmware(
        self, unit: ExistingUnit, image: str, request: AdoptionRequest
    ) -> tuple[Firmware | None, Doubt | None, str]:
        """Return what it sends, or why that is not known, and where its version is from (rules 1 and 3)."""
        read_at = unit.start_at if unit.phase is not UnitPhase.SCHEDULED else None
        found = existing_image(self._client, image, read_at=read_at)
        if isinstance(found, Doubt):
            return None, found, ""
        version, note = request.versions.get(unit.vendor_id, ""), ""
        if not version:
            named = sorted(set(_VERSION.findall(split_uri(image)[1].rpartition("/")[2])))
            if len(named) != 1:
                text = f"the service does not show its version, and the name of {image} does not hold exactly one"
                fix = f"give it: --version {unit.vendor_id}=VERSION"
                return None, Doubt(code="version_is_not_known", message=text, fix=fix), ""
            version, note = named[0], f"firmware.version {named[0]} is from the image's name"
        return Firmware(version=version, image=image, sha256=found.sha256, size_bytes=found.size_bytes), None, note


def _thin(task: Item, tags: dict[str, str], phase: UnitPhase) -> ExistingUnit:
    lorawan = task.get("LoRaWAN")
    return ExistingUnit(
        vendor_id=str(task["Id"]),
        name=str(task.get("Name", "")),
        arn=str(task.get("Arn", "")),
        phase=phase,
        tags=tags,
        created_at=moment(task.get("CreatedAt")),
        start_at=moment(lorawan.get("StartTime")) if isinstance(lorawan, dict) else None,
    )


def _no_targets(message: str) -> Doubt:
    fix = "leave it alone: what it sent cannot be related to devices"
    return Doubt(code="targets_are_not_known", message=message, fix=fix)
