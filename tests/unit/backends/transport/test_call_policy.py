"""A call policy limits, spaces and repeats calls as its rules say, by an injected clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread

import msgspec
import pytest

from otactl.backends.transport.call_policy import ATTEMPTS, CLOCK_TOLERANCE, CallPolicy
from otactl.backends.transport.usage import Stats
from otactl.errors import BudgetSpentError
from otactl.model.environment import BackendAccess
from tests.support.builders import ENVIRONMENT

NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
READ, WRITE = "door:Read", "door:Write"


class Clock:
    """A clock that moves when slept on."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.at)


def policy(
    clock: Clock,
    *,
    budget: int = 1000,
    rates: dict[str, float] | None = None,
    usage: Stats | None = None,
    seed: int = 1,
) -> CallPolicy:
    """A policy for a service whose default is 4 calls a second."""
    environment = msgspec.structs.replace(ENVIRONMENT, call_budget=budget, call_rates=rates or {})
    return CallPolicy(
        environment, {"door": 4.0}, sleep=clock.sleep, monotonic=clock.monotonic, now=clock.now, seed=seed, usage=usage
    )


def spend_all(spender: CallPolicy, key: str, *, writes: bool) -> BudgetSpentError:
    """Spend until the budget refuses."""
    try:
        for _ in range(10_000):
            spender.spend(key, writes=writes)
    except BudgetSpentError as refused:
        return refused
    pytest.fail("the budget refused nothing")


@pytest.mark.parametrize(("budget", "reads"), [(50, 40), (5, 4), (4, 4), (9, 8), (10, 8)])
def test_reads_leave_a_fifth_of_the_budget_rounded_down_to_writes(budget: int, reads: int) -> None:
    spender = policy(Clock(), budget=budget)
    refused = spend_all(spender, READ, writes=False)
    assert (refused.limit, refused.calls, refused.committed) == (reads, reads, False)
    spend_all(spender, WRITE, writes=True)
    assert (spender.usage.calls, spender.usage.writes) == (budget, budget - reads)


def test_writes_may_spend_the_whole_budget() -> None:
    spender = policy(Clock(), budget=10)
    assert spend_all(spender, WRITE, writes=True).limit == 10


def test_a_call_that_the_budget_refuses_is_not_counted_and_takes_no_slot() -> None:
    clock = Clock()
    spender = policy(clock, budget=5)
    spend_all(spender, READ, writes=False)
    waited = list(clock.slept)
    spend_all(spender, READ, writes=False)
    assert (spender.usage.by_operation, clock.slept) == ({READ: 4}, waited)


@pytest.mark.parametrize(
    ("rates", "key", "spacing"),
    [
        ({}, READ, 0.25),
        ({}, "window:Read", 0.05),
        ({"door:*": 2.0}, READ, 0.5),
        ({"door:*": 2.0, READ: 5.0}, READ, 0.2),
        ({"door:*": 2.0, WRITE: 5.0}, READ, 0.5),
        ({"window:*": 2.0}, READ, 0.25),
    ],
)
def test_calls_are_spaced_by_the_nearest_rate(rates: dict[str, float], key: str, spacing: float) -> None:
    clock = Clock()
    spender = policy(clock, rates=rates)
    for _ in range(3):
        spender.spend(key, writes=False)
    assert clock.slept == pytest.approx([spacing, spacing])


def test_operations_do_not_wait_for_each_other() -> None:
    clock = Clock()
    spender = policy(clock)
    spender.spend(READ, writes=False)
    spender.spend(WRITE, writes=True)
    assert clock.slept == []


@pytest.mark.parametrize(("attempt", "middle"), [(1, 0.5), (2, 1.0), (3, 2.0)])
def test_the_wait_doubles_with_a_jitter_of_half_of_it(attempt: int, middle: float) -> None:
    clock = Clock()
    spender = policy(clock)
    for _ in range(200):
        spender.backoff(attempt)
    assert middle / 2 <= min(clock.slept) < 0.6 * middle
    assert 1.4 * middle < max(clock.slept) <= middle * 3 / 2


def test_a_seed_fixes_the_jitter() -> None:
    waits = []
    for seed in (1, 1, 2):
        clock = Clock()
        policy(clock, seed=seed).backoff(1)
        waits.append(clock.slept)
    assert waits[0] == waits[1] != waits[2]


