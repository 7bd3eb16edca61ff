"""Whole rollouts run by the loop, undisturbed and killed at every point, over a service and a journal in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from otactl.errors import StalledError, TransientError
from otactl.model import Cause, DriftStatus, Listed, Outcome, Phase, Record, Rollout, Stage, Survey, Unit, UnitPhase
from otactl.ports import Commit, Lease
from otactl.reconcile.reconciler import Reconciler, RunReport
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.in_memory_cloud import Cloud, Kill, Killed, Memory, run


def drive(cloud: Cloud, journal: Memory, declared: Rollout, rounds: int = 12) -> RunReport:
    """Cron: run, an hour later run again."""
    for _ in range(rounds):
        report = run(cloud, journal, declared)
        cloud.advance(timedelta(hours=1))
    return report


def end_of(journal: Memory) -> tuple[object, ...]:
    """What must be the same however often the process died: phase, attempts, devices, verdicts."""
    record = journal.load("prod-eu", "probe").record
    return (
        record.phase,
        [(a.unit_id, a.stage, a.members, a.results) for a in record.attempts],
        [(w.name, w.members, w.verdict and (w.verdict.passed, w.verdict.total)) for w in record.waves],
        record.intents,
        [(d.subject, d.field) for d in record.drift],
    )


def test_an_undisturbed_rollout_goes_through_its_waves_to_success() -> None:
    cloud, journal = Cloud(NOW), Memory()

    drive(cloud, journal, rollout())

    assert journal.load("prod-eu", "probe").record.phase is Phase.SUCCEEDED
    assert len(cloud.created) == 2
    assert cloud.tasks == {}  # cleaned up
    assert cloud.sent.count("StartFuotaTask") == 2


def points_of_a_whole_run() -> int:
    cloud, journal, kill = Cloud(NOW), Memory(), Kill()
    cloud.kill = journal.kill = kill
    drive(cloud, journal, rollout())
    return kill.points


POINTS = points_of_a_whole_run()


@pytest.mark.parametrize("at", range(1, POINTS + 1))
def test_killed_at_any_point_and_run_again_it_ends_the_same(at: int) -> None:
    undisturbed = Cloud(NOW), Memory()
    drive(*undisturbed, rollout())
    cloud, journal = Cloud(NOW), Memory()
    cloud.kill = journal.kill = Kill(at)
    died = 0
    for number in range(14):
        try:
            run(cloud, journal, rollout(), holder=f"run-{number}")
        except Killed:
            died += 1
            journal.held = None  # its lease ran out
            continue  # cron starts it again at once
        cloud.advance(timedelta(hours=1))

    assert died == 1
    assert end_of(journal) == end_of(undisturbed[1])
    assert cloud.created == undisturbed[0].created
    assert sorted(set(cloud.sent)) == sorted(set(undisturbed[0].sent))


def test_a_quiet_run_sends_nothing_and_writes_nothing() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    commits, sent = journal.commits, list(cloud.sent)

    report = run(cloud, journal, rollout())

    assert (journal.commits, cloud.sent) == (commits, sent)
    assert journal.held is None
    assert report.rollouts[0].requeue_after_seconds is not None


def test_while_another_process_holds_the_lease_nothing_is_sent_and_it_is_named() -> None:
    cloud, journal = Cloud(NOW), Memory()
    journal.held = Lease(
        environment="prod-eu", holder="other/1", host="o", pid=1, expires_at=NOW + timedelta(seconds=60), fencing=7
    )

    report = run(cloud, journal, rollout())

    assert report.lease_held_by == "other/1"
    assert cloud.sent == []


def test_drift_of_an_open_task_is_corrected_and_the_ledger_keeps_it() -> None:
    cloud, journal = Cloud(NOW), Memory()
    first = rollout()
    run(cloud, journal, first)
    # back to open, as if the start had not been sent: edit it by hand
    key, task = next(iter(cloud.tasks.items()))
    cloud.tasks[key] = msgspec.structs.replace(
        task, phase=UnitPhase.OPEN, start_at=None, fields={**task.fields, "redundancyPercent": 99}
    )
    cloud.advance(timedelta(minutes=5))
    run(cloud, journal, first)

    entries = journal.load("prod-eu", "probe").record.drift
    assert [(e.field, e.status, e.closed_by) for e in entries if e.field == "redundancyPercent"] == [
        ("redundancyPercent", DriftStatus.CORRECTED, "otactl")
    ]
    assert cloud.tasks[key].fields["redundancyPercent"] == 12


def test_tags_changed_right_after_our_own_write_are_put_back_once_the_ledger_has_them() -> None:
    """A read that may be behind our last write is no drift: what it shows is neither noted nor corrected yet."""
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    key, task = next(iter(cloud.tasks.items()))
    cloud.tasks[key] = msgspec.structs.replace(task, tags={**task.tags, "otactl:wave": "other"})

    run(cloud, journal, rollout())
    at_once = cloud.tasks[key].tags["otactl:wave"], journal.load("prod-eu", "probe").record.drift
    cloud.advance(timedelta(minutes=3))
    run(cloud, journal, rollout())

    assert at_once == ("other", ())
    assert cloud.tasks[key].tags["otactl:wave"] == "canary"
    (entry,) = journal.load("prod-eu", "probe").record.drift
    assert (entry.field, entry.closed_by or entry.action) == ("tags.otactl:wave", "otactl")


def test_a_wave_that_misses_its_gate_keeps_the_next_one_from_starting() -> None:
    cloud, journal = Cloud(NOW), Memory()
    cloud.outcome = lambda _device: Outcome.FAILED

    report = drive(cloud, journal, rollout())

    assert report.rollouts[0].phase == "Failed"
    assert len(cloud.created) == 1


def test_a_rollout_taken_out_of_git_is_left_alone_and_reported_as_an_orphan() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    sent = list(cloud.sent)

    run(cloud, journal, rollout(name="other"), covers=True)

    record = journal.load("prod-eu", "probe").record
    assert record.phase is Phase.ORPHANED
    assert [(d.cause, d.open) for d in record.drift] == [(Cause.ORPHAN, True)]
    assert "delete-fuota-task --id" in str(record.drift[0].observed)
    assert [t for t in cloud.tasks.values() if t.tags["otactl:rollout"] == "probe"]
    assert cloud.sent[: len(sent)] == sent


def test_without_its_journal_a_rollout_is_rebuilt_from_the_tasks_and_makes_no_second_one() -> None:
    cloud = Cloud(NOW)
    run(cloud, Memory(), rollout())
    journal = Memory()

    drive(cloud, journal, rollout())

    assert len(cloud.created) == 2
    assert journal.load("prod-eu", "probe").record.phase is Phase.SUCCEEDED


def test_a_task_of_another_actor_is_reported_once_and_never_touched() -> None:
    cloud, journal = Cloud(NOW), Memory()
    stranger = Unit(unit_id="", phase=UnitPhase.OPEN, fields={"name": "handmade"}, vendor_id="x-1", arn="arn:x-1")
    cloud.tasks["x-1"] = stranger

    run(cloud, journal, rollout())
    run(cloud, journal, rollout())

    entries = journal.load("prod-eu", "@environment").record.drift
    assert [(e.subject, e.cause, e.open) for e in entries] == [("handmade", Cause.FOREIGN, True)]
    assert cloud.tasks["x-1"] == stranger


@pytest.mark.parametrize(
    ("marks", "cause", "reported"),
    [
        ({}, Cause.FOREIGN, "present, with our name and without our marks (x-1)"),
        (
            {"otactl:owner": "acme", "otactl:environment": "staging"},
            Cause.FOREIGN,
            "present, of environment staging of owner acme (x-1)",
        ),
        (
            {"otactl:owner": "another", "otactl:environment": "staging"},
            Cause.FOREIGN,
            "present, of environment staging of owner another (x-1)",
        ),
        (
            {"otactl:owner": "acme", "otactl:environment": "prod-eu", "otactl:journal": "0123456789abcdef"},
            Cause.FOREIGN,
            "present, made by journal 0123456789abcdef, which this run does not read (x-1)",
        ),
        (
            {"otactl:owner": "acme", "otactl:environment": "prod-eu"},
            Cause.ORPHAN,
            "carries our name, no manifest declares it; to remove it: aws iotwireless delete-fuota-task --id x-1",
        ),
    ],
)
def test_a_task_with_our_name_is_an_orphan_only_with_our_owner_and_environment_in_its_marks(
    marks: dict[str, str], cause: Cause, reported: str
) -> None:
    cloud, journal = Cloud(NOW), Memory()
    fields = {"name": "acme-sensor-all-1-0a1b2c3d"}
    cloud.tasks["x-1"] = Unit(
        unit_id="", phase=UnitPhase.OPEN, fields=fields, vendor_id="x-1", arn="arn:x-1", tags=marks
    )

    run(cloud, journal, rollout())
    run(cloud, journal, rollout())

    (entry,) = journal.load("prod-eu", "@environment").record.drift
    assert (entry.cause, entry.observed, entry.open) == (cause, reported, True)
    assert (entry.status is DriftStatus.ACKNOWLEDGED) == ("staging of owner acme" in reported)


def test_marks_that_cannot_be_read_stop_no_rollout_and_say_nothing() -> None:
    class Silent(Cloud):
        def marks(self, item: Listed) -> Mapping[str, str]:
            raise TransientError("no answer")

    cloud, journal = Silent(NOW), Memory()
    fields = {"name": "acme-sensor-all-1-0a1b2c3d"}
    cloud.tasks["x-1"] = Unit(unit_id="", phase=UnitPhase.OPEN, fields=fields, vendor_id="x-1", arn="arn:x-1")

    drive(cloud, journal, rollout())

    assert journal.load("prod-eu", "@environment").record.drift == ()
    assert journal.load("prod-eu", "probe").record.phase is Phase.SUCCEEDED


def test_a_new_generation_after_success_runs_every_wave_again() -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout())
    newer = rollout()
    newer = msgspec.structs.replace(newer, backend=msgspec.structs.replace(newer.backend, redundancy_percent=20))

    drive(cloud, journal, newer)

    record: Record = journal.load("prod-eu", "probe").record
    assert len(cloud.created) == 4
    assert record.phase is Phase.SUCCEEDED
    assert [a.stage for a in record.attempts] == [Stage.DELETED] * 4


def test_history_tells_every_step() -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout())

    kinds = [e.kind for e in journal.history("prod-eu", "probe")]

    assert kinds.count("verdict") == 2
    assert kinds.count("results") == 2
    assert "sent" in kinds


def test_a_record_another_process_wrote_in_between_is_read_again_and_nothing_is_sent_on_the_old_one() -> None:
    cloud, journal = Cloud(NOW), Memory()
    meddled = []

    class Racing(Memory):
        """The other process runs whole between our load and our first commit."""

        def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
            if not meddled:
                meddled.append(True)
                held, self.held = self.held, None
                run(cloud, self, rollout(), holder="other")
                self.held = held
            return super().commit(commits, fencing)

    journal = Racing()

    report = run(cloud, journal, rollout())

    assert len(cloud.created) == 1
    assert cloud.sent.count("StartFuotaTask") == 1
    assert report.rollouts[0].error == ""


def test_a_survey_that_fails_is_an_error_of_every_rollout_finished_ones_too() -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout())
    cloud.survey = refuse  # type: ignore[method-assign]

    report = run(cloud, journal, rollout())

    assert "no credentials" in report.rollouts[0].error


def refuse() -> Survey:
    raise StalledError("NoCredentials", "no credentials")


def test_credentials_of_another_account_send_nothing() -> None:
    cloud, journal = Cloud(NOW), Memory()
    cloud.survey = lambda: Survey(account="999999999999")  # type: ignore[method-assign]

    report = run(cloud, journal, rollout())

    assert "AccountDiffers" in report.rollouts[0].error
    assert cloud.sent == []
    assert [(r.phase, r.failure and r.failure.reason) for r in [journal.load("prod-eu", "probe").record]] == [
        (Phase.STALLED, "AccountDiffers")
    ]


def test_an_error_that_every_service_meets_is_reported_once() -> None:
    cloud = Cloud(NOW)
    cloud.survey = lambda: Survey(account="999999999999")  # type: ignore[method-assign]
    services = {"fuota": cloud, "otaUpdate": cloud, "tuya": cloud}

    report = Reconciler(ENVIRONMENT, (), services, Memory(), lambda: NOW, "me", lambda _r: (), lambda _s: False).run()

    assert [error.reason for error in report.errors] == ["AccountDiffers"]


def surprised(*_: object) -> object:
    raise KeyError("hunter2")


def watched(cloud: Cloud, name: str) -> None:
    """Have the cloud stumble over one rollout's name and no other."""
    observe = cloud.observe
    found: Any = lambda r, k, s: surprised() if r.name == name else observe(r, k, s)  # noqa: E731
    cloud.observe = found  # type: ignore[method-assign]


