"""What the lease guards: a call goes out while this run holds it, and at no other time."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from otactl.model.actions import Call, Receipt
from tests.support.builders import NOW, rollout
from tests.support.in_memory_cloud import Cloud, Kill, Killed, Memory, run


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
