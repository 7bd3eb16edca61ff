"""A manifest that cannot be read stops only what it may be about, and nothing it may declare is taken for gone."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.cli.unreadable_manifests import Stopped, concerning, leave_marks, stopped, unread_environments, unread_of
from otactl.errors import Problem
from otactl.manifest import Reading
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Phase, Unit, UnitPhase
from otactl.model.unreadable_manifests import UnreadableManifest, UnreadableManifests
from otactl.reconcile.reconciler import Reconciler, RunReport
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.in_memory_cloud import Cloud, Memory


def unread(name: str = "probe", file: str = "rollouts/b.yaml") -> UnreadableManifests:
    return UnreadableManifests(
        manifests=(UnreadableManifest(file=file, name=name, text=f"{file}:1:1: odd: it is odd"),)
    )


def run(cloud: Cloud, journal: Memory, *names: str, wrong: UnreadableManifests) -> RunReport:
    return Reconciler(
        ENVIRONMENT,
        tuple(rollout(name=n) for n in names),
        {"fuota": cloud},
        journal,
        lambda: cloud.now,
        "me",
        lambda _r: (),
        lambda _s: True,
        unread=wrong,
    ).run()


@pytest.mark.parametrize(
    ("wrong", "gone"),
    [
        (UnreadableManifests(), True),
        (unread("another"), True),
        (unread("probe"), False),
        (unread(""), False),
    ],
)
def test_a_rollout_that_a_broken_manifest_may_declare_is_not_removed(wrong: UnreadableManifests, gone: bool) -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, "probe", wrong=UnreadableManifests())

    run(cloud, journal, "other", wrong=wrong)

    assert (journal.load("prod-eu", "probe").record.phase is Phase.ORPHANED) is gone
    assert journal.load("prod-eu", "other").record.generation


def test_the_rollout_it_names_stands_stalled_with_the_place_until_it_can_be_read_again() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, "probe", wrong=UnreadableManifests())
    sent = list(cloud.sent)
    cloud.advance(timedelta(minutes=5))

    report = run(cloud, journal, wrong=unread())

    (line,) = report.rollouts
    assert (line.name, line.phase, line.error) == (
        "probe",
        "Stalled",
        "ManifestInvalid: rollouts/b.yaml:1:1: odd: it is odd",
    )
    record = journal.load("prod-eu", "probe").record
    assert (record.phase, record.failure and record.failure.reason) == (Phase.STALLED, "ManifestInvalid")
    mark = journal.load("prod-eu", "@environment").record.last_run
    assert mark is not None
    assert (mark.reason, mark.error) == ("ManifestInvalid", "rollouts/b.yaml:1:1: odd: it is odd")
    assert cloud.sent == sent

    run(cloud, journal, "probe", wrong=UnreadableManifests())

    assert journal.load("prod-eu", "probe").record.failure is None


def test_a_file_without_a_name_stops_what_was_last_read_from_it() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, "probe", wrong=UnreadableManifests())

    report = run(cloud, journal, wrong=unread("", file="rollouts/a.yaml"))

    assert [(r.name, r.phase) for r in report.rollouts] == [("probe", "Stalled")]


def test_a_wrong_manifest_that_renames_a_rollout_does_not_remove_it() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, "probe", wrong=UnreadableManifests())
    (wrong,) = unread("renamed").manifests

    report = run(
        cloud, journal, wrong=UnreadableManifests(manifests=(msgspec.structs.replace(wrong, renamed_from="probe"),))
    )

    assert [(r.name, r.phase) for r in report.rollouts] == [("probe", "Stalled"), ("renamed", "Stalled")]
    assert UnreadableManifests(manifests=(msgspec.structs.replace(wrong, renamed_from="probe"),)).may_have_made(
        "a-probe-1", "a-"
    )


def test_a_wrong_manifest_that_may_rename_any_rollout_removes_none_and_is_reported_under_its_own_name() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, "probe", wrong=UnreadableManifests())
    (wrong,) = unread("renamed").manifests
    may_rename = UnreadableManifests(manifests=(msgspec.structs.replace(wrong, may_rename=True),))

    report = run(cloud, journal, wrong=may_rename)

    assert [(r.name, r.phase, r.error) for r in report.rollouts] == [
        ("renamed", "Stalled", "ManifestInvalid: rollouts/b.yaml:1:1: odd: it is odd")
    ]
    assert journal.load("prod-eu", "probe").record.phase not in (Phase.ORPHANED, Phase.REMOVED)


@pytest.mark.parametrize(("name", "reported"), [("probe", []), ("", []), ("another", ["acme-probe-canary-1-0a1b2c3d"])])
def test_a_unit_that_it_may_have_made_is_no_orphan(name: str, reported: list[str]) -> None:
    cloud, journal = Cloud(NOW), Memory()
    fields: dict[str, object] = {"name": "acme-probe-canary-1-0a1b2c3d"}
    cloud.tasks["x"] = Unit(unit_id="", phase=UnitPhase.OPEN, fields=fields, vendor_id="x", arn="arn:x")

    run(cloud, journal, wrong=unread(name))

    assert [e.subject for e in journal.load("prod-eu", "@environment").record.drift] == reported


PROBLEM = Problem(file="f.yaml", line=1, column=1, pointer="", code="odd", message="it is odd")


def broken(kind: str, name: str, home: str) -> UnreadableDocument:
    return UnreadableDocument("f.yaml", kind, name, home, (PROBLEM,))


@pytest.mark.parametrize(
    ("kind", "name", "home", "concerned", "names"),
    [
        ("Rollout", "probe", "prod-eu", True, ("probe",)),
        ("Rollout", "probe", "", True, ("probe",)),
        ("Rollout", "probe", "prod-us", False, ()),
        ("Rollout", "Not A Name", "prod-eu", True, ("",)),
        ("", "", "", True, ("",)),
        ("Environment", "prod-us", "", False, ()),
        ("Environment", "prod-eu", "", True, ()),
    ],
)
def test_an_environment_is_concerned_by_what_may_be_of_it(kind, name, home, concerned, names) -> None:
    reading = Reading((), (), (PROBLEM,), (), 1, broken=(broken(kind, name, home),))

    assert bool(concerning(reading, "prod-eu")) is concerned
    assert tuple(m.name for m in unread_of(reading, "prod-eu").manifests) == names


def test_the_rollouts_of_a_broken_environment_are_left_alone_and_reported() -> None:
    there = msgspec.structs.replace(rollout(name="there"), environment="prod-us")
    reading = Reading(
        (rollout(), there),
        (ENVIRONMENT,),
        (PROBLEM,),
        (),
        1,
        broken=(broken("Environment", "prod-us", ""), broken("Rollout", "odd", "prod-us")),
    )

    text = "f.yaml:1:1: odd: it is odd"
    assert stopped(reading, None) == (
        Stopped(name="there", environment="prod-us", text=text, file="rollouts/a.yaml"),
        Stopped(name="odd", environment="prod-us", text=text, file="f.yaml"),
    )
    assert stopped(reading, "prod-eu") == ()


def test_an_environment_that_cannot_be_read_leaves_its_mark_where_the_journal_is_known() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, "probe", wrong=UnreadableManifests())
    reading = Reading((rollout(),), (), (PROBLEM,), (), 1, broken=(broken("Environment", "prod-eu", ""),))

    (wrong,) = unread_environments(reading, None).values()
    leave_marks(journal, "prod-eu", wrong, "ci/7", NOW + timedelta(hours=1))

    record = journal.load("prod-eu", "probe").record
    mark = journal.load("prod-eu", "@environment").record.last_run
    assert (record.phase, record.failure and record.failure.reason) == (Phase.STALLED, "ManifestInvalid")
    assert mark is not None
    assert (mark.by, mark.reason, mark.error) == ("ci/7", "ManifestInvalid", "f.yaml:1:1: odd: it is odd")
    assert journal.held is None
