"""Sends a job to its things: paced by the minute, joined and left, aborted, canceled, completed.

1. A SNAPSHOT job takes its groups' members at creation, each thing once, and completes when every execution has ended.
   A CONTINUOUS job also takes who joins later, and never completes (API reference, Job.targetSelection).
2. Things are notified at the job's rate: `maximumPerMinute`, or `baseRatePerMinute` multiplied by `incrementFactor`
   each time the criteria's number of things were notified or succeeded; 1,000 a minute without a rate and at most
   (developer guide, "How job configurations work"). Inferred: a minute's things are notified at its start, minutes
   counted from creation, and a rate that was changed holds from the next minute on.
3. Who joins later is notified at once, not paced (developer guide, as rule 2).
4. Who is deleted before the end is REMOVED (JobProcessDetails.numberOfRemovedThings). Who leaves a CONTINUOUS job's
   targets while QUEUED is, too; IN_PROGRESS and SNAPSHOT jobs stay as they are (measured by the makers of ministack;
   the guide's page on job states names REMOVED under QUEUED only): switch `leavingRemoves`. Who comes back after the
   end of its execution gets a new one (the same): switch `rejoining`. Inferred: a thing not notified yet is counted as
   REMOVED.
5. Abort criteria are judged when an execution ends for good: share of the failure among the executions that ended and
   their number; whether canceled and removed ones count is the switch `abortCounts`. An abort cancels what is QUEUED or
   not notified yet; IN_PROGRESS may end (developer guide, as rule 2). It leaves a comment and a reasonCode, both worded
   as captured live by the makers of ministack: switch `abortReason`.
6. Canceling cancels what is QUEUED or not notified yet, with `force` also what is IN_PROGRESS (CancelJob).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from otactl_simulator.iot.common import mapping, whole
from otactl_simulator.iot.device_behavior import Course
from otactl_simulator.iot.group_tree import ancestors, things_of
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import PENDING, Execution, Job, Store, ThingGroup
from otactl_simulator.iot.timeline import Agenda

MAX_PER_MINUTE = 1000
MINUTE = timedelta(minutes=1)
ABORT_CODE = "ABORT_CANCEL"
FAILURES = ("FAILED", "REJECTED", "TIMED_OUT")
EXECUTED = ("SUCCEEDED", *FAILURES)
ENDED = (*EXECUTED, "CANCELED", "REMOVED")


class Rollouts:
    """Brings jobs to things."""

    def __init__(self, agenda: Agenda, course: Course, settings: Settings) -> None:
        self._agenda = agenda
        self._course = course
        self._settings = settings
        course.when_ended.append(self._ended)

    def start(self, store: Store, job: Job) -> None:
        """Queue a new job's things (rule 1), the first minute's now."""
        names = (name for arn in job.targets for name in members(store, arn))
        job.waiting = list(dict.fromkeys(names))
        self._agenda.at(self._agenda.now(), partial(self._minute, store, job))

    def rate(self, job: Job) -> int:
        """Return how many things a job notifies in the coming minute (rule 2)."""
        most = whole(job.rollout.get("maximumPerMinute")) or MAX_PER_MINUTE
        most = min(most, MAX_PER_MINUTE)
        growth = mapping(job.rollout.get("exponentialRate"))
        if not growth:
            return most
        criteria = mapping(growth["rateIncreaseCriteria"])
        reached = {
            "numberOfNotifiedThings": len(job.notified),
            "numberOfSucceededThings": job.tally.get("SUCCEEDED", 0),
        }
        steps = max((reached[name] // (whole(n) or 1) for name, n in criteria.items() if name in reached), default=0)
        base, factor = whole(growth["baseRatePerMinute"]) or 1, growth["incrementFactor"]
        rate = float(base)
        for _ in range(steps):
            rate *= float(factor) if isinstance(factor, int | float) else 1.0
            if rate >= most:
                return most
        return min(most, int(rate))

    def _minute(self, store: Store, job: Job) -> None:
        if store.jobs.get(job.id) is not job or job.status != "IN_PROGRESS":
            return
        for _ in range(min(self.rate(job), len(job.waiting))):
            self._course.queue(store, job, job.waiting.pop(0))
        if job.waiting:
            self._agenda.at(self._agenda.now() + MINUTE, partial(self._minute, store, job))
        else:
            self.settle(store, job)

    def _ended(self, store: Store, job: Job, execution: Execution) -> None:
        # An attempt that is tried again has not ended its thing's course.
        if job.executions.get(execution.thing) is execution:
            self.settle(store, job)

    def settle(self, store: Store, job: Job) -> None:
        """Abort or complete a job whose executions changed (rules 1 and 5)."""
        if job.status != "IN_PROGRESS":
            return
        listed = job.abort.get("criteriaList")
        counted = ENDED if self._settings["abortCounts"] == "ended" else EXECUTED
        criteria = listed if isinstance(listed, list) else []
        met = next((said for criterion in criteria if (said := _met(job, mapping(criterion), counted))), "")
        if met:
            shown = self._settings["abortReason"]
            code = ABORT_CODE if shown in ("both", "code") else ""
            self.cancel(store, job, code=code, comment=met if shown in ("both", "comment") else "")
        elif job.selection == "SNAPSHOT" and not job.waiting and not any(job.tally.get(s) for s in PENDING):
            job.status = "COMPLETED"
            job.completed_at = job.updated_at = self._agenda.now()

    def cancel(self, store: Store, job: Job, *, code: str = "", comment: str = "", force: bool = False) -> None:
        """Cancel a job (rule 6)."""
        job.status = "CANCELED"
        job.completed_at = job.updated_at = self._agenda.now()
        job.reason_code, job.comment, job.force_canceled = code, comment, force
        for execution in list(job.executions.values()):
            if execution.status == "QUEUED" or (force and execution.status == "IN_PROGRESS"):
                execution.force_canceled = force
                self._course.end(store, job, execution, "CANCELED")
        for name in job.waiting:
            self._course.queue(store, job, name, "CANCELED").force_canceled = force
        job.waiting = []

    def added(self, store: Store, job: Job, arns: Iterable[str]) -> None:
        """Add the new targets of a CONTINUOUS job (rule 3)."""
        for arn in arns:
            for name in members(store, arn):
                self._late(store, job, name)

    def joined(self, store: Store, group: ThingGroup, thing: str) -> None:
        """Add a thing that joined a group to its jobs (rules 1 and 3), and to those of each group above."""
        arns = _arns(store, group)
        for job in list(store.jobs.values()):
            if job.selection == "CONTINUOUS" and job.status == "IN_PROGRESS" and not arns.isdisjoint(job.targets):
                self._late(store, job, thing)

    def left(self, store: Store, group: ThingGroup, thing: str) -> None:
        """Remove a thing that left a group; it stays in jobs that have another target for it (rule 4)."""
        arns = _arns(store, group)
        for job in list(store.jobs.values()):
            if arns.isdisjoint(job.targets) or any(thing in members(store, arn) for arn in job.targets):
                continue
            if self._settings["leavingRemoves"] == "pending":
                self._remove(store, job, thing)
            elif job.selection == "CONTINUOUS" and job.status == "IN_PROGRESS":
                self._unqueue(store, job, thing)

    def deleted(self, store: Store, thing: str) -> None:
        """Remove a deleted thing from its jobs (rule 4)."""
        for job in list(store.jobs.values()):
            self._remove(store, job, thing)

    def _late(self, store: Store, job: Job, thing: str) -> None:
        before = job.executions.get(thing)
        again = before is None or before.status == "REMOVED"
        if self._settings["rejoining"] == "always":
            again = before is None or before.status not in PENDING
        if thing not in job.waiting and again:
            self._course.queue(store, job, thing)

    def _unqueue(self, store: Store, job: Job, thing: str) -> None:
        execution = job.executions.get(thing)
        if execution is not None and execution.status == "QUEUED":
            self._course.remove(store, job, execution)
        elif thing in job.waiting:
            self._remove(store, job, thing)

    def _remove(self, store: Store, job: Job, thing: str) -> None:
        execution = job.executions.get(thing)
        if execution is not None and execution.status in PENDING:
            self._course.end(store, job, execution, "REMOVED")
        elif thing in job.waiting:
            job.waiting.remove(thing)
            self._course.queue(store, job, thing, "REMOVED")
            self.settle(store, job)


def members(store: Store, arn: str) -> list[str]:
    """Return the things behind a target's ARN, those of child groups too, none when it is deleted."""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "thing":
        return [name] if name in store.things else []
    group = store.groups.get(name)
    return things_of(store, group) if group is not None else []


def _arns(store: Store, group: ThingGroup) -> set[str]:
    return {group.arn, *(above.arn for above in ancestors(store, group))}


def _met(job: Job, criterion: dict[str, object], counted: Iterable[str]) -> str:
    """Return the comment on an abort for a criterion; empty while it is not met."""
    executed = sum(job.tally.get(status, 0) for status in counted)
    kind = str(criterion["failureType"])
    kinds = FAILURES if kind == "ALL" else (kind,)
    failed = sum(job.tally.get(kind, 0) for kind in kinds)
    threshold, least = criterion["thresholdPercentage"], whole(criterion["minNumberOfExecutedThings"]) or 1
    share = float(threshold) if isinstance(threshold, int | float) else 100.0
    if not failed or executed < least or failed * 100 < share * executed:
        return ""
    said = f"Abort criteria for failure type {kind} with threshold {share:.2f}% met. "
    return f"{said}Total completed executions: {executed}, total {kind} executions: {failed}"
