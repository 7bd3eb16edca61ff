"""Other updates of things before a start: every thing is looked at, by the way that takes fewer calls."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.backends.iot_ota.other_updates import FEW, OtherUpdates
from otactl.backends.iot_ota.reads import JobReader
from otactl.model import JsonObject

Work = dict[tuple[str, str], str]  # execution status by job and thing
JOBS = {"AFR_OTA-a": "IN_PROGRESS", "AFR_OTA-b": "CANCELED", "AFR_OTA-c": "COMPLETED", "reboot": "IN_PROGRESS"}
NAMES = [f"gw-{n:03d}" for n in range(FEW + 4)]


class Wire:
    """Jobs and their executions, two a page."""

    def __init__(self, work: Work, jobs: dict[str, str] = JOBS) -> None:
        self.work, self.jobs = work, jobs
        self.asked: list[str] = []

    def call(self, service: str, operation: str, parameters: JsonObject, *, repeatable: bool) -> JsonObject:
        self.asked.append(operation)
        if operation == "ListJobs":
            member, found = "jobs", [{"jobId": j} for j, s in self.jobs.items() if s == parameters["status"]]
        else:
            member, found = "executionSummaries", []
            for (job, thing), status in sorted(self.work.items()):
                named = parameters.get("jobId", job) == job and parameters.get("thingName", thing) == thing
                if named and status == parameters["status"]:
                    found.append({"jobId": job, "thingArn": f"arn:aws:iot:eu-west-1:1:thing/{thing}"})
        start = int(str(parameters.get("nextToken") or 0))
        return {member: found[start : start + 2], "nextToken": str(start + 2) if start + 2 < len(found) else None}


def others(wire: Wire) -> OtherUpdates:
    transport = cast("AwsClient", wire)
    return OtherUpdates(JobReader(transport), ImageAndRoleReader(transport))


def works() -> st.SearchStrategy[Work]:
    at = st.tuples(st.sampled_from(sorted(JOBS)), st.sampled_from(NAMES))
    return st.dictionaries(at, st.sampled_from(["QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED"]), max_size=12)


@given(works())
def test_both_ways_of_looking_show_the_same(work: Work) -> None:
    ended = {("AFR_OTA-b", "QUEUED"), ("AFR_OTA-c", "QUEUED"), ("AFR_OTA-c", "IN_PROGRESS")}
    work = {at: status for at, status in work.items() if (at[0], status) not in ended}  # what the service never shows

    together = others(Wire(work)).on(NAMES)
    one_by_one = {t: jobs for name in NAMES for t, jobs in others(Wire(work)).on([name]).items()}

    assert together == one_by_one
    assert {j for jobs in together.values() for j in jobs} <= {"AFR_OTA-a", "AFR_OTA-b"}


@pytest.mark.parametrize("number", [1, FEW, FEW + 1, 1000])
def test_every_thing_is_looked_at_however_many_there_are(number: int) -> None:
    names = [f"gw-{n}" for n in range(number)]
    wire = Wire({("AFR_OTA-a", names[-1]): "QUEUED"})

    assert others(wire).on(names) == {names[-1]: ("AFR_OTA-a",)}
    assert len(wire.asked) <= 2 * FEW


def test_things_are_asked_for_one_by_one_where_there_are_more_jobs_than_things() -> None:
    jobs = {f"AFR_OTA-{n}": "CANCELED" for n in range(100)}
    names = [f"gw-{n}" for n in range(FEW + 1)]
    wire = Wire({("AFR_OTA-7", "gw-3"): "IN_PROGRESS"}, jobs)

    assert others(wire).on(names) == {"gw-3": ("AFR_OTA-7",)}
    assert "ListJobExecutionsForJob" not in wire.asked
