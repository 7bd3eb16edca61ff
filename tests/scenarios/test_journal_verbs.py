"""The verbs that only read the journal: what they show, how they exit, what they say when they cannot."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from otactl.cli.commands.drift import command as drift
from otactl.cli.commands.history import command as history
from otactl.cli.commands.journal import command as journal
from otactl.cli.commands.status import command as status
from otactl.cli.errors import Verb, VerbGroup, guarded, lines_of
from otactl.errors import ManifestError, Problem
from otactl.journal import SqlJournal
from otactl.model import (
    Attempt,
    Cause,
    DeviceResult,
    DriftEntry,
    DriftStatus,
    Event,
    Intent,
    Outcome,
    Record,
    RecordedCall,
    Stage,
    WaveRecord,
)
from otactl.ports import Commit

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
HOSTILE = "soil\x1b[2J\u202e"
VERBS: list[tuple[click.Command, list[str]]] = [
    (status, []),
    (history, ["soil"]),
    (drift, []),
    (journal, ["check"]),
    (journal, ["export"]),
]


def _entry(field: str, state: DriftStatus) -> DriftEntry:
    closed = state in (DriftStatus.CORRECTED, DriftStatus.CLOSED)
    return DriftEntry(
        subject=HOSTILE,
        field=field,
        desired=12,
        observed=HOSTILE,
        cause=Cause.OUT_OF_BAND_EDIT,
        first_seen=NOW,
        last_seen=NOW,
        status=state,
        action="to be corrected",
        closed_at=NOW if closed else None,
    )


def _record(environment: str = "prod-eu", name: str = "soil", *drifts: DriftEntry) -> Record:
    results = (DeviceResult(device="d1", outcome=Outcome.SUCCEEDED, name=HOSTILE),)
    attempt = Attempt(number=1, generation="g", unit_id="soil-canary-1", stage=Stage.ENDED, results=results)
    wave = WaveRecord(name="canary", attempts=(attempt,))
    return Record(environment=environment, name=name, generation="g", version="2.4.1", waves=(wave,), drift=drifts)


def _write(path: Path, *records: Record) -> None:
    said = Event(at=NOW, kind="stage", subject="soil-canary-1", message=HOSTILE)
    with SqlJournal(path) as opened:
        for record in records:
            opened.commit((Commit(record=record, expected_revision=0, events=(said,)),), 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


def _run(command: click.Command, path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--journal", f"sqlite:///{path}"])


@pytest.mark.parametrize(("command", "arguments"), VERBS)
def test_a_missing_journal_is_one_line_on_stderr_and_is_not_made(
    path: Path, command: click.Command, arguments: list[str]
) -> None:
    ran = _run(command, path, *arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"otactl: JournalMissing: no journal at {path}; name the right one with --journal")
    assert ran.stderr.count("\n") == 1
    assert not path.parent.exists()


@pytest.mark.parametrize(("command", "arguments"), VERBS)
def test_reading_changes_no_byte_of_the_journal(path: Path, command: click.Command, arguments: list[str]) -> None:
    _write(path, _record())
    before = path.read_bytes()
    assert _run(command, path, *arguments).exit_code == 0
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("verb", "command", "arguments"), [("history", history, ["soil"]), ("drift", drift, [])])
def test_a_terminal_gets_a_table_of_its_width_and_a_file_one_line_for_each_row(
    monkeypatch: pytest.MonkeyPatch, path: Path, verb: str, command: click.Command, arguments: list[str]
) -> None:
    sentence = "the wave waits for devices"
    found = msgspec.structs.replace(_entry("unit", DriftStatus.ACKNOWLEDGED), observed=sentence)
    with SqlJournal(path) as opened:
        said = Event(at=NOW, kind="stage", subject="soil-canary-1", message=sentence)
        opened.commit((Commit(record=_record("prod-eu", "soil", found), expected_revision=0, events=(said,)),), 0)
    assert sentence in _run(command, path, *arguments).stdout

    monkeypatch.setattr(f"otactl.cli.commands.{verb}.terminal_width", lambda: 60)

    assert sentence not in _run(command, path, *arguments).stdout


@pytest.mark.parametrize(("command", "arguments"), VERBS)
def test_no_output_acts_on_the_terminal(path: Path, command: click.Command, arguments: list[str]) -> None:
    _write(path, _record("prod-eu", "soil", _entry(HOSTILE, DriftStatus.ACKNOWLEDGED)))
    ran = _run(command, path, *arguments)
    assert ran.exit_code == 0
    assert not {"\x1b", "\u202e"} & set(ran.output)


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 4096])
@pytest.mark.parametrize(("command", "arguments"), VERBS)
def test_a_file_that_is_no_journal_is_one_line_without_traceback(
    path: Path, command: click.Command, arguments: list[str], damage: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(damage)
    ran = _run(command, path, *arguments)
    assert ran.exit_code == 1
    assert isinstance(ran.exception, SystemExit)
    assert ran.stderr.startswith("otactl: ")
    assert ran.stderr.count("\n") == 1
    assert str(path) in ran.stderr


def test_the_journal_may_be_named_by_the_environment_variable(path: Path) -> None:
    _write(path, _record())
    ran = CliRunner().invoke(status, [], env={"OTACTL_JOURNAL": str(path)})
    assert (ran.exit_code, "soil" in ran.stdout) == (0, True)


def test_status_shows_all_rollouts_or_the_one_named(path: Path) -> None:
    _write(path, _record(name="a"), _record(name="b"), _record("prod-us", "a"))
    shown = [
        [
            (r["environment"], r["name"])
            for r in json.loads(_run(status, path, *chosen, "-o", "json").stdout)["rollouts"]
        ]
        for chosen in ([], ["a"], ["--environment", "prod-us"], ["a", "--environment", "prod-eu"])
    ]
    every = [("prod-eu", "a"), ("prod-eu", "b"), ("prod-us", "a")]
    assert shown == [every, [every[0], every[2]], [every[2]], [every[0]]]


def test_status_of_a_device_tells_its_results_across_rollouts(path: Path) -> None:
    _write(path, _record(name="a"), _record(name="b"))
    device = json.loads(_run(status, path, "--device", "D1", "-o", "json").stdout)["device"]
    assert [(r["rollout"], r["outcome"]) for r in device["results"]] == [("a", "succeeded"), ("b", "succeeded")]


@pytest.mark.parametrize("command", [status, history, drift])
@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["nope"], "no rollout nope in journal"),
        (["soil", "--environment", "nope"], "holds no environment nope; it holds prod-eu"),
        (["nope", "--environment", "prod-eu"], "no rollout nope in environment prod-eu"),
        (["\udcff"], "is not valid text"),
    ],
)
def test_an_unknown_name_exits_1_and_lists_what_is_known(
    path: Path, command: click.Command, arguments: list[str], reported: str
) -> None:
    _write(path, _record())
    ran = _run(command, path, *arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert reported in ran.stderr


def test_history_of_a_name_in_two_environments_asks_which(path: Path) -> None:
    _write(path, _record(), _record("prod-us"))
    ran = _run(history, path, "soil")
    assert (ran.exit_code, "prod-eu, prod-us; choose one with --environment" in ran.stderr) == (1, True)
    chosen = json.loads(_run(history, path, "soil", "--environment", "prod-us", "-o", "json").stdout)
    assert (chosen["environment"], len(chosen["events"])) == ("prod-us", 1)


@pytest.mark.parametrize(
    ("states", "code", "counts"),
    [
        ([], 0, (0, 0)),
        ([DriftStatus.WAITING], 2, (1, 0)),
        ([DriftStatus.IMPOSSIBLE], 2, (1, 0)),
        ([DriftStatus.ACKNOWLEDGED], 0, (1, 0)),
        ([DriftStatus.CORRECTED, DriftStatus.CLOSED], 0, (0, 2)),
        ([DriftStatus.ACKNOWLEDGED, DriftStatus.WAITING, DriftStatus.CLOSED], 2, (2, 1)),
    ],
)
@pytest.mark.parametrize("style", ["text", "json", "markdown"])
def test_drift_exits_2_only_for_open_drift_no_one_acknowledged(
    path: Path, states: list[DriftStatus], code: int, counts: tuple[int, int], style: str
) -> None:
    _write(path, _record("prod-eu", "soil", *(_entry(f"f{i}", s) for i, s in enumerate(states))))
    ran = _run(drift, path, "-o", style)
    assert (ran.exit_code, ran.stderr) == (code, "")
    if style == "json":
        ledger = json.loads(ran.stdout)
        assert (len(ledger["open"]), len(ledger["closed"])) == counts


@pytest.mark.parametrize("style", ["text", "json"])
def test_journal_check_exits_1_when_something_is_broken(path: Path, style: str) -> None:
    _write(path, _record())
    with SqlJournal(path) as opened, opened.database.write() as db:
        db.execute("UPDATE records SET record = 'x'")
    ran = _run(journal, path, "check", "-o", style)
    assert (ran.exit_code, "record_is_unreadable" in ran.stdout, ran.stderr) == (1, True, "")


def test_journal_check_only_warns_of_old_intents(path: Path) -> None:
    call = RecordedCall(service="iotwireless", operation="CreateFuotaTask", parameters={})
    meant = datetime.now(UTC) - timedelta(hours=2)
    intent = Intent(action="createUnit", unit_id="soil-canary-1", key="1", call=call, at=meant)
    _write(path, Record(environment="prod-eu", name="soil", intents=(intent,)))
    for age, found in (("1h", ["intent_is_old"]), ("1d", [])):
        ran = _run(journal, path, "check", "--older-than", age, "-o", "json")
        document = json.loads(ran.stdout)
        assert (ran.exit_code, document["sound"], [f["code"] for f in document["findings"]]) == (0, True, found)


def test_journal_backup_makes_a_journal_and_never_replaces_one(path: Path, tmp_path: Path) -> None:
    _write(path, _record())
    copy = tmp_path / "copy.db"
    assert _run(journal, path, "backup", str(copy)).exit_code == 0
    assert _run(status, copy, "soil").exit_code == 0
    again = _run(journal, path, "backup", str(copy))
    assert (again.exit_code, "replaces nothing" in again.stderr) == (1, True)


def test_journal_export_is_one_json_object_per_line(path: Path) -> None:
    _write(path, _record())
    kinds = [json.loads(line)["kind"] for line in _run(journal, path, "export").stdout.splitlines()]
    assert kinds == ["journal", "record", "event"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (status, ["-o", "yaml"]),
        (status, ["a", "b"]),
        (history, []),
        (drift, ["--nope"]),
        (journal, []),
        (journal, ["nope"]),
        (journal, ["backup"]),
        (journal, ["check", "--older-than", "soon"]),
    ],
)
def test_a_usage_error_exits_1_and_never_2(command: click.Command, arguments: list[str]) -> None:
    ran = CliRunner().invoke(command, arguments)
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert ran.stderr


def test_a_lease_is_ended_by_hand_once_and_an_unknown_environment_is_reported(path: Path) -> None:
    _write(path, _record())
    with SqlJournal(path) as opened:
        opened.acquire("prod-eu", "runner7/811", datetime.now(UTC) + timedelta(days=400))

    warned = _run(journal, path, "check")
    ended, again = (_run(journal, path, "release", "prod-eu") for _ in range(2))
    unknown = _run(journal, path, "release", "prod-us")

    assert (warned.exit_code, ended.exit_code, again.exit_code, unknown.exit_code) == (0, 0, 0, 1)
    assert "warning: lease of prod-eu: lease_is_dated_ahead: runner7/811" in warned.stdout
    assert "the lease of prod-eu is released: runner7/811" in ended.stdout
    assert "no one holds environment prod-eu" in again.stdout
    assert "no run ever held environment prod-us" in unknown.stderr


def test_a_group_of_verbs_exits_1_on_usage_and_passes_a_verbs_own_code_on(path: Path) -> None:
    group = VerbGroup("otactl", commands={"drift": drift, "status": status})
    _write(path, _record("prod-eu", "soil", _entry("f", DriftStatus.WAITING)))
    codes = [CliRunner().invoke(group, a).exit_code for a in (["nope"], ["drift", "--nope"], ["--nope"])]
    assert codes == [1, 1, 1]
    assert _run(group, path, "drift").exit_code == 2


def test_every_problem_of_a_manifest_is_a_line_and_nothing_in_it_acts_on_the_terminal() -> None:
    problems = tuple(
        Problem(file="a.yaml", line=n, column=1, pointer="", code="unknown_key", message=HOSTILE) for n in (3, 9)
    )

    @click.command(cls=Verb)
    @guarded
    def command() -> None:
        raise ManifestError(problems)

    ran = CliRunner().invoke(command, [])
    assert ran.exit_code == 1
    assert ran.stderr.splitlines() == lines_of(ManifestError(problems))
    assert "a.yaml:9:1: unknown_key: soil\\x1b" in ran.stderr
