"""A budget of calls that is too small for one rollout stops that one and says so; the others get their turns."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.transport.metering import count, metered
from otactl.backends.transport.usage import Stats
from otactl.errors import BudgetSpentError, StalledError
from otactl.model import Abort, Environment, Observation, Phase, Record, Rollout, Survey, Targets, Wave
from otactl.model.actions import Call, Receipt
from otactl.reconcile.budget_turns import in_order
from otactl.reconcile.reconciler import Reconciler, RunReport
from otactl.reconcile.run_report import RolloutState
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.in_memory_cloud import Cloud, Memory

SMALL = msgspec.structs.replace(ENVIRONMENT, call_budget=50)  # 40 of them for reading


class Costly(Cloud):
    """A service whose looks cost calls of a budget, by rollout."""

    def __init__(self, costs: dict[str, int]) -> None:
        super().__init__(NOW)
        self.costs = costs
        self.stats = Stats()
        self.looks: list[str] = []

    def spend(self, calls: int) -> None:
        for _ in range(calls):
            self.stats.count("any", writes=False, budget=50)

    def survey(self) -> Survey:
        self.spend(1)
        return super().survey()

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        self.looks.append(rollout.name)
        self.spend(self.costs[rollout.name])
        return super().observe(rollout, known, survey)


def alone(name: str) -> Rollout:
    """A rollout to groups of its own."""
    base = rollout(name=name)
    waves = tuple(
        Wave(name=w.name, targets=Targets(multicast_groups=(f"{name}-{w.name}",))) for w in base.strategy.waves
    )
    return msgspec.structs.replace(base, strategy=msgspec.structs.replace(base.strategy, waves=waves))


def run(cloud: Costly, journal: Memory, environment: Environment = SMALL) -> RunReport:
    cloud.stats, cloud.looks = Stats(), []
    rollouts = tuple(alone(name) for name in sorted(cloud.costs))
    report = Reconciler(
        environment, rollouts, {"fuota": cloud}, journal, lambda: cloud.now, "me", lambda _r: (), lambda _s: False
    ).run()
    cloud.advance(timedelta(hours=1))
    return report


def refuse(_call: Call) -> Receipt:
    raise StalledError("PermissionDenied", "it was refused")


def errors(report: RunReport) -> dict[str, str]:
    return {r.name: r.error.partition(":")[0] for r in report.rollouts if r.error}


def test_a_rollout_larger_than_the_budget_is_reported_with_the_figures_and_the_others_go_on() -> None:
    cloud, journal = Costly({"big": 60, "small": 4}), Memory()

    first = run(cloud, journal)
    assert errors(first)["big"] == "CallBudgetTooSmall"
    text = first.rollouts[0].error
    assert "it had made 39 when the 40 for reading were spent" in text
    assert "callBudget of environment prod-eu is 50" in text
    assert "raise spec.callBudget" in text
    for _ in range(12):
        report = run(cloud, journal)
        assert errors(report) == {"big": "CallBudgetTooSmall"}

    assert journal.load("prod-eu", "small").record.phase is Phase.SUCCEEDED
    assert cloud.looks[-1] == "big"
    reported = journal.load("prod-eu", "big").record
    assert reported.failure is not None
    assert (reported.phase, reported.failure.since) == (Phase.STALLED, NOW)


def test_a_rollout_that_had_no_turn_goes_first_in_the_next_run() -> None:
    cloud, journal = Costly({"a": 18, "b": 18, "c": 18, "d": 18}), Memory()
    cloud.send = refuse  # type: ignore[method-assign] - one pass a run: looks are all this is about
    seen = []
    for _ in range(4):
        run(cloud, journal)
        seen.append(cloud.looks[:2])

    assert {name for pair in seen[:2] for name in pair} == {"a", "b", "c", "d"}
    assert {name for pair in seen[2:] for name in pair} == {"a", "b", "c", "d"}


def test_two_that_each_need_most_of_the_budget_take_turns_and_both_end() -> None:
    cloud, journal = Costly({"a": 18, "b": 18}), Memory()
    for _ in range(40):
        run(cloud, journal)

    assert [journal.load("prod-eu", n).record.phase for n in ("a", "b")] == [Phase.SUCCEEDED] * 2


def test_with_a_larger_budget_it_goes_on() -> None:
    cloud, journal = Costly({"big": 60}), Memory()
    run(cloud, journal)
    cloud.spend = lambda _calls: None  # type: ignore[method-assign]

    assert errors(run(cloud, journal)) == {}
    assert journal.load("prod-eu", "big").record.failure is None


def test_what_is_aborted_is_looked_at_first() -> None:
    ended = rollout(name="z", abort=Abort(reason="drains the battery"))
    states = [RolloutState(r, Memory().load("prod-eu", r.name)) for r in (rollout(name="a"), ended)]

    assert [s.rollout.name for s in in_order(states)[0]] == ["z", "a"]


def test_a_meter_counts_what_is_called_while_it_is_open() -> None:
    stats = Stats()
    count()
    with metered() as meter:
        stats.count("any", writes=False, budget=10)
        stats.count("any", writes=True, budget=10)

    assert (meter.calls, stats.calls, stats.writes) == (2, 2, 1)


def test_a_spent_budget_keeps_a_fifth_for_writes() -> None:
    stats = Stats(calls=8)
    with pytest.raises(BudgetSpentError, match="budget of 10 calls is spent") as caught:
        stats.count("any", writes=False, budget=10)

    assert (caught.value.limit, caught.value.calls, caught.value.committed) == (8, 8, False)
    stats.count("any", writes=True, budget=10)
