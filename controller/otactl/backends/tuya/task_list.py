"""Reads the list of a batch's tasks, and decides whether it is whole.

1. Pages shift while devices go on: a task may stand on two of them and another on none. A list is whole when no task
   stands in it twice and it has as many as every page says.
2. One that is not whole is read once more. What is still not whole ends nothing: a device may be missing in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.errors import unreadable
from otactl.backends.tuya.schemas import TASKS_BY_JOB, TaskInfo, rows_of, total_of
from otactl.wording import count

LOOKS = 2


@dataclass(frozen=True)
class TaskList:
    """The tasks of a batch, the newest of each device; `lacks` tells how a list is not whole, and is empty else."""

    tasks: tuple[TaskInfo, ...] = ()
    lacks: str = ""


def task_list(transport: TuyaClient, job_id: str) -> TaskList:
    """Return the tasks of a batch (rule 2)."""
    found = _read(transport, job_id)
    for _ in range(LOOKS - 1):
        found = _read(transport, job_id) if found.lacks else found
    return found


def _read(transport: TuyaClient, job_id: str) -> TaskList:
    """Return one look (rule 1)."""
    pages = tuple(transport.pages(TASKS_BY_JOB.action, {"JobId": job_id}, TASKS_BY_JOB.page_size or 1))
    rows = [row for page in pages for row in rows_of(TASKS_BY_JOB, page)]
    if not all(row.device_name for row in rows):
        raise unreadable(TASKS_BY_JOB.action, "a task in the answer has no deviceName", writes=False)
    totals = {total for page in pages if (total := total_of(page)) is not None}
    distinct = len({row.task_id for row in rows})
    newest: dict[str, TaskInfo] = {}
    for task in rows:
        before = newest.get(task.device_name)
        if before is None or task.utc_create >= before.utc_create:
            newest[task.device_name] = task
    whole = distinct == len(rows) and totals <= {distinct}
    expected = max(totals, default=len(rows))
    return TaskList(
        tasks=tuple(newest[name] for name in sorted(newest)),
        lacks="" if whole else f"{distinct} of {count(expected, 'task')}",
    )
