"""Searches for the batch that a create without an answer may have created; in doubt it adopts none.

1. The gateway knows no names: it is looked for among the batches of its package, by the time it was made, by every
   field that was asked for and is shown, and by its devices.
2. Times are the gateway's. A time that is missing or cannot be read excludes nothing.
3. A batch of named devices holds exactly those. One of them may be missing if it would get no task: it is gone, never
   reported the module, has the version, or has one that was not asked for.
4. A batch that does not show its devices yet is unsure: neither adopted nor excluded. One created a moment
   ago is waited for; an older one is reported.
5. A batch that was canceled stands back behind one that was not: so a person clears up which is ours. So does one
   whose every task has failed a while after it was made, for it cannot be canceled, and reaches no device any more: of
   two batches to the same devices the service fails the later one at once.
6. A package that is gone has no batches to find.
7. Batches that have ended alike, each device with one result in all of them, are one outcome whichever is ours. They
   are waited for until a late copy of the create would be refused: until then it may be another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import cast

from otactl.backends.errors import NotFoundError
from otactl.backends.tuya.batching import Candidates
from otactl.backends.tuya.config import DEFAULT_MODULE
from otactl.backends.tuya.reads import LAG, BatchReader
from otactl.backends.tuya.schemas import JobInfo, JobRow, moment
from otactl.backends.tuya.statuses import CANCELED_BATCH, CANCELED_TASK, FAILED_TASK
from otactl.backends.tuya.task_list import TaskList
from otactl.backends.tuya.units import batch_phase, result_of
from otactl.model import Intent, Outcome, Reason, UnitPhase

CLOCKS = timedelta(minutes=15)  # how far the clocks of the gateway's parts may be apart: it takes requests so old
_UNSAID: dict[str, object] = {"NeedPush": True, "NeedConfirm": False}  # what is not asked for is this
_Outcome = tuple[bool, frozenset[tuple[str, Outcome, Reason | None]]]
_THEIRS = ("TimeoutInMinutes",)  # what is not asked for may be the gateway's own


class LostBatches:
    """Finds them; `ahead` tells the gateway's time less the journal's, `settle` is how late a request may still arrive.

    Only an answer of the gateway tells its time, so `ahead` is asked after the first one.
    """

    def __init__(self, reader: BatchReader, ahead: Callable[[], timedelta], settle: timedelta) -> None:
        self._reader, self._ahead, self._settle = reader, ahead, settle

    def find(self, intent: Intent, known: frozenset[str]) -> Candidates:
        """Return the batches that may be the one of an unanswered create, without those `known` to be others."""
        wanted = intent.call.parameters
        try:
            listed = self._reader.batches_of(str(wanted["FirmwareId"]))
        except NotFoundError:
            return Candidates()
        at = intent.at + self._ahead()
        ids: list[str] = []
        back: list[str] = []
        unsure: list[str] = []
        ended: dict[str, _Outcome] = {}
        waits = False
        for row in listed:
            if row.job_id in known or not self._in_time(row, at) or not _selects(row, wanted):
                continue
            batch = self._reader.batch(row.job_id)
            if batch is not None and not same(batch, wanted):
                continue
            listed_tasks = self._reader.tasks(row.job_id) if batch is not None else None
            fits, reaches = self._fits(batch, listed_tasks, wanted)
            dead = (batch is not None and batch.job_status.upper() == CANCELED_BATCH) or not reaches
            if batch is not None and listed_tasks is not None and batch_phase(batch, listed_tasks) is UnitPhase.ENDED:
                ended[row.job_id] = _outcome(batch, listed_tasks)
            if fits:
                (back if dead else ids).append(row.job_id)
            elif fits is None and self._young(row.utc_create):
                waits = True
            elif fits is None and not dead:
                unsure.append(row.job_id)
        chosen = ids or back
        alike = len(chosen) > 1 and not unsure and _equal([ended.get(i) for i in chosen])
        return Candidates(
            ids=() if alike and self._reader.now() < at + self._settle else tuple(sorted(chosen)),
            unsure=tuple(sorted(unsure)),
            waits=waits,
            ended=ended.keys() >= {*chosen, *unsure},
            alike=alike,
        )

    def _in_time(self, row: JobRow, at: datetime) -> bool:
        """Return whether a batch was created in the time of the lost create (rule 2)."""
        made = moment(row.utc_create)
        return made is None or at - CLOCKS <= made <= at + self._settle + CLOCKS

    def _young(self, utc_create: str) -> bool:
        made = moment(utc_create)
        return made is not None and self._reader.now() - made < LAG

    def _fits(
        self, batch: JobInfo | None, listed: TaskList | None, wanted: Mapping[str, object]
    ) -> tuple[bool | None, bool]:
        """Return whether a batch holds the devices asked for (rule 3), None when that is unsure; and if it reaches
        anybody (rule 5)."""
        if batch is None or listed is None:
            return None, True
        held = {t.device_name for t in listed.tasks}
        words = {t.task_status.upper() for t in listed.tasks}
        dead = words <= {FAILED_TASK, CANCELED_TASK} and not self._young(batch.utc_create)
        reaches = words != {CANCELED_TASK} and not (held and dead)
        if str(wanted.get("TargetSelection", "SPECIFIC")) != "SPECIFIC":
            return True, reaches  # its devices are the service's choice
        names = {str(n) for n in cast("list[object]", wanted.get("TargetDeviceName") or [])}
        if not held <= names:
            return False, reaches
        if listed.lacks or not held:
            return None, reaches
        return self._excused(sorted(names - held), batch, wanted), reaches

    def _excused(self, names: list[str], batch: JobInfo, wanted: Mapping[str, object]) -> bool:
        """Return whether each of these would get no task."""
        if not names:
            return True
        package = self._reader.package_of(str(wanted["FirmwareId"]))
        module = (package.module_name if package is not None else "") or DEFAULT_MODULE
        sources = {str(v) for v in cast("list[object]", wanted.get("SrcVersion") or [])}
        return all(self._no_task(str(wanted["ProductKey"]), n, module, batch.dest_version, sources) for n in names)

    def _no_task(self, product: str, name: str, module: str, version: str, sources: set[str]) -> bool:
        try:
            runs = self._reader.versions(product, name).get(module)
        except NotFoundError:
            return True
        return runs is None or runs == version or (bool(sources) and runs not in sources)


def _outcome(batch: JobInfo, listed: TaskList) -> _Outcome:
    """Return what became of each device of a batch, and whether it was canceled."""
    results = map(result_of, listed.tasks)
    return batch.job_status.upper() == CANCELED_BATCH, frozenset((r.device, r.outcome, r.reason) for r in results)


def _equal(outcomes: list[_Outcome | None]) -> bool:
    """Return whether all are known, and the same (rule 7)."""
    first = outcomes[0]
    return (
        first is not None
        and Outcome.UNKNOWN not in {o for _, o, _ in first[1]}
        and outcomes.count(first) == len(outcomes)
    )


def same(batch: JobInfo, wanted: Mapping[str, object]) -> bool:
    """Return whether a batch shows what was asked for (rule 1).

    What it does not show proves nothing, but for its versions.
    """
    shown: dict[str, object] = {
        "ProductKey": batch.product_key,
        "GroupId": batch.group_id,
        "GrayPercent": batch.gray_percent,
        "RetryInterval": batch.retry_interval,
        "RetryCount": batch.retry_count,
        "TimeoutInMinutes": batch.timeout_in_minutes,
        "NeedPush": batch.need_push,
        "NeedConfirm": batch.need_confirm,
    }
    for name, value in shown.items():
        asked = wanted.get(name, _UNSAID.get(name))
        if value is None or value == "" or (asked is None and name in _THEIRS):
            continue
        if asked is None or str(asked).lower() != str(value).lower():
            return False
    return sorted(batch.src_versions) == sorted(str(v) for v in cast("list[object]", wanted.get("SrcVersion") or []))


def _selects(row: JobRow, wanted: Mapping[str, object]) -> bool:
    return row.target_selection.upper() == str(wanted.get("TargetSelection", "SPECIFIC"))