def test_the_fourth_attempt_is_the_last() -> None:
    assert ATTEMPTS == 4
    assert [policy(Clock()).is_last(n) for n in (1, 2, 3, 4, 5)] == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("ahead", "learned"),
    [(0, 0), (1, 0), (2, 0), (3, 3), (-2, 0), (-3, -3), (1800, 1800)],
)
def test_an_offset_within_the_tolerance_is_ignored(ahead: int, learned: int) -> None:
    assert timedelta(seconds=2) == CLOCK_TOLERANCE
    clock = Clock()
    learner = policy(clock)
    reported = learner.learn_time(format_datetime(NOW + timedelta(seconds=ahead), usegmt=True))
    assert reported == timedelta(seconds=ahead)
    assert learner.now() == NOW + timedelta(seconds=learned)
    clock.sleep(60)
    assert learner.now() == NOW + timedelta(seconds=60 + learned)


@pytest.mark.parametrize("date", [None, "", "yesterday", 17, "Mon, 30 Nov 9999 23:59:59 GMT"])
def test_what_is_no_date_keeps_what_was_learned(date: object) -> None:
    learner = policy(Clock())
    learner.learn_time(format_datetime(NOW + timedelta(hours=1), usegmt=True))
    assert learner.learn_time(date) is None
    assert learner.now() == NOW + timedelta(hours=1)


def test_a_clock_that_is_right_again_is_learned() -> None:
    learner = policy(Clock())
    learner.learn_time(format_datetime(NOW + timedelta(hours=1), usegmt=True))
    learner.learn_time(format_datetime(NOW, usegmt=True))
    assert learner.now() == NOW


def test_an_offset_is_read_without_being_learned() -> None:
    reader = policy(Clock())
    assert reader.offset(format_datetime(NOW + timedelta(hours=1), usegmt=True)) == timedelta(hours=1)
    assert reader.now() == NOW


def test_policies_that_share_their_usage_share_the_budget_but_no_clock() -> None:
    usage = Stats()
    first, second = policy(Clock(), budget=5, usage=usage), policy(Clock(), budget=5, usage=usage)
    spend_all(first, READ, writes=False)
    assert spend_all(second, READ, writes=False).calls == 4
    first.learn_time(format_datetime(NOW + timedelta(hours=1), usegmt=True))
    assert second.now() == NOW + timedelta(seconds=0)


def test_a_reset_gives_every_policy_that_shares_the_usage_a_fresh_budget() -> None:
    usage = Stats()
    first, second = policy(Clock(), budget=5, usage=usage), policy(Clock(), budget=5, usage=usage)
    spend_all(first, WRITE, writes=True)
    usage.count_throttled(WRITE)
    assert usage.throttled_by_operation == {WRITE: 1}
    usage.reset()
    assert usage == Stats()
    second.spend(READ, writes=False)
    assert (first.usage.calls, first.usage.by_operation) == (1, {READ: 1})


def test_threads_never_spend_more_than_the_budget() -> None:
    usage = Stats()
    spenders = [policy(Clock(), budget=400, usage=usage) for _ in range(8)]
    threads = [Thread(target=spend_all, args=(each, WRITE), kwargs={"writes": True}) for each in spenders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (usage.calls, usage.writes, usage.by_operation) == (400, 400, {WRITE: 400})


class SharedSlots:
    """A shared pace that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, float]] = []

    def wait(self, place: str, key: str, rate: float) -> None:
        self.asked.append((place, key, rate))


def test_a_call_with_a_known_rate_waits_for_a_slot_of_all_processes_at_its_account_and_region() -> None:
    clock, slots = Clock(), SharedSlots()
    environment = msgspec.structs.replace(ENVIRONMENT, call_rates={"door:Write": 2.0})
    spender = CallPolicy(environment, {"door": 4.0}, sleep=clock.sleep, monotonic=clock.monotonic, shared=slots)

    for _ in range(2):
        spender.spend(READ, writes=False)
    spender.spend(WRITE, writes=True)

    place = f"{ENVIRONMENT.account}/{ENVIRONMENT.region}"
    assert slots.asked == [(place, READ, 4.0), (place, READ, 4.0), (place, WRITE, 2.0)]
    assert clock.slept == []


def test_a_call_to_a_service_that_has_no_rate_is_spaced_by_this_process_alone() -> None:
    clock, slots = Clock(), SharedSlots()
    spender = CallPolicy(ENVIRONMENT, {"door": 4.0}, sleep=clock.sleep, monotonic=clock.monotonic, shared=slots)

    for _ in range(2):
        spender.spend("window:Read", writes=False)

    assert slots.asked == []
    assert len(clock.slept) == 1


def test_a_service_with_an_address_of_its_own_is_a_place_of_its_own() -> None:
    class Gateway(BackendAccess):
        place = "https://door.example"

    slots = SharedSlots()
    environment = msgspec.structs.replace(ENVIRONMENT, access={"door": Gateway()})
    CallPolicy(environment, {"door": 4.0}, shared=slots).spend(READ, writes=False)

    assert slots.asked == [("https://door.example", READ, 4.0)]
