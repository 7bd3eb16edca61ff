"""Finds other OTA updates of things before a start: AWS IoT does not order two updates of one thing.

1. Every thing is read, however many there are: thing by thing, or update by update where that takes fewer calls.
   Both ways show the same, and follow every page. What is read is read once a pass.
2. A job that was canceled may still have things at it; one that has completed has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial

from otactl.backends.aws.client import NotFoundError
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.iot_ota.executions import thing_of
from otactl.backends.iot_ota.reads import JobReader
from otactl.backends.iot_ota.statuses import JOB_PREFIX

FEW = 10  # things that are asked for one by one without a look at the list of jobs
_AT_WORK = {"IN_PROGRESS": ("QUEUED", "IN_PROGRESS"), "CANCELED": ("IN_PROGRESS",)}  # executions, by the job's status


class OtherUpdates:
    """Finds what things still have to do."""

    def __init__(self, reader: JobReader, facts: ImageAndRoleReader) -> None:
        self._reader, self._facts = reader, facts

    def on(self, things: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the jobs of OTA updates that wait for each thing or run on it; no entry for a thing without any."""
        names = sorted(set(things))
        found = self._by_job(names) if self._jobs_are_fewer(names) else self._by_thing(names)
        return {thing: jobs for thing, jobs in found.items() if jobs}

    def _jobs_are_fewer(self, things: Collection[str]) -> bool:
        if len(things) <= FEW:
            return False
        calls = sum(len(_AT_WORK[status]) for _, status in self._jobs())
        return calls < 2 * len(things)

    def _by_thing(self, things: Iterable[str]) -> dict[str, tuple[str, ...]]:
        once, read = self._facts.once, self._reader.other_updates
        return {thing: once(("updates of", thing), partial(read, thing, "")) for thing in things}

    def _by_job(self, things: Iterable[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {thing: [] for thing in things}
        for job, status in self._jobs():
            at_work = self._facts.once(("things of", job), partial(self._at_work, job, status))
            for thing in at_work & set(found):
                found[thing].append(job)
        return {thing: tuple(jobs) for thing, jobs in found.items()}

    def _jobs(self) -> tuple[tuple[str, str], ...]:
        """Return every job of an OTA update that may have things to update, with its status."""
        return self._facts.once(("jobs at work",), self._list)

    def _list(self) -> tuple[tuple[str, str], ...]:
        return tuple(
            sorted(
                (str(job.get("jobId")), status)
                for status in _AT_WORK
                for job in self._reader.pages("ListJobs", "jobs", {"status": status})
                if str(job.get("jobId")).startswith(JOB_PREFIX)
            )
        )

    def _at_work(self, job: str, status: str) -> frozenset[str]:
        """Return the things that wait for a job or are at it."""
        found: set[str] = set()
        for execution in _AT_WORK[status]:
            asked: dict[str, object] = {"jobId": job, "status": execution}
            try:
                listed = self._reader.pages("ListJobExecutionsForJob", "executionSummaries", asked)
                found |= {thing_of(item) for item in listed}
            except NotFoundError:  # deleted since it was listed
                break
        return frozenset(found)
