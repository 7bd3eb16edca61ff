"""From our actions to the exact calls of Tuya's gateway: pure, deterministic, without a client.

1. A batch takes no name, no token and no tag: nothing in it says whose it is. It is never sent twice on a guess, and
   the request carries the moment it was decided, so that a late copy of it is refused by the gateway's own clock.
2. A batch cannot be changed: other content cancels it and makes another.
3. Cancelling names all three kinds of task that can be canceled; what a device has begun goes on to its end.
"""

from __future__ import annotations

from typing import cast

from controller.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
)
from controller.model import JsonObject, Observation, TuyaSpec

SERVICE = "tuya"
MAKE = "CreateOTAStaticUpgradeJob"
# Manifest field -> request parameter. QueryOTAJob shows the same under the manifest's own names.
PARAMETERS: dict[str, str] = {
    "srcVersions": "SrcVersion",
    "grayPercent": "GrayPercent",
    "groupId": "GroupId",
    "retryInterval": "RetryInterval",
    "retryCount": "RetryCount",
    "timeoutInMinutes": "TimeoutInMinutes",
    "needPush": "NeedPush",
    "needConfirm": "NeedConfirm",
    "downloadProtocol": "DownloadProtocol",
}
COMPARED = ("grayPercent", "groupId", "timeoutInMinutes", "needPush", "needConfirm", "retryInterval", "retryCount")
DEFAULT_MODULE = "default"


def spec_of(unit: UnitDeclaration) -> TuyaSpec:
    """The block of a unit; TypeError for one of another service."""
    if not isinstance(unit.backend, TuyaSpec):
        raise TypeError(f"{unit.unit_id} is no Tuya batch")
    return unit.backend


def desired(unit: UnitDeclaration) -> JsonObject:
    """Fields as QueryOTAJob is to show them."""
    document = spec_of(unit).document
    fields: JsonObject = {name: document[name] for name in COMPARED if name in document}
    fields["targetSelection"] = document.get("targetSelection", "SPECIFIC")
    fields["version"] = unit.firmware.version
    if "srcVersions" in document:
        fields["srcVersions"] = sorted(cast("list[str]", document["srcVersions"]))
    return fields


def lower(action: Action, seen: Observation) -> tuple[Call, ...]:
    """The calls that carry an action out."""
    match action:
        case CreateUnit(unit=unit):
            return (_create(action, unit, seen),)
        case CancelUnit(vendor_id=vendor_id):
            flags = dict.fromkeys(("CancelQueuedTask", "CancelNotifiedTask", "CancelUnconfirmedTask"), True)
            return (
                Call(
                    key=f"cancelUnit/{action.unit_id}", service=SERVICE, operation="CancelOTATaskByJob",
                    parameters={"JobId": vendor_id, **flags}, permission="tuya:CancelOTATaskByJob",
                ),
            )  # fmt: skip
        case ResendCreate() | UpdateUnit() | MarkUnit() | AddMembers() | RemoveMembers() | StartUnit() | DeleteUnit():
            raise TypeError(f"a Tuya batch takes no {type(action).__name__}; its capabilities say so")


def _create(action: CreateUnit, unit: UnitDeclaration, seen: Observation) -> Call:
    document = spec_of(unit).document
    firmware = document.get("firmwareId") or (seen.image.version if seen.image is not None else "")
    selection = document.get("targetSelection", "SPECIFIC")
    parameters: JsonObject = {
        "FirmwareId": firmware or f"<id of {unit.firmware.version}>",
        "ProductKey": document["productKey"],
        "TargetSelection": selection,
        **{theirs: document[ours] for ours, theirs in PARAMETERS.items() if ours in document},
    }
    if selection == "SPECIFIC":
        parameters["TargetDeviceName"] = [key.partition(":")[2] for key in unit.members]
    return Call(
        key=f"createUnit/{unit.unit_id}", service=SERVICE, operation=MAKE, parameters=parameters, repeatable=False,
        permission=f"tuya:{MAKE}", signed_at=action.start_at,
    )  # fmt: skip
