"""A runner without a disk: rollouts over a journal on S3, the verbs that read one, the move to another place."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from otactl.cli.commands.drift import command as drift
from otactl.cli.commands.history import command as history
from otactl.cli.commands.journal import command as journal
from otactl.cli.commands.status import command as status
from otactl.journal import AnyJournal, S3Journal, open_journal
from otactl.journal.maintenance import check, contents
from otactl.model import Phase, Record
from otactl.ports import Commit
from tests.support.fuota_stage import BUCKET, FuotaStage
from tests.support.s3_faults import Killed, Wire

PLACE = f"s3://{BUCKET}/otactl/journal"


def file_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'moved' / 'journal.db'}"


def run(command: click.Command, *arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env=environment)


def drive(fuota_stage: FuotaStage, url: str, rounds: int) -> Record:
    """Cron on a fresh runner each time: it knows nothing but the journal's URL."""
    for _ in range(rounds):
        with open_journal(url) as opened:
            fuota_stage.run(journal=opened)
        fuota_stage.advance(3600)
    return recorded(url)


def recorded(url: str) -> Record:
    with open_journal(url, must_exist=True) as opened:
        return opened.load("prod-eu", "probe").record


def put(opened: AnyJournal, name: str = "soil") -> None:
    opened.commit((Commit(record=Record(environment="prod-eu", name=name), expected_revision=0),), 0)


def test_a_rollout_is_driven_to_its_end_with_nothing_kept_on_the_runner(fuota_stage: FuotaStage) -> None:
    assert drive(fuota_stage, PLACE, 6).phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 2
    assert not (fuota_stage.folder / "journal.db").exists()
    assert run(journal, "check", "--journal", PLACE).stdout.startswith(f"journal {PLACE} is sound: ")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("number", range(2, 90, 11))
def test_a_run_killed_at_a_call_of_its_journal_makes_one_task_a_wave_and_ends_the_same(
    fuota_stage: FuotaStage, number: int
) -> None:
    def kill(count: int, _operation: str) -> None:
        if count == number:
            raise Killed

    wire, died = Wire(before=kill), 0
    for _ in range(8):
        try:
            fuota_stage.run(journal=S3Journal(PLACE, client=wire))
        except Killed:
            died += 1
        fuota_stage.advance(3600)
    assert (died, len(fuota_stage.made()), recorded(PLACE).phase) == (1, 2, Phase.SUCCEEDED)
    with open_journal(PLACE) as opened:
        assert [d.severity for d in check(opened, datetime.now(UTC), timedelta(days=9)) if d.severity == "error"] == []


@pytest.mark.parametrize("there", ["s3", "sqlite"])
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_rollout_goes_on_where_it_stood_when_its_journal_has_moved(
    fuota_stage: FuotaStage, there: str, rounds: int
) -> None:
    here, target = (PLACE, file_in(fuota_stage.folder)) if there == "sqlite" else (file_in(fuota_stage.folder), PLACE)
    before = drive(fuota_stage, here, rounds)
    ran = run(journal, "copy", here, target)
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert recorded(target) == before
    assert drive(fuota_stage, target, 6).phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 2
    with open_journal(here) as one, open_journal(target) as two:
        old, new = one.history("prod-eu", "probe"), two.history("prod-eu", "probe")
    assert new[: len(old)] == old
    assert len(new) > len(old)


def test_every_verb_that_reads_a_journal_reads_one_on_s3(fuota_stage: FuotaStage) -> None:
    drive(fuota_stage, PLACE, 1)
    for command, arguments in ((status, ()), (status, ("probe",)), (history, ("probe",)), (drift, ())):
        ran = run(command, *arguments, "-o", "json", "--journal", PLACE)
        assert (ran.exit_code, ran.stderr) == (0, "")
        assert json.loads(ran.stdout)
    *named, reported = run(status, "--journal", PLACE).stdout.splitlines()
    assert reported == f"journal {PLACE} (--journal)"
    assert run(status, OTACTL_JOURNAL=PLACE).stdout.splitlines() == [*named, f"journal {PLACE} (OTACTL_JOURNAL)"]
    kinds = [json.loads(line)["kind"] for line in run(journal, "export", "--journal", PLACE).stdout.splitlines()]
    assert (kinds[0], kinds[-1], set(kinds)) == ("journal", "lease", {"journal", "record", "event", "lease"})


