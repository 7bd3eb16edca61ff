"""What the lease guards: a call goes out while this run holds it, and at no other time."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from otactl.journal.sqlite import SqlJournal
from otactl.model import Record
from otactl.model.actions import Call, CancelUnit, Receipt
from otactl.ports import Commit
from otactl.reconcile.executor import Executor
from otactl.reconcile.leased_journal import CHECK_EVERY, LeasedJournal
from otactl.reconcile.reconciler import Reconciler
from otactl.state.jobs import ActionResult, PlannedCalls
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.in_memory_cloud import Cloud, Kill, Killed, Memory, run

SLEEP = timedelta(seconds=130)
"""Longer than a lease lives."""


class Noting(Cloud):
    """Notes who held the lease at each call."""

    def __init__(self, journal: Memory) -> None:
        super().__init__(NOW)
        self.journal, self.holders = journal, list[str]()

    def send(self, call: Call) -> Receipt:
        self.holders.append(self.journal.held.holder if self.journal.held is not None else "no one")
        return super().send(call)


def left_to_delete(kill_at: int) -> tuple[Noting, Memory]:
    """A canary that has ended, and a run over it that died."""
    journal = Memory()
    cloud = Noting(journal)
    run(cloud, journal, rollout())
    cloud.advance(timedelta(hours=2))
    cloud.kill = journal.kill = Kill(kill_at)
    with suppress(Killed):
        run(cloud, journal, rollout())
    journal.held, cloud.kill, journal.kill = None, Kill(), Kill()
    return cloud, journal


def intends(journal: Memory) -> set[str]:
    return {intent.action for intent in journal.load("prod-eu", "probe").record.intents}


def test_a_call_that_a_dead_run_had_recorded_and_not_sent_is_sent_under_a_lease() -> None:
    """The next run has nothing to write before that call, and takes the lease all the same."""
    died = [left_to_delete(n) for n in range(1, 9)]
    intended = [
        (c, j) for c, j in died if {i.action for i in j.load("prod-eu", "probe").record.intents} == {"deleteUnit"}
    ]
    cloud, journal = next((c, j) for c, j in intended if "DeleteFuotaTask" not in c.sent)
    cloud.holders.clear()

    run(cloud, journal, rollout(), holder="next")

    assert "DeleteFuotaTask" in cloud.sent
    assert set(cloud.holders) == {"next"}


class Sleeper:
    """A run that has written under its lease, then slept while another one held the environment, wrote and left."""

    def __init__(self, store: Path) -> None:
        self.now = NOW
        self.sent = list[str]()
        self.journal = LeasedJournal("prod-eu", SqlJournal(str(store)), "slow", lambda: self.now)
        self.journal.check_free()
        self.journal.load()
        self.journal.commit((Commit(record=Record(environment="prod-eu", name="probe"), expected_revision=0),))
        self.now += SLEEP
        other = LeasedJournal("prod-eu", SqlJournal(str(store)), "between", lambda: self.now)
        other.check_free()
        other.load()
        other.commit((Commit(record=Record(environment="prod-eu", name="soil"), expected_revision=0),))
        assert other.release() is None

    def send(self, *rollouts: str) -> tuple[ActionResult, ...]:
        return Executor(self._send, lambda: self.now, 1).run([_two_calls(name) for name in rollouts])

    def _send(self, call: Call) -> Receipt:
        self.journal.renew()
        self.sent.append(call.key)
        return Receipt(key=call.key)


def _two_calls(name: str) -> PlannedCalls:
    cancel = CancelUnit(unit_id="u", vendor_id="v", backend="tuya", why="aborted", reason="r")
    keys = (f"{name}-1", f"{name}-2")
    calls = tuple(Call(key=k, service="tuya", operation="X", parameters={}, repeatable=False) for k in keys)
    return PlannedCalls(rollout=name, action=cancel, calls=calls)


def test_no_call_of_a_step_goes_out_after_another_run_held_the_environment(tmp_path: Path) -> None:
    """The lease is taken back at the first call, and what was decided before it was lost stays outdated."""
    slow = Sleeper(tmp_path / "j.db")

    done = slow.send("probe", "other")

    assert slow.sent == []
    assert [d.conflict for d in done] == [True, True]
    assert all("the next pass assesses again" in r.error and r.unknown for d in done for r in d.results)
    assert [n for n in slow.journal.notes if "another process held it while calls were sent" in n]


def test_calls_go_out_again_once_the_records_are_loaded_again(tmp_path: Path) -> None:
    slow = Sleeper(tmp_path / "j.db")
    slow.send("probe")

    slow.journal.load()
    slow.send("probe")

    assert slow.sent == ["probe-1", "probe-2"]


class Awake(Sleeper):
    """A run that holds the lease."""

    def __init__(self, store: Path) -> None:
        super().__init__(store)
        self.journal = LeasedJournal("prod-eu", SqlJournal(str(store)), "slow", lambda: self.now)
        self.journal.check_free()
        self.journal.load()
        self.journal.hold()


ALMOST = CHECK_EVERY - timedelta(seconds=1)


@pytest.mark.parametrize(("later", "sent"), [(ALMOST, ["probe-1", "probe-2"]), (CHECK_EVERY, [])])
def test_a_lease_released_by_hand_stops_the_calls_long_before_it_would_be_renewed(
    tmp_path: Path, later: timedelta, sent: list[str]
) -> None:
    awake = Awake(tmp_path / "j.db")
    SqlJournal(str(tmp_path / "j.db")).end_lease("prod-eu", awake.now)
    awake.now += later

    awake.send("probe")

    assert awake.sent == sent


def test_a_lease_is_read_once_for_all_calls_of_a_few_seconds(tmp_path: Path) -> None:
    awake = Awake(tmp_path / "j.db")
    awake.now += CHECK_EVERY

    with patch.object(SqlJournal, "lease", autospec=True, side_effect=SqlJournal.lease) as read:
        awake.send("probe", "other")

    assert (len(awake.sent), read.call_count) == (4, 1)


@pytest.mark.parametrize("steady", [0.0, 61.0])
@pytest.mark.parametrize("wall", [timedelta(), timedelta(hours=-1), timedelta(seconds=61)])
def test_a_lease_is_renewed_in_time_whatever_is_done_to_the_clock(
    tmp_path: Path, wall: timedelta, steady: float
) -> None:
    """A clock that was set back put the renewal off for as long; the lease ran out by the clocks of others."""
    now, passed, store = [NOW], [0.0], SqlJournal(str(tmp_path / "j.db"))
    ours = LeasedJournal("prod-eu", store, "ours", lambda: now[0], steady=lambda: passed[0])
    ours.hold()
    now[0], passed[0] = NOW + wall, steady

    with patch.object(SqlJournal, "acquire", autospec=True, side_effect=SqlJournal.acquire) as renewed:
        ours.renew()

    assert renewed.call_count == (1 if steady or wall else 0)


class Sleeping(Cloud):
    """Sleeps after its first create, while another run holds the environment, writes and leaves."""

    def __init__(self, store: Path) -> None:
        super().__init__(NOW)
        self.store = store

    def send(self, call: Call) -> Receipt:
        receipt = super().send(call)
        if self.sent == ["CreateFuotaTask"]:
            self.now += SLEEP
            other = LeasedJournal("prod-eu", SqlJournal(str(self.store)), "between", lambda: self.now)
            other.check_free()
            other.load()
            other.commit((Commit(record=Record(environment="prod-eu", name="soil"), expected_revision=0),))
            other.release()
        return receipt


def test_a_run_that_slept_in_a_step_assesses_again_before_it_sends_the_rest_and_says_so(tmp_path: Path) -> None:
    """The create of the other rollout, in the same step, is sent again by its new assessment."""
    store = tmp_path / "j.db"
    cloud, rollouts = Sleeping(store), (rollout(), rollout(name="other", resend=True))
    backends, journal = {"fuota": cloud}, SqlJournal(str(store))

    report = Reconciler(
        ENVIRONMENT, rollouts, backends, journal, lambda: cloud.now, "me", lambda _r: (), lambda _s: False, abreast=1
    ).run()  # one call at a time: side by side, either create may be the first

    probe, other = report.rollouts
    assert (probe.actions[0], other.actions[0]) == ("createUnit", "resendCreate")
    assert cloud.sent.count("CreateFuotaTask") == 2
    assert (probe.error, other.error, report.errors) == ("", "", ())
    assert ["were not sent, and the next pass assesses again" in note for note in report.notes] == [True]
    reported = [event.message for event in journal.history("prod-eu", "other") if event.kind == "failed"]
    assert ["another process held it while calls were sent" in message for message in reported] == [True]
