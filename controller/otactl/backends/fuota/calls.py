"""Translates actions to the exact calls of AWS IoT Wireless: pure, deterministic, without a client.

1. Name, token and tags go out in the one Create call, so a task is never there without its owner mark.
2. The token is a sha256 of what names the unit: the same after a crash, another for another attempt, because the
   effect of a used token after its task was deleted is not documented.
3. Start is the one call that must not be repeated blindly: a second start is undocumented.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import msgspec

from otactl.backends.aws.calls import calls_of, mark_calls
from otactl.backends.aws.tags import marks_of, tag_list
from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.statuses import FIELD_MEMBERS
from otactl.model import JsonObject, Observation
from otactl.model.actions import (
    Action,
    AddMembers,
    Call,
    CancelUnit,
    CreateUnit,
    DeleteUnit,
    MarkUnit,
    Placeholder,
    RemoveMembers,
    ResendCreate,
    StartUnit,
    UnitDeclaration,
    UpdateUnit,
    unit_of,
)
from otactl.state.intents import member_key

SERVICE = "iotwireless"
START_LEAD = timedelta(minutes=30)  # developer guide, "Create FUOTA task": start at least 30 minutes ahead


def task_name(unit: UnitDeclaration) -> str:
    """Return the task's Name: `<owner>-` and the unit id."""
    return f"{unit.owner}-{unit.unit_id}"


def token(unit: UnitDeclaration) -> str:
    """Return the ClientRequestToken: 64 hexadecimal characters, the longest the API takes."""
    return hashlib.sha256(f"otactl/v1/{unit.owner}/{unit.environment}/{unit.unit_id}".encode()).hexdigest()


def desired(unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
    """Fields by manifest name and tags, as reads are to show them; one that was adopted has any name."""
    spec = FuotaConfig.of(unit)
    fields: JsonObject = {
        "name": None if unit.adopted else task_name(unit),
        "rfRegion": spec.rf_region,
        "image": unit.firmware.image,
        "role": spec.role,
        "redundancyPercent": spec.redundancy_percent,
        "fragmentSizeBytes": spec.fragment_size_bytes,
        "fragmentIntervalMs": spec.fragment_interval_ms,
        "descriptor": spec.descriptor,
        "description": spec.description,
    }
    return {name: value for name, value in fields.items() if value is not None}, {**spec.tags, **marks_of(unit)}


def lower(action: Action, seen: Observation) -> tuple[Call, ...]:
    """Return the calls that carry an action out."""
    match action:
        case CreateUnit(unit=unit):
            return (_create(unit),)
        case ResendCreate(call=recorded):
            return (_call(f"createUnit/{unit_of(action)}", recorded.operation, dict(recorded.parameters)),)
        case UpdateUnit(unit=unit, vendor_id=vendor_id, fields=fields):
            return (
                _call(f"updateUnit/{unit.unit_id}", "UpdateFuotaTask", {"Id": vendor_id, **_members(unit, fields)}),
            )
        case MarkUnit():
            return mark_calls(action, desired(action.unit)[1], _call, capital=True)
        case AddMembers() | RemoveMembers():
            return tuple(_member(action, member, seen) for member in action.members)
        case StartUnit(unit=unit, vendor_id=vendor_id, start_at=start_at):
            parameters: JsonObject = {"Id": vendor_id, "LoRaWAN": {"StartTime": start_at}}
            return (
                Call(
                    key=f"startUnit/{unit.unit_id}",
                    service=SERVICE,
                    operation="StartFuotaTask",
                    parameters=parameters,
                    repeatable=False,
                    not_after=start_at - START_LEAD,
                    permission="iotwireless:StartFuotaTask",
                ),
            )
        case CancelUnit():
            raise TypeError("a FUOTA task cannot stop before devices that have not started; its capabilities say so")
        case DeleteUnit(vendor_id=vendor_id):
            call = _call(f"deleteUnit/{action.unit_id}", "DeleteFuotaTask", {"Id": vendor_id})
            return (msgspec.structs.replace(call, not_after=action.not_after),)


_call = calls_of(SERVICE)


def _members(unit: UnitDeclaration, names: tuple[str, ...]) -> JsonObject:
    fields, _ = desired(unit)
    members: JsonObject = {FIELD_MEMBERS[n]: fields[n] for n in names if n in FIELD_MEMBERS}
    if "rfRegion" in names:
        members["LoRaWAN"] = {"RfRegion": fields["rfRegion"]}
    return members


def _create(unit: UnitDeclaration) -> Call:
    fields, marks = desired(unit)
    parameters: JsonObject = {
        **_members(unit, tuple(fields)),
        "ClientRequestToken": token(unit),
        "Tags": tag_list(marks),
    }
    return _call(f"createUnit/{unit.unit_id}", "CreateFuotaTask", parameters)


def _member(action: AddMembers | RemoveMembers, member: str, seen: Observation) -> Call:
    kind, vendor_id = member_id(action.vendor_id, member, seen)
    verb, preposition = ("Associate", "With") if isinstance(action, AddMembers) else ("Disassociate", "From")
    noun, parameter = (
        ("MulticastGroup", "MulticastGroupId") if kind == "group" else ("WirelessDevice", "WirelessDeviceId")
    )
    parameters: JsonObject = {"Id": action.vendor_id, parameter: vendor_id}
    return _call(member_key(action, member), f"{verb}{noun}{preposition}FuotaTask", parameters)


def member_id(task: str, member: str, seen: Observation) -> tuple[str, str | Placeholder]:
    """Kind (`group` or `device`) and service id of a target key such as `group:…`, `device:…` or `devEui:…`.

    A DevEUI that was not looked up yet, as in an outlook, is shown as a placeholder.
    """
    kind, _, rest = member.partition(":")
    facts = next((t for t in seen.targets if t.key == member), None)
    unit = next((u for u in seen.units if u.vendor_id == task), None)
    known = facts.vendor_id if facts is not None and facts.vendor_id else unit.ids.get(member) if unit else None
    if known is None and kind == "devEui":
        return "device", Placeholder(of=f"id of DevEUI {rest}")
    return ("group" if kind == "group" else "device"), known or rest
