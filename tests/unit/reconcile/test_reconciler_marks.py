"""What a run leaves behind when something stops it: in the records, in its report, in the environment's mark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec

from otactl.errors import LeaseHeldError, StalledError, TransientError
from otactl.model import Abort, LastRun, Outcome, Phase, Record, Survey, Suspend
from otactl.model.actions import Call, Hold, Receipt
from otactl.ports import Commit
from otactl.reconcile.reconciler import Reconciler
from otactl.report.reconcile import ReconcileReport
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.in_memory_cloud import Cloud, Memory, run

EXPIRED = StalledError("NoCredentials", "the token has expired")


def raising(error: Exception) -> Callable[..., Survey]:
    def fail(*_: object) -> Survey:
        raise error

    return fail


def last_run(journal: Memory) -> LastRun:
    found = journal.load("prod-eu", "@environment").record.last_run
    assert found is not None
    return found


def probe(journal: Memory) -> Record:
    return journal.load("prod-eu", "probe").record


def test_an_error_of_the_first_run_ever_stands_in_the_record_and_is_gone_after_the_next() -> None:
    cloud, journal = Cloud(NOW), Memory()
    survey, cloud.survey = cloud.survey, raising(EXPIRED)  # type: ignore[method-assign]
    run(cloud, journal, rollout())
    cloud.advance(timedelta(minutes=5))
    run(cloud, journal, rollout(), holder="ci/8")

    assert probe(journal).phase is Phase.STALLED
    assert [(c.reason, c.since) for c in probe(journal).conditions if c.type == "Stalled"] == [("NoCredentials", NOW)]
    assert (last_run(journal).at, last_run(journal).since) == (NOW + timedelta(minutes=5), NOW)
    assert (last_run(journal).by, last_run(journal).reason) == ("ci/8", "NoCredentials")

    cloud.survey = survey  # type: ignore[method-assign]
    run(cloud, journal, rollout())

    assert probe(journal).failure is None
    assert probe(journal).phase is Phase.PROGRESSING
    assert last_run(journal).reason == ""
    phases = [e.message for e in journal.history("prod-eu", "probe") if e.kind == "phase"]
    assert phases[0] == "Pending -> Stalled: NoCredentials: the token has expired"


def test_a_refused_call_stands_in_the_record_with_since_when_until_it_is_taken() -> None:
    cloud, journal = Cloud(NOW), Memory()
    send, cloud.send = cloud.send, raising(StalledError("PermissionDenied", "it was refused"))  # type: ignore[method-assign]
    for _ in range(3):
        run(cloud, journal, rollout())
        cloud.advance(timedelta(minutes=5))

    assert [(c.reason, c.since) for c in probe(journal).conditions if c.type == "Stalled"] == [
        ("PermissionDenied", NOW)
    ]
    assert [e.message for e in journal.history("prod-eu", "probe") if e.kind == "phase"] == [
        "Pending -> Stalled: PermissionDenied: it was refused"
    ]
    tried = [e.message for e in journal.history("prod-eu", "probe") if e.kind == "failed"]
    assert tried[0] == "createUnit: wave canary is next; its call failed: it was refused"

    cloud.send = send  # type: ignore[method-assign]
    run(cloud, journal, rollout())

    assert probe(journal).failure is None
    assert probe(journal).phase is Phase.PROGRESSING


def test_an_outage_is_an_error_of_the_run_even_where_no_rollout_is_declared() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    cloud.survey = raising(TransientError("no answer"))  # type: ignore[method-assign]

    report = run(cloud, journal)

    assert [(e.reason, e.message) for e in report.errors] == [("Unavailable", "no answer")]
    assert last_run(journal).reason == "Unavailable"


class Full(Memory):
    """A journal whose disk is full after the first commit with an intent."""

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        if any(r.intents for r in (self.load("prod-eu", n).record for n in self.records)):
            raise StalledError("JournalDiskIsFull", "no space is left")
        return super().commit(commits, fencing)


def test_what_was_sent_is_reported_when_the_commit_after_it_fails() -> None:
    cloud, journal = Cloud(NOW), Full()

    report = run(cloud, journal, rollout())

    assert cloud.sent == ["CreateFuotaTask"]
    assert report.rollouts[0].actions == ("createUnit",)
    assert report.rollouts[0].error == "JournalDiskIsFull: no space is left"
    assert report.passes == 1
    assert [e.reason for e in report.errors] == ["JournalDiskIsFull"]


class Lost(Memory):
    """A journal whose lease another process takes while the first call is on its way."""

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        if any(r.intents for r in (self.load("prod-eu", n).record for n in self.records)):
            raise LeaseHeldError("prod-eu", "other/1", "later")
        return super().commit(commits, fencing)


def test_a_lease_lost_while_calls_were_sent_is_an_error_and_tells_them() -> None:
    cloud, journal = Cloud(NOW), Lost()

    report = run(cloud, journal, rollout())

    assert (report.lease_held_by, report.rollouts[0].actions) == ("other/1", ("createUnit",))
    assert [e.reason for e in report.errors] == ["LeaseLost"]


def test_a_lease_lost_before_a_call_keeps_what_was_sent_before_it() -> None:
    cloud, journal = Cloud(NOW), Memory()
    send = cloud.send

    def losing(call: Call) -> Receipt:
        if call.operation == "StartFuotaTask":
            raise LeaseHeldError("prod-eu", "other/1", "later")
        return send(call)

    cloud.send = losing  # type: ignore[method-assign]

    report = run(cloud, journal, rollout())

    assert report.rollouts[0].actions[0] == "createUnit"
    assert "StartFuotaTask" not in cloud.sent


def test_runs_that_find_nothing_new_within_the_hour_write_nothing() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    commits = journal.commits
    run(cloud, journal, rollout())

    assert journal.commits == commits
    assert (last_run(journal).reason, last_run(journal).at) == ("", NOW)


def failing(journal: Memory, cloud: Cloud, *, on_failure: str) -> list[tuple[str, bool]]:
    """What six runs, an hour apart, say of a rollout whose devices fail: phase, and whether the run exits 1."""
    cloud.outcome = lambda _device: Outcome.FAILED
    declared = rollout()
    declared = msgspec.structs.replace(
        declared, strategy=msgspec.structs.replace(declared.strategy, on_failure=on_failure)
    )
    reported = []
    for _ in range(6):
        report = run(cloud, journal, declared)
        reported.append((report.rollouts[0].phase, ReconcileReport(rollouts=report.rollouts).failed))
        cloud.advance(timedelta(hours=1))
    return reported


def test_a_failed_rollout_fails_every_run_until_a_person_acknowledges_it() -> None:
    assert failing(Memory(), Cloud(NOW), on_failure="pause")[-3:] == [("Failed", True)] * 3


def test_one_that_is_ended_as_declared_fails_one_run() -> None:
    reported = failing(Memory(), Cloud(NOW), on_failure="abort")

    first = reported.index(("Failed", True))
    assert set(reported[first + 1 :]) == {("Failed", False)}


def test_one_that_is_suspended_or_aborted_fails_no_run() -> None:
    cloud, journal = Cloud(NOW), Memory()
    failing(journal, cloud, on_failure="pause")
    held = msgspec.structs.replace(rollout(), suspend=Suspend(reason="the lab looks", owner="ada"))
    ended = msgspec.structs.replace(rollout(), abort=Abort(reason="a bad image"))

    for declared, phase in ((held, "Suspended"), (ended, "Aborted")):
        report = run(cloud, journal, declared)
        assert (report.rollouts[0].phase, ReconcileReport(rollouts=report.rollouts).failed) == (phase, False)


def test_a_hold_that_waits_too_long_fails_one_run_and_stays_a_condition() -> None:
    cloud, journal = Cloud(NOW), Memory()
    waits = Hold(reason="a_door_is_closed", message="the door is closed", limit=timedelta(days=2))
    reported = []
    for span in (0, 1, 3, 4):
        cloud.now = NOW + timedelta(days=span)
        report = Reconciler(
            ENVIRONMENT,
            (rollout(),),
            {"fuota": cloud},
            journal,
            lambda: cloud.now,
            "me",
            lambda _r: (waits,),
            lambda _s: False,
        ).run()
        reported.append((report.rollouts[0].overdue, ReconcileReport(rollouts=report.rollouts).failed))

    assert reported == [((), False), ((), False), (("a_door_is_closed",), True), ((), False)]
    assert [(c.reason, c.since) for c in probe(journal).conditions if c.type == "Overdue"] == [
        ("ADoorIsClosed", NOW + timedelta(days=3))
    ]
    assert [e.kind for e in journal.history("prod-eu", "probe")].count("overdue") == 1
