"""Parses answers of Tuya's gateway into typed values, whatever spelling the answer has.

1. Names are the gateway's in camelCase: of a task [V, page sample], of the rest Alibaba's names in camelCase [I].
2. Unknown members are ignored and keys compared without case; a missing one that is needed is an AnswerInvalid that
   names it, so a changed answer is never taken for an empty one.
3. `null` and, except for texts, `""` are as good as missing; a number stands for a text and a text for a number, for
   ids come as `"167"` and 19 digits do not fit everybody's numbers.
4. A list stands in a typed key (`data.simpleOTATaskInfo`) [V]; an empty list may leave the key or `data` out [I], which
   is believed unless `total` says otherwise.
5. What cannot be understood of a write's answer is a TransientError with `committed` None: the write was carried out.
6. Every text but those written for people names something: one that is long, or has characters that no name has, is
   an AnswerInvalid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar, get_args

import msgspec

from otactl.backends.tuya.errors import unreadable
from otactl.backends.tuya.operations import WRITES
from otactl.backends.tuya.responses import is_number, member
from otactl.errors import OtactlError
from otactl.model.values import JsonObject


class ResponseShape(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all answers."""


class TaskInfo(ResponseShape, frozen=True, kw_only=True):
    """One device's upgrade. ListOTATaskByJob has progress, taskDesc and timeout but no moduleName; the list of
    unfinished tasks the other way round."""

    task_id: str
    job_id: str
    firmware_id: str
    task_status: str
    product_key: str = ""
    product_name: str = ""
    device_name: str = ""
    iot_id: str = ""
    src_version: str = ""
    dest_version: str = ""
    module_name: str = ""
    progress: int | None = None
    task_desc: str = ""
    timeout: str = ""
    utc_create: str = ""
    utc_modified: str = ""


class JobInfo(ResponseShape, frozen=True, kw_only=True):
    """An upgrade batch, as QueryOTAJob shows it."""

    job_id: str
    job_status: str
    firmware_id: str = ""
    job_type: str = ""
    name: str = ""
    job_desc: str = ""
    product_key: str = ""
    dest_version: str = ""
    target_selection: str = ""
    src_versions: tuple[str, ...] = ()
    gray_percent: str = ""
    group_id: str = ""
    group_name: str = ""
    need_push: bool | None = None
    need_confirm: bool | None = None
    retry_count: int | None = None
    retry_interval: int | None = None
    timeout_in_minutes: int | None = None
    download_protocol: str = ""
    utc_create: str = ""
    utc_modified: str = ""
    utc_start_time: str = ""
    utc_end_time: str = ""


class JobRow(ResponseShape, frozen=True, kw_only=True):
    """An upgrade batch, as the list by firmware shows it."""

    job_id: str
    job_status: str
    firmware_id: str = ""
    product_key: str = ""
    job_type: str = ""
    target_selection: str = ""
    utc_create: str = ""
    utc_modified: str = ""


class FirmwareInfo(ResponseShape, frozen=True, kw_only=True):
    """A firmware package. `firmware_url` is signed and expires: it is another one at every read, and a secret."""

    firmware_id: str
    dest_version: str
    status: int
    firmware_name: str = ""
    firmware_desc: str = ""
    firmware_sign: str = ""
    sign_method: str = ""
    firmware_size: int | None = None
    src_version: str = ""
    module_name: str = ""
    product_key: str = ""
    product_name: str = ""
    type: int | None = None
    verify_progress: int | None = None
    utc_create: str = ""
    utc_modified: str = ""


class ModuleVersion(ResponseShape, frozen=True, kw_only=True):
    """The version of a module that a device reported."""

    module_name: str
    module_version: str
    product_key: str = ""
    device_name: str = ""
    iot_id: str = ""


class CreatedJob(ResponseShape, frozen=True, kw_only=True):
    """The answer to a batch that was made."""

    job_id: str
    utc_create: str = ""


T = TypeVar("T", bound=ResponseShape)
LONGEST_NAME = 512
FOR_PEOPLE = frozenset(
    ("task_desc", "job_desc", "firmware_desc", "name", "firmware_name", "product_name", "group_name")
)
"""Fields that a person or a device writes as it likes (rule 6)."""


