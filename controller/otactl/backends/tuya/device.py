"""Reads one device at Tuya's gateway: product, unfinished tasks, reported versions.

1. Filters go to the gateway, and its answer is filtered again: an answer that holds more is not believed to hold less.
2. One status goes as TaskStatus, as the page's sample has it; several, and all four when none is asked for, go as
   TaskStatusList. No pages: the operation has none [V].
3. A task that has ended is not shown. One in an unknown status is shown as unknown, unless statuses are asked for.
4. An answer that names another device is an AnswerInvalid, not an answer.
5. Reads only, with Tuya's own key: whose AWS credentials these are does not matter, and is not asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from otactl.backends.aws.client import AwsClient
from otactl.backends.tuya.client import NotFoundError, TuyaClient
from otactl.backends.tuya.config import DEFAULT_MODULE
from otactl.backends.tuya.connection import connect
from otactl.backends.tuya.device_homes import STATUSES
from otactl.backends.tuya.reads import BatchReader
from otactl.backends.tuya.schemas import UNFINISHED_TASKS, TaskInfo, moment
from otactl.backends.tuya.statuses import COUNTS
from otactl.errors import StalledError
from otactl.model import Environment, JsonObject
from otactl.model.device_tasks import Filters, Home, UnfinishedTask

UNKNOWN = "unknown"


def asked(home: Home, filters: Filters) -> JsonObject:
    """Return the parameters of ListOTAUnfinishedTaskByDevice (rule 2)."""
    words = [theirs for ours, theirs in STATUSES.items() if ours in (filters.statuses or STATUSES)]
    parameters = _named(home)
    if filters.module is not None:
        parameters["ModuleName"] = filters.module
    return parameters | ({"TaskStatus": words[0]} if len(words) == 1 else {"TaskStatusList": words})


def answered(rows: Sequence[TaskInfo], home: Home, filters: Filters) -> tuple[UnfinishedTask, ...]:
    """Return the tasks asked for among those answered, oldest first (rules 1, 3 and 4).

    Raises: StalledError `AnswerInvalid` when a task is of another device.
    """
    for row in rows:
        name = row.iot_id if home.by_id else row.device_name
        if name.lower() not in ("", home.device.lower()):
            text = f"tuya:{UNFINISHED_TASKS.action} was asked about device {home.device} and answered about"
            raise StalledError("AnswerInvalid", f"{text} {name}")
    found = [_task(row) for row in rows]
    wanted = filters.statuses or (*STATUSES, UNKNOWN)
    shown = (t for t in found if _is_module(t.module, filters.module) and t.status in wanted)
    return tuple(sorted(shown, key=lambda t: (t.created_at.timestamp() if t.created_at else math.inf, t.task_id)))


@contextmanager
def open_reader(environment: Environment, client: AwsClient) -> Iterator[DeviceReader]:
    """Open the gateway of an environment."""
    with connect(environment, client) as transport:
        yield DeviceReader(transport)


class DeviceReader:
    """Reads one device."""

    def __init__(self, transport: TuyaClient) -> None:
        self._transport = transport

    def now(self) -> datetime:
        """Return the gateway's time."""
        return self._transport.now()

    def unfinished(self, home: Home, filters: Filters) -> tuple[UnfinishedTask, ...]:
        """Return what the device has yet to do; StalledError `TargetMissing` when the gateway does not have it."""
        try:
            rows = self._transport.rows(UNFINISHED_TASKS, asked(home, filters))
        except NotFoundError as error:
            raise _missing(home, error) from error
        return answered(rows, home, filters)

    def versions(self, home: Home, filters: Filters) -> dict[str, str]:
        """Return the version of each module, or of the one asked for, as the device last reported it.

        Raises: StalledError `TargetMissing` when the gateway does not have the device.
        """
        try:
            found = BatchReader(self._transport).versions_of(_named(home))
        except NotFoundError as error:
            raise _missing(home, error) from error
        return {module: found[module] for module in sorted(found) if _is_module(module, filters.module)}


def _named(home: Home) -> JsonObject:
    """Name a device to the gateway: by its product and its name there, or by the gateway's own id."""
    return {"IotId": home.device} if home.by_id else {"ProductKey": home.product, "DeviceName": home.device}


def _task(row: TaskInfo) -> UnfinishedTask:
    return UnfinishedTask(
        status=COUNTS.get(row.task_status.upper(), UNKNOWN),
        module=row.module_name or DEFAULT_MODULE,
        from_version=row.src_version,
        to_version=row.dest_version,
        batch_id=row.job_id,
        task_id=row.task_id,
        firmware_id=row.firmware_id,
        created_at=moment(row.utc_create),
        moved_at=moment(row.utc_modified),
        device_id=row.iot_id,
        product_name=row.product_name,
    )


def _is_module(module: str, wanted: str | None) -> bool:
    """Return whether a module is the one asked for; case is the gateway's business (the page writes Ble and ble)."""
    return wanted is None or (module or DEFAULT_MODULE).lower() == wanted.lower()


def _missing(home: Home, error: NotFoundError) -> StalledError:
    text = f"device {home.device} is not there in product {home.product}; check its name and the product"
    if home.by_id:
        text = f"no device has the id {home.device} at the gateway of {home.environment}; check the id"
    return StalledError("TargetMissing", f"{text} ({error})")
