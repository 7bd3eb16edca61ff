"""Whom the verdict on a job without an end is over, also where its list of executions is behind what it counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from otactl.backends.iot_ota import endless_jobs
from otactl.model import Attempt, Gate, JsonObject, Outcome, Reason, VersionClaims
from tests.support.builders import NOW

GATE = Gate(min_success_percent=90, silence_after="2h")
LATER = NOW + timedelta(hours=1)
BEFORE = Attempt(
    unit_id="u",
    number=1,
    generation="g",
    tally={Outcome.SUCCEEDED: 2, Outcome.WAITING: 1},
    progress={"succeeded": 2, "waitingForVersion": 1},
    claims=VersionClaims(open=1),
)
"""What the pass before counted: three things took the image, and one of them has not reported its version."""


def execution(thing: str, status: str = "SUCCEEDED", number: int = 1, *, later: bool = False) -> JsonObject:
    summary: JsonObject = {"status": status, "executionNumber": number, "queuedAt": LATER if later else NOW}
    return {"thingArn": f"arn:aws:iot:eu-west-1:123456789012:thing/{thing}", "jobExecutionSummary": summary}


THREE = [execution(name) for name in ("a", "b", "c")]


@pytest.mark.parametrize(
    ("counted", "listed", "judged", "counts"),
    [
        ({"succeeded": 4}, [*THREE, execution("a", number=2)], False, {Outcome.SUCCEEDED: 3}),
        ({"succeeded": 3, "queued": 1}, [*THREE, execution("d", "QUEUED", later=True)], False, {Outcome.SUCCEEDED: 3}),
        (
            {"succeeded": 3, "queued": 1},
            [*THREE, execution("a", "QUEUED", 2, later=True)],
            True,
            {Outcome.SUCCEEDED: 3},
        ),
        ({"succeeded": 3, "queued": 1}, THREE, True, {Outcome.SUCCEEDED: 3}),
        ({"succeeded": 3}, [], True, {Outcome.SUCCEEDED: 3}),
        ({"succeeded": 3}, [*THREE[:2], execution("c", "IN_PROGRESS")], False, {Outcome.SUCCEEDED: 3}),
        ({"succeeded": 5}, [*THREE, execution("a", number=2)], False, {Outcome.SUCCEEDED: 4}),
        ({"succeeded": 3, "removed": 1}, THREE, False, {Outcome.SUCCEEDED: 3}),
        ({"queued": 1}, [execution("d", "QUEUED", later=True)], False, {Outcome.WAITING: 1}),
    ],
    ids=[
        "a thing has two executions",
        "a thing joined after the deadline",
        "a thing came back after the deadline",
        "the list lacks one that just joined",
        "nothing changed since the verdict, so nothing is listed",
        "the list is behind the counts",
        "the list lacks one, and shows an older one",
        "a removed thing is not listed",
        "no thing was there by the deadline",
    ],
)
def test_each_thing_counts_once_by_what_became_of_it_by_the_deadline(
    counted: dict[str, int], listed: list[JsonObject], judged: bool, counts: dict[Outcome, int]
) -> None:
    found, _ = endless_jobs.tally(counted, BEFORE, GATE, NOW, judged=judged, listing=lambda: listed)

    assert found == counts


def test_before_the_deadline_the_list_is_read_only_for_a_limit_of_failures_that_the_counts_exceed() -> None:
    listed = [execution("a", "FAILED"), execution("a", "FAILED", 2)]
    limited = Gate(min_success_percent=90, silence_after="2h", max_failures=1)

    def unread() -> list[JsonObject]:
        raise AssertionError

    free = endless_jobs.tally({"failed": 2}, BEFORE, GATE, None, judged=False, listing=unread)
    bound = endless_jobs.tally({"failed": 2}, BEFORE, limited, None, judged=False, listing=lambda: listed)

    assert free == ({Outcome.FAILED: 2}, {Reason.UNKNOWN: 2})
    assert bound == ({Outcome.FAILED: 1}, {Reason.UNKNOWN: 1})
