"""Translates actions to the exact calls of Tuya's gateway: pure, deterministic, without a client.

1. A batch takes no name, no token and no tag: nothing in it says whose it is. It is never sent twice on a guess, and
   the request carries the moment it was decided, so that a late copy of it is refused by the gateway's own clock. It
   is dropped unsent well before that: the rollout is then assessed again.
2. A batch cannot be changed: other content cancels it and makes another.
3. Cancelling names all three kinds of task that can be canceled; a device that has started finishes.
4. A wave of more devices than a batch takes is made in parts; only those not there yet are made (`batching`). A
   device that has the version, or that the service would make no task for, is not named: it refuses a batch of such.
5. Tasks that wait for a confirmation are confirmed for the waves the manifest names, and those that otactl adds for
   devices declared later in one of them, ten in a call.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from otactl.backends.tuya.batching import parts_of
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.statuses import TO_CONFIRM
from otactl.model import JsonObject, Observation, Unit
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
)

SERVICE = "tuya"
MAKE, CONFIRM = "CreateOTAStaticUpgradeJob", "ConfirmOTATask"
FRESH = timedelta(minutes=10)  # of the gateway's 15 [V Alibaba]; the rest is for the way there and for its clock
MOST_CONFIRMED = 10  # task ids of one ConfirmOTATask [V]
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


def desired(unit: UnitDeclaration) -> JsonObject:
    """Return the fields that QueryOTAJob is to show."""
    spec = TuyaConfig.of(unit)
    document = spec.document
    fields: JsonObject = {name: document[name] for name in COMPARED if name in document}
    fields["targetSelection"] = spec.fields.target_selection
    fields["version"] = unit.firmware.version
    if spec.sources:
        fields["srcVersions"] = sorted(spec.sources)
    if {unit.wave, unit.home} & set(spec.fields.confirm_waves):
        fields[TO_CONFIRM] = []
    return fields


def lower(action: Action, seen: Observation) -> tuple[Call, ...]:
    """Return the calls that carry an action out."""
    match action:
        case CreateUnit(unit=unit):
            return _create(action, unit, seen)
        case CancelUnit(vendor_id=vendor_id):
            return _cancel(action.unit_id, _shown(seen, vendor_id), vendor_id)
        case UpdateUnit(unit=unit, fields=fields, waiting=waiting) if fields == (TO_CONFIRM,):
            return _confirm(unit.unit_id, waiting.get(TO_CONFIRM, ()))
        case ResendCreate() | UpdateUnit() | MarkUnit() | AddMembers() | RemoveMembers() | StartUnit() | DeleteUnit():
            raise TypeError(f"a Tuya batch takes no {type(action).__name__}; its capabilities say so")


def _shown(seen: Observation, vendor_id: str) -> Unit | None:
    return next((u for u in seen.units if u.vendor_id == vendor_id), None)


def _create(action: CreateUnit, unit: UnitDeclaration, seen: Observation) -> tuple[Call, ...]:
    spec = TuyaConfig.of(unit)
    document = spec.document
    firmware = spec.fields.firmware_id or (seen.image.version if seen.image is not None else "")
    parameters: JsonObject = {
        "FirmwareId": firmware or Placeholder(of=f"id of {unit.firmware.version}"),
        "ProductKey": spec.product,
        "TargetSelection": spec.fields.target_selection,
        **{theirs: document[ours] for ours, theirs in PARAMETERS.items() if ours in document},
    }
    shown = seen.unit(unit.unit_id)
    made = shown.ids_by_call if shown is not None else {}
    without = {t.key for t in seen.targets if t.updated or t.excluded_because or not t.exists}
    rest = set(shown.missing_targets) if shown is not None and shown.missing_targets else set(unit.members)
    calls = []
    for key, members in parts_of(unit.unit_id, unit.members).items():
        names = [m.partition(":")[2] for m in members if m in rest and m not in without]
        named = {"TargetDeviceName": names} if not spec.selects else {}
        if key not in made and (names or not named):
            call = Call(
                key=key,
                service=SERVICE,
                operation=MAKE,
                parameters={**parameters, **named},
                repeatable=False,
                permission=f"tuya:{MAKE}",
                signed_at=action.start_at,
                not_after=_until(action),
            )
            calls.append(call)
    return tuple(calls)


def _until(action: CreateUnit) -> datetime | None:
    """Return the last moment a create may be sent (rule 1), or may start."""
    moments = [action.not_after, action.start_at + FRESH if action.start_at is not None else None]
    return min((m for m in moments if m is not None), default=None)


def _cancel(unit_id: str, shown: Unit | None, vendor_id: str) -> tuple[Call, ...]:
    parts = shown.ids_by_call if shown is not None and shown.ids_by_call else {"": vendor_id}
    done = shown.finished_calls if shown is not None else ()
    flags = dict.fromkeys(("CancelQueuedTask", "CancelNotifiedTask", "CancelUnconfirmedTask"), True)
    return tuple(
        Call(
            key=f"cancelUnit/{unit_id}{part.removeprefix(f'createUnit/{unit_id}')}",
            service=SERVICE,
            operation="CancelOTATaskByJob",
            parameters={"JobId": job_id, **flags},
            permission="tuya:CancelOTATaskByJob",
        )
        for part, job_id in sorted(parts.items())
        if job_id not in done
    )


def _confirm(unit_id: str, waiting: tuple[str, ...]) -> tuple[Call, ...]:
    pieces = range(0, len(waiting), MOST_CONFIRMED)
    return tuple(
        Call(
            key=f"updateUnit/{unit_id}/{n}",
            service=SERVICE,
            operation=CONFIRM,
            parameters={"TaskId": list(waiting[at : at + MOST_CONFIRMED])},
            permission=f"tuya:{CONFIRM}",
        )
        for n, at in enumerate(pieces, start=1)
    )
