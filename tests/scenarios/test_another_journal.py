"""Units carry the id of the journal that made them: a second memory of the same fleet sends nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from otactl.journal import SqlJournal
from otactl.model import Phase, Rollout, Strategy, Targets, Wave
from otactl.model.tags import TAG_JOURNAL
from tests.support.fuota_stage import GROUPS, FuotaStage, declared, lose_journal
from tests.support.ota_stage import OtaStage, one_wave, running


@pytest.fixture
def opened(fuota_stage: FuotaStage) -> FuotaStage:
    """The canary's task is open: a device has not heard its multicast setup."""
    fuota_stage.deafen()
    fuota_stage.run()
    return fuota_stage


def tags(fuota_stage: FuotaStage) -> dict[str, str]:
    listed = fuota_stage.wireless.list_tags_for_resource(ResourceArn=fuota_stage.task()["Arn"])["Tags"]
    return {t["Key"]: t["Value"] for t in listed}


def identity(folder: Path) -> str:
    with SqlJournal(folder / "journal.db") as journal:
        return journal.identity().id


def other() -> Rollout:
    """Another rollout of the environment, of which nothing was made yet."""
    wave = Wave(name="all", targets=Targets(multicast_groups=(GROUPS[1],)))
    return declared(name="sensor", strategy=Strategy(waves=(wave,)))


def test_a_second_journal_of_an_environment_sends_nothing_for_any_of_its_rollouts(opened: FuotaStage) -> None:
    first = identity(opened.folder)
    assert tags(opened)[TAG_JOURNAL] == first
    opened.deafen(False)
    before = len(opened.server.world.requests)

    with SqlJournal(opened.folder / "second.db") as second:
        report = opened.run(declared(), other(), journal=second)
        known = second.load("prod-eu", "probe").record

    assert [[h.reason for h in r.holds] for r in report.rollouts] == [["another_journal_is_in_use"]] * 2
    assert f"was created by journal {first}" in report.rollouts[1].holds[0].message
    assert known.attempts == ()
    sent = {str(r["operation"]) for r in opened.server.world.requests[before:]}
    assert not {name for name in sent if not name.startswith(("Get", "List", "Head", "Simulate"))}


def test_a_journal_that_takes_over_adopts_what_the_lost_one_made_and_tags_it_again(opened: FuotaStage) -> None:
    lost = lose_journal(opened.folder)

    opened.run()

    assert identity(opened.folder) != lost
    assert tags(opened)[TAG_JOURNAL] == identity(opened.folder)
    assert len(opened.made()) == 1
    assert opened.record().attempts[0].stage.value == "open"
    assert opened.record().drift == ()


def test_a_task_is_adopted_by_the_rollout_that_was_renamed_after_the_journal_was_lost(opened: FuotaStage) -> None:
    lose_journal(opened.folder)

    opened.run(declared(name="soil", renamed_from="probe"))

    assert len(opened.made()) == 1
    with SqlJournal(opened.folder / "journal.db") as journal:
        (attempt,) = journal.load("prod-eu", "soil").record.attempts
    assert (attempt.unit_id, attempt.rollout) == (opened.task()["Name"].removeprefix("acme-"), "probe")
    assert tags(opened)["otactl:rollout"] == "probe"


def test_an_ota_update_is_adopted_by_the_rollout_that_was_renamed_after_the_journal_was_lost(
    ota_stage: OtaStage,
) -> None:
    update = running(ota_stage)
    lost = identity(ota_stage.folder)
    renamed = msgspec.structs.replace(one_wave(), name="soil", renamed_from=one_wave().name)

    with SqlJournal(ota_stage.folder / "second.db") as second:
        second.take_over(lost)
        ota_stage.run(renamed, journal=second)
        known = second.load("prod-eu", "soil").record

    assert ota_stage.created() == [update]
    assert [a.unit_id for a in known.attempts] == [update]


def test_the_lost_journal_that_turns_up_again_is_the_one_that_sends_nothing(opened: FuotaStage) -> None:
    kept = (opened.folder / "journal.db").read_bytes()
    lose_journal(opened.folder)
    opened.run()
    opened.deafen(False)

    (opened.folder / "old.db").write_bytes(kept)
    with SqlJournal(opened.folder / "old.db") as old:
        report = opened.run(journal=old)

    assert [h.reason for h in report.rollouts[0].holds] == ["another_journal_is_in_use"]
    assert opened.task()["Status"] == "Pending"


def test_the_tag_is_put_on_units_made_before_and_put_back_where_it_was_taken_off(opened: FuotaStage) -> None:
    arn = opened.task()["Arn"]
    opened.wireless.untag_resource(ResourceArn=arn, TagKeys=[TAG_JOURNAL])
    opened.advance(130)

    opened.run()

    assert tags(opened)[TAG_JOURNAL] == identity(opened.folder)
    assert [e.field for e in opened.record().drift] == [f"tags.{TAG_JOURNAL}"]
    assert len(opened.made()) == 1


def test_an_ota_update_is_known_by_its_own_record_when_its_tags_are_gone(ota_stage: OtaStage) -> None:
    update = running(ota_stage)
    shown = ota_stage.iot.get_ota_update(otaUpdateId=update)["otaUpdateInfo"]
    lost = identity(ota_stage.folder)
    assert shown["additionalParameters"][TAG_JOURNAL] == lost
    ota_stage.iot.untag_resource(resourceArn=shown["otaUpdateArn"], tagKeys=[TAG_JOURNAL])

    with SqlJournal(ota_stage.folder / "second.db") as second:
        report = ota_stage.run(one_wave(), journal=second)
        second.take_over(lost)
        adopted = ota_stage.run(one_wave(), journal=second)
        known = second.load("prod-eu", one_wave().name).record
        lease = second.lease("prod-eu")

    assert [h.reason for h in report.rollouts[0].holds] == ["another_journal_is_in_use"]
    assert f"journal {lost}" in report.rollouts[0].holds[0].message
    assert (adopted.rollouts[0].holds, [a.unit_id for a in known.attempts]) == ((), [update])
    assert not any(e.field.startswith("additional") for e in known.drift)
    assert ota_stage.created() == [update]
    assert known.phase is Phase.PROGRESSING
    assert lease is not None
    assert lease.expires_at < datetime.now(UTC)
