"""A job's list of executions against its counts: what agrees, what is odd, who counts."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from otactl.backends.iot_ota.executions import by_hand, disagreement, newest, no_one_moves, result, sorted_out
from otactl.model import Outcome, Reason

THINGS = ("gw-1", "gw-2", "gw-3")


def listed(*rows: tuple[str, int, str]) -> list[dict[str, object]]:
    return [
        {
            "thingArn": f"arn:aws:iot:eu-west-1:1:thing/{thing}",
            "jobExecutionSummary": {"executionNumber": number, "status": status},
        }
        for thing, number, status in rows
    ]


AGAIN = listed(("gw-1", 2, "SUCCEEDED"), ("gw-1", 1, "FAILED"), ("gw-2", 1, "SUCCEEDED"), ("gw-3", 1, "SUCCEEDED"))
WELL = listed(("gw-1", 1, "SUCCEEDED"), ("gw-2", 1, "SUCCEEDED"))


@pytest.mark.parametrize(
    ("items", "counted", "agrees"),
    [
        (AGAIN, {"succeeded": 3, "failed": 1}, True),  # every execution, as AWS was seen to count
        (AGAIN, {"succeeded": 3, "failed": 0}, True),  # the newest of each thing, as its page says
        (AGAIN, {"succeeded": 3, "failed": 2}, False),
        (WELL, {"succeeded": 2, "removed": 1}, True),  # of a thing that was deleted nothing is listed
        (WELL, {"succeeded": 2, "removed": 2}, False),
        (WELL, {"succeeded": 3}, False),
        (WELL, {"succeeded": 1, "inProgress": 1}, False),
        (WELL, {"succeeded": 1, "removed": 1}, False),
    ],
)
def test_list_and_counts_agree_by_execution_or_by_thing(
    items: list[dict[str, object]], counted: dict[str, int], agrees: bool
) -> None:
    assert (not disagreement(items, counted, THINGS)) is agrees


def test_removals_of_things_no_one_wrote_down_are_not_explained() -> None:
    assert disagreement(WELL, {"succeeded": 2, "removed": 1}, ())


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_thing_that_came_back_the_newest_execution_counts_in_whatever_order(order: int) -> None:
    found = newest(AGAIN[::order])

    assert {name: result(item).outcome for name, item in found.items()} == dict.fromkeys(THINGS, Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("items", "job", "expected"),
    [
        (WELL, {}, True),
        ([*WELL, *listed(("gw-3", 1, "QUEUED"))], {}, False),
        ([*WELL, *listed(("gw-3", 1, "IN_PROGRESS"))], {}, False),
        (WELL, {"isConcurrent": True}, False),
    ],
)
def test_a_job_lists_no_one_who_moves(items: list[dict[str, object]], job: dict[str, object], expected: bool) -> None:
    assert no_one_moves(items, job) is expected


def test_counts_are_sorted_out_by_outcome_and_reason() -> None:
    outcomes, failures = sorted_out({"succeeded": 2, "rejected": 1, "timedOut": 2, "queued": 3, "failed": 0})

    assert outcomes == {Outcome.SUCCEEDED: 2, Outcome.FAILED: 3, Outcome.WAITING: 3}
    assert failures == {Reason.REJECTED: 1, Reason.TIMEOUT: 2}


@pytest.mark.parametrize(
    ("before", "began", "found"),
    [(0, "", set()), (1, "", {"gw-2"}), (0, "gw-3", {"gw-3"}), (1, "gw-3", {"gw-2", "gw-3"}), (9, "", {*THINGS})],
)
def test_who_was_canceled_first_or_had_started_was_canceled_by_a_person(
    before: int, began: str, found: set[str]
) -> None:
    items = listed(*((name, 1, "CANCELED") for name in THINGS), ("gw-4", 1, "SUCCEEDED"))
    for item, minute in zip(items, (5, 1, 5, 0), strict=True):
        summary = item["jobExecutionSummary"]
        assert isinstance(summary, dict)
        summary["lastUpdatedAt"] = datetime(2026, 3, 1, 12, minute, tzinfo=UTC)
        summary |= (
            {"startedAt": datetime(2026, 3, 1, 12, tzinfo=UTC)} if item["thingArn"].endswith(began or "?") else {}
        )

    assert by_hand(items, before) == found