@dataclass(frozen=True)
class Rows(Generic[T]):
    """A listing: its action, the member and the typed key its rows stand under, and its page (None: it has none)."""

    action: str
    container: str
    key: str
    kind: type[T]
    page_size: int | None


@dataclass(frozen=True)
class Single(Generic[T]):
    """An answer that is one thing: its action and the member it stands under."""

    action: str
    container: str
    kind: type[T]


FIRMWARES = Rows("ListOTAFirmware", "firmwareInfo", "simpleFirmwareInfo", FirmwareInfo, 100)
JOBS_BY_FIRMWARE = Rows("ListOTAJobByFirmware", "data", "simpleOTAJobInfo", JobRow, 200)
TASKS_BY_JOB = Rows("ListOTATaskByJob", "data", "simpleOTATaskInfo", TaskInfo, 100)
UNFINISHED_TASKS = Rows("ListOTAUnfinishedTaskByDevice", "data", "simpleOTATaskInfo", TaskInfo, None)
MODULE_VERSIONS = Rows("ListOTAModuleVersionsByDevice", "data", "simpleOTAModuleInfo", ModuleVersion, 200)
FIRMWARE = Single("QueryOTAFirmware", "firmwareInfo", FirmwareInfo)
JOB = Single("QueryOTAJob", "data", JobInfo)
MADE_JOB = Single("CreateOTAStaticUpgradeJob", "data", CreatedJob)


def total_of(answer: JsonObject) -> int | None:
    """Return how many rows a whole list has, beside the rows or inside `data`; None when it is not shown."""
    for place in _objects((answer, member(answer, "data"))):
        total = member(place, "total")
        if isinstance(total, int | str) and is_number(str(total)):
            return int(total)
    return None


def rows_of(listing: Rows[T], answer: JsonObject) -> tuple[T, ...]:
    """Return the rows of one page (rule 4).

    Raises: StalledError `AnswerInvalid` when a row does not fit.
    """
    inside = member(answer, listing.container)
    rows = member(inside, listing.key) if isinstance(inside, dict) else inside
    if rows in (None, "", {}):
        total = total_of(answer) or 0
        others = inside if isinstance(inside, dict) else {}
        if total or any(isinstance(value, list) for value in others.values()):
            raise _invalid(listing.action, f"it has no {listing.container}.{listing.key}")
        return ()
    if not isinstance(rows, list):
        raise _invalid(listing.action, f"{listing.container}.{listing.key} is not a list")
    return tuple(_fitted(listing.action, listing.kind, row) for row in rows)


def single_of(single: Single[T], answer: JsonObject) -> T:
    """Return the one thing an answer is.

    Raises: StalledError `AnswerInvalid` when it does not fit.
    """
    inside = member(answer, single.container)
    if not isinstance(inside, dict):
        raise _invalid(single.action, f"it has no {single.container}")
    return _fitted(single.action, single.kind, inside)


def moment(text: str) -> datetime | None:
    """Return a time of the gateway, `2024-09-11T03:40:02.734Z`; None when it is none."""
    try:
        found = datetime.fromisoformat(text.replace(" ", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _fitted(action: str, kind: type[T], given: object) -> T:
    if not isinstance(given, dict):
        raise _invalid(action, f"a {kind.__name__} is not an object")
    by_name = {key.lower(): value for key, value in given.items()}
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        value = by_name.get(field.encode_name.lower())
        if value is not None and (value != "" or field.type is str):
            found[field.encode_name] = _fit(field.type, value)
        if isinstance(value, str) and field.name not in FOR_PEOPLE and not _names(value):
            text = (
                f"{kind.__name__}.{field.encode_name} has more than {LONGEST_NAME} characters, or such as no name has"
            )
            raise _invalid(action, text)
    try:
        return msgspec.convert(found, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(action, f"{kind.__name__}: {error}") from None


def _names(text: str) -> bool:
    return len(text) <= LONGEST_NAME and text.isprintable()


def _fit(wanted: object, value: object) -> object:
    if wanted is str and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if str in get_args(wanted) and isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        return lists[0] if len(lists) == 1 else (value or [])
    return value


def _objects(values: Iterable[object]) -> list[JsonObject]:
    return [value for value in values if isinstance(value, dict)]


def _invalid(action: str, why: str) -> OtactlError:
    return unreadable(action, f"the answer cannot be understood: {why}", writes=action in WRITES)