def test_a_backup_of_a_journal_on_s3_brings_it_back_elsewhere(fuota_stage: FuotaStage) -> None:
    drive(fuota_stage, PLACE, 1)
    copy = fuota_stage.folder / "monday.db"
    assert run(journal, "backup", str(copy), "--journal", PLACE).exit_code == 0
    assert run(journal, "copy", str(copy), f"{PLACE}-again").exit_code == 0
    with open_journal(PLACE) as one, open_journal(f"{PLACE}-again") as two:
        assert contents(one) == contents(two)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [(status, ()), (history, ("soil",)), (drift, ()), (journal, ("check",)), (journal, ("export",))],
)
def test_a_missing_journal_on_s3_is_one_line_on_stderr_and_is_not_made(
    fuota_stage: FuotaStage, command: click.Command, arguments: tuple[str, ...]
) -> None:
    ran = run(command, *arguments, "--journal", PLACE)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"otactl: JournalMissing: no journal at {PLACE}; name the right one with --journal")
    assert ran.stderr.count("\n") == 1
    assert fuota_stage.s3.list_objects_v2(Bucket=BUCKET, Prefix="otactl/")["KeyCount"] == 0


def test_a_copy_into_a_journal_that_is_not_empty_is_refused_and_changes_nothing(fuota_stage: FuotaStage) -> None:
    for url, name in ((PLACE, "a"), (file_in(fuota_stage.folder), "b")):
        with open_journal(url) as opened:
            put(opened, name)
    for source, target in ((PLACE, file_in(fuota_stage.folder)), (file_in(fuota_stage.folder), PLACE), (PLACE, PLACE)):
        ran = run(journal, "copy", source, target)
        assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
        assert "is not empty; a copy is written into an empty place, name another" in ran.stderr
    with open_journal(PLACE) as one, open_journal(file_in(fuota_stage.folder)) as two:
        assert (list(one.load_all("prod-eu")), list(two.load_all("prod-eu"))) == (["a"], ["b"])


def test_a_journal_is_not_copied_while_someone_works_on_it(fuota_stage: FuotaStage) -> None:
    with open_journal(PLACE) as opened:
        put(opened)
        lease = opened.acquire("prod-eu", "cron", datetime.now(UTC))
        ran = run(journal, "copy", PLACE, file_in(fuota_stage.folder))
        assert (ran.exit_code, ran.stdout) == (1, "")
        assert "environment prod-eu is held by cron (pid " in ran.stderr
        assert not (fuota_stage.folder / "moved").exists()
        opened.release(lease, datetime.now(UTC))
    assert run(journal, "copy", PLACE, file_in(fuota_stage.folder)).exit_code == 0


@pytest.mark.parametrize("kind", ["sqlite", "s3"])
def test_a_journal_whose_run_never_gave_its_lease_back_is_copied_once_that_is_over(
    fuota_stage: FuotaStage, tmp_path: Path, kind: str
) -> None:
    place = PLACE if kind == "s3" else f"sqlite:///{tmp_path}/from.db"
    with open_journal(place) as made:
        made.acquire("prod-eu", "cron", datetime.now(UTC) - timedelta(hours=2))

    copied = run(journal, "copy", place, f"sqlite:///{tmp_path}/to.db")

    assert copied.exit_code == 0, copied.output
    with open_journal(place, must_exist=True) as left:
        lease = left.lease("prod-eu")
        assert lease is not None
        assert lease.released


def test_what_is_not_whole_is_not_copied(fuota_stage: FuotaStage) -> None:
    with S3Journal(PLACE) as opened:
        put(opened)
        (segment,) = opened.store.bucket.keys("segments/")
    fuota_stage.s3.delete_object(Bucket=BUCKET, Key=f"otactl/journal/{segment}")
    ran = run(journal, "copy", PLACE, file_in(fuota_stage.folder))
    assert (ran.exit_code, segment in ran.stderr, ran.stderr.count("\n")) == (1, True, 1)
    assert run(journal, "check", "--journal", PLACE).exit_code == 1


def test_a_copy_says_how_much_it_carried(fuota_stage: FuotaStage) -> None:
    with open_journal(PLACE) as opened:
        put(opened, "a")
        put(opened, "b")
    target = fuota_stage.folder / "copy.db"
    ran = run(journal, "copy", PLACE, str(target))
    assert ran.stdout == f"journal {PLACE} is copied to {target}: 2 records, 0 events\n"


@pytest.mark.parametrize(
    "arguments",
    [("copy",), ("copy", PLACE), ("copy", PLACE, "a", "b"), ("copy", "nowhere.db", PLACE), ("copy", "s3://x", PLACE)],
)
def test_a_usage_error_of_copy_exits_1_and_never_2(fuota_stage: FuotaStage, arguments: tuple[str, ...]) -> None:
    ran = run(journal, *arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr
    assert "Traceback" not in ran.stderr
