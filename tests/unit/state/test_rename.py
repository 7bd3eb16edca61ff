"""A rollout that is renamed takes its record along, wherever it stands, and sends nothing again for its new name."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import Phase, Rollout, Stage, Suspend
from otactl.model.notices import Notice, Receiver, Webhook
from otactl.model.unreadable_manifests import NOTHING_UNREAD, UnreadableManifest, UnreadableManifests
from otactl.ports import Stored
from otactl.reconcile.deliver import Send, Sent
from otactl.reconcile.reconciler import Reconciler, RunReport
from otactl.state.rename import renaming
from tests.support.builders import ENVIRONMENT, NOW, record_of, rollout, unit_of
from tests.support.in_memory_cloud import Cloud, Memory


def run(
    cloud: Cloud,
    journal: Memory,
    *rollouts: Rollout,
    read: bool = True,
    unread: UnreadableManifests = NOTHING_UNREAD,
    send: Send | None = None,
) -> RunReport:
    ops = Receiver(name="ops", webhook=Webhook(url="https://hooks.example.com/", secret="OTACTL_NOTICE_SECRET"))
    reconciler = Reconciler(
        msgspec.structs.replace(ENVIRONMENT, notices=(ops,)),
        rollouts,
        {"fuota": cloud},
        journal,
        lambda: cloud.now,
        "me",
        lambda _r: (),
        lambda _s: read,
        unread=unread,
        send=send,
    )
    return reconciler.run()


def drive(cloud: Cloud, journal: Memory, declared: Rollout, rounds: int) -> None:
    for _ in range(rounds):
        run(cloud, journal, declared)
        cloud.advance(timedelta(hours=1))


def renamed(**changes: object) -> Rollout:
    return rollout(name="soil", renamed_from="probe", **changes)


def holds(report: RunReport) -> list[str]:
    return [h.reason for r in report.rollouts for h in r.holds]


@pytest.mark.parametrize("rounds", [0, 1, 2, 4], ids=lambda n: f"after {n} runs")
def test_a_rollout_renamed_at_any_time_goes_on_where_it_stood(rounds: int) -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout(), rounds)

    drive(cloud, journal, renamed(), 12)

    record = journal.load("prod-eu", "soil").record
    assert record.phase is Phase.SUCCEEDED
    assert len(cloud.created) == 2  # a task for each wave, whatever the rollout is called
    assert cloud.sent.count("StartFuotaTask") == 2
    assert cloud.tasks == {}
    assert not [e for e in record.drift if e.open]
    if rounds:
        old = journal.load("prod-eu", "probe").record
        assert (old.phase, old.renamed_to, old.attempts, record.previous_names) == (
            Phase.REMOVED,
            "soil",
            (),
            ("probe",),
        )
        assert [e.message for e in journal.events["probe"]][-1] == "its record moved to rollout soil"
        assert "took over the record of rollout probe" in [e.message for e in journal.events["soil"]]


@pytest.mark.parametrize("seen_before", [False, True], ids=["at once", "once it was declared without the field"])
def test_a_notice_that_no_receiver_accepted_is_sent_under_the_old_name_after_the_renaming(seen_before: bool) -> None:
    cloud, journal = Cloud(NOW), Memory()
    answers, accepted = [Sent(problem="it answered 500")], list[tuple[str, str]]()

    def send(_receiver: Receiver, notice: Notice, _seconds: float) -> Sent:
        accepted.extend([] if answers[0].problem else [(notice.rollout, notice.reason)])
        return answers[0]

    held = {"suspend": Suspend(reason="wait", owner="ops")}
    run(cloud, journal, rollout(**held), send=send)
    if seen_before:
        run(cloud, journal, rollout(**held), rollout(name="soil"), send=send)
    run(cloud, journal, renamed(**held), send=send)
    answers[0] = Sent()

    for _ in range(2):
        run(cloud, journal, renamed(**held), send=send)

    assert accepted.count(("probe", "suspended")) == 1


def test_without_the_word_of_the_manifest_a_renamed_rollout_is_held_and_sends_nothing() -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout(), 12)
    new = rollout(name="soil")

    assert holds(run(cloud, journal, new)) == ["content_was_sent_already"]
    assert len(cloud.created) == 2

    run(cloud, journal, renamed())  # a person has read it
    assert journal.load("prod-eu", "soil").record.phase is Phase.SUCCEEDED
    assert len(cloud.created) == 2


def test_content_that_is_to_be_sent_again_is_sent_again() -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout(), 12)

    drive(cloud, journal, rollout(name="soil", resend=True), 12)

    assert journal.load("prod-eu", "soil").record.phase is Phase.SUCCEEDED
    assert len(cloud.created) == 4


@pytest.mark.parametrize(
    ("first", "second", "read", "reason"),
    [
        ((rollout(),), (rollout(), renamed()), True, "renamed_rollout_is_declared"),
        ((rollout(),), (renamed(),), False, "renamed_rollout_is_unread"),
        ((rollout(), rollout(name="soil", resend=True)), (renamed(),), True, "renamed_rollout_has_another_record"),
    ],
    ids=["it is declared", "no one looked", "two histories"],
)
def test_a_record_does_not_move(
    first: tuple[Rollout, ...], second: tuple[Rollout, ...], read: bool, reason: str
) -> None:
    cloud, journal = Cloud(NOW), Memory()
    for _ in range(10):
        run(cloud, journal, *first)
        cloud.advance(timedelta(hours=1))
    made = len(cloud.created)

    other = msgspec.structs.replace(
        second[-1], backend=msgspec.structs.replace(second[-1].backend, redundancy_percent=30)
    )
    report = run(cloud, journal, *second[:-1], other, read=read)

    assert reason in holds(report)
    assert len(cloud.created) == made
    assert journal.load("prod-eu", "probe").record.renamed_to == ""


def test_a_quiet_run_after_a_record_moved_writes_nothing() -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout(), 12)
    run(cloud, journal, renamed())
    before = journal.commits

    run(cloud, journal, renamed())

    assert journal.commits == before


def test_a_record_that_moved_goes_on_when_its_old_name_was_used_and_moved_and_used_again() -> None:
    again, soil = rollout(resend=True), renamed()
    unit = unit_of(again)
    moved = msgspec.structs.replace(record_of(soil, unit_of(soil), Stage.RUNNING), previous_names=("probe",))
    used = msgspec.structs.replace(record_of(again, unit, Stage.RUNNING), renamed_to="clay")
    stored = {"probe": Stored(record=used, revision=9), "soil": Stored(record=moved, revision=4)}

    found = renaming(stored, (again, soil), lambda _record: True, NOW)

    assert (found.commits, found.holds) == ((), {})


def test_a_record_that_moves_does_not_say_that_it_went_elsewhere() -> None:
    """Its name may have been given up before, by a record that moved, and used again."""
    used = msgspec.structs.replace(record_of(rollout(), unit_of(rollout()), Stage.RUNNING), renamed_to="clay")

    found = renaming({"probe": Stored(record=used, revision=9)}, (renamed(),), lambda _record: True, NOW)

    assert {c.record.name: c.record.renamed_to for c in found.commits} == {"soil": "", "probe": "soil"}


def test_two_rollouts_that_swapped_their_names_by_a_third_go_on() -> None:
    cloud, journal = Cloud(NOW), Memory()
    one, two = rollout(name="one", resend=True), rollout(name="two", resend=True)
    for _ in range(6):
        run(cloud, journal, one, two)
        cloud.advance(timedelta(hours=1))
    swapped_one = msgspec.structs.replace(two, name="one", renamed_from="two")
    swapped_two = msgspec.structs.replace(one, name="two", renamed_from="third")
    run(cloud, journal, msgspec.structs.replace(one, name="third", renamed_from="one"), two)
    run(cloud, journal, msgspec.structs.replace(one, name="third", renamed_from="one"), swapped_one)
    run(cloud, journal, swapped_one, swapped_two)

    report = run(cloud, journal, swapped_one, swapped_two)

    assert [reason for reason in holds(report) if reason.startswith("renamed_rollout")] == []
    names = {name: journal.load("prod-eu", name).record.previous_names for name in ("one", "two")}
    assert names == {"one": ("two",), "two": ("one", "third")}


@pytest.mark.parametrize(
    ("broken", "is_held"),
    [
        (UnreadableManifest(file="other.yaml", name="probe", text="other.yaml:3:1: no"), True),
        (UnreadableManifest(file="other.yaml", name="new", renamed_from="probe", text="other.yaml:3:1: no"), True),
        (UnreadableManifest(file="other.yaml", name="", text="other.yaml:3:1: no"), True),
        (UnreadableManifest(file=rollout().source.file, name="clay", text="r.yaml:3:1: no"), True),
        (UnreadableManifest(file="other.yaml", name="clay", text="other.yaml:3:1: no"), False),
    ],
    ids=[
        "it names the rollout",
        "it renames the rollout",
        "it names none",
        "the rollout was last read from it",
        "it is another's",
    ],
)
def test_no_record_moves_from_a_rollout_that_a_broken_manifest_may_declare(
    broken: UnreadableManifest, is_held: bool
) -> None:
    cloud, journal = Cloud(NOW), Memory()
    drive(cloud, journal, rollout(), 2)

    report = run(cloud, journal, renamed(), unread=UnreadableManifests(manifests=(broken,)))

    assert ("renamed_rollout_is_unread" in holds(report)) == is_held
    assert journal.load("prod-eu", "probe").record.renamed_to == ("" if is_held else "soil")
    if is_held:
        (message,) = (h.message for r in report.rollouts for h in r.holds if h.reason == "renamed_rollout_is_unread")
        assert broken.text in message
        run(cloud, journal, renamed())  # it is fixed
        assert journal.load("prod-eu", "probe").record.renamed_to == "soil"