def test_what_no_one_expected_of_one_rollout_is_its_named_error_and_the_others_go_on() -> None:
    cloud, journal = Cloud(NOW), Memory()
    watched(cloud, "odd")

    report = run(cloud, journal, rollout(name="odd"), rollout())

    odd, probe = report.rollouts
    assert odd.error.startswith("Defect: KeyError in reconcile/test_reconciler.py:")
    assert "report it" in odd.error
    assert "hunter2" not in odd.error
    assert (probe.error, "CreateFuotaTask" in cloud.sent) == ("", True)


@pytest.mark.parametrize("name", ["survey", "lower"])
def test_what_no_one_expected_elsewhere_sends_nothing_and_ends_in_a_named_error(name: str) -> None:
    cloud, journal = Cloud(NOW), Memory()
    setattr(cloud, name, surprised)

    assert run(cloud, journal, rollout()).rollouts[0].error.startswith("Defect: KeyError")
    assert cloud.sent == []


def test_after_a_send_that_no_one_expected_to_fail_so_the_create_may_have_gone_out() -> None:
    cloud, journal = Cloud(NOW), Memory()
    setattr(cloud, "send", surprised)  # noqa: B010 - another signature on purpose

    assert "Defect: KeyError" in run(cloud, journal, rollout()).rollouts[0].error
    assert [i.key for i in journal.load("prod-eu", "probe").record.intents]
