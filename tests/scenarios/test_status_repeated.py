"""`status` as a screen, with --watch and with --wait-for, on the real command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from otactl.cli import repeated_status
from otactl.cli.output import SafeStream
from otactl.journal import SqlJournal
from otactl.model import Phase, Record, RecordedHold, WaveRecord
from otactl.ports import Commit
from tests.support.cli_runner import Run, run_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`otactl status` over a journal with one rollout that is held; its clock ends a watch after a minute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTACTL_JOURNAL", "journal.db")
    moment = [NOW]

    def sleep(seconds: float) -> None:
        moment[0] += timedelta(seconds=seconds)
        if moment[0] > NOW + timedelta(minutes=1):
            raise KeyboardInterrupt

    monkeypatch.setattr(repeated_status, "CLOCK", repeated_status.Clock(now=lambda: moment[0], sleep=sleep))
    hold = RecordedHold(reason="approval_is_missing", message="it waits for firmware-owners", since=NOW)
    box = Record(environment="lab", name="box", phase=Phase.PROGRESSING, waves=(WaveRecord(name="all"),), holds=(hold,))
    done = Record(environment="lab", name="old", phase=Phase.SUCCEEDED)
    with SqlJournal("journal.db") as journal:
        journal.commit((Commit(record=box, expected_revision=0), Commit(record=done, expected_revision=0)), 0)
    return run_of("status", monkeypatch, capsys)


def test_without_a_name_it_is_a_screen_and_with_details_or_a_name_it_is_everything(status: Run) -> None:
    screen, whole, one = status(""), status("--details"), status("box")

    assert "way out: Run `otactl approve PATH" in screen.out
    assert "wave all has not started" not in screen.out
    assert "wave all has not started" in whole.out
    assert "wave all has not started" in one.out
    assert status("-o json").json["rollouts"][0]["holds"][0]["reason"] == "approval_is_missing"


@pytest.mark.parametrize(
    ("words", "code", "reported"),
    [
        ("old --wait-for Succeeded --timeout 1m", 0, ""),
        ("box --wait-for Succeeded --timeout 1m", 2, "held until a person acts: approval_is_missing"),
        ("new --wait-for Succeeded --timeout 30s", 3, "new is not recorded yet after 30s"),
        ("box --wait-for Done --timeout 1m", 1, "'Done' is not one of 'Pending'"),
        ("box --wait-for Succeeded", 1, "--wait-for needs --timeout"),
        ("--wait-for Succeeded --timeout 1m", 1, "--wait-for waits for one rollout; name it"),
        ("box --wait-for Succeeded --timeout soon", 1, "'soon' is no duration; write 90s, 35m, 12h or 7d"),
        ("box --wait-for Succeeded --timeout 1m --watch", 1, "two ways to repeat"),
        ("--watch -o json", 1, "-o json is written once"),
        ("--device d1 --watch", 1, "--device is written once"),
        ("--timeout 1m", 1, "--timeout is for --wait-for"),
        ("--interval 1m", 1, "--interval is for --watch and --wait-for"),
        ("box --journal none.db --wait-for Succeeded --timeout 1m", 1, "no journal at none.db"),
    ],
)
def test_waiting_exits_as_documented(status: Run, words: str, code: int, reported: str) -> None:
    ran = status(words)

    assert (ran.code, ran.out) == (code, "")
    assert reported in ran.err
    assert "Traceback" not in ran.err


def test_watching_prints_one_screen_below_the_other_where_there_is_no_terminal(status: Run) -> None:
    ran = status("--watch --interval 30s")

    assert ran.code == 0
    assert ran.out.count("again every 30s; Ctrl-C ends") == 3
    assert ran.out.count("way out: Run `otactl approve PATH") == 3
    assert "\x1b" not in ran.out


class Terminal:
    """A stream that is a terminal."""

    encoding, closed = "utf-8", False

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def isatty(self) -> bool:
        return True


def test_a_terminal_is_cleared_by_the_command_alone_and_not_by_what_it_prints() -> None:
    terminal = Terminal()
    stream = SafeStream(terminal)
    stream.clear_screen()
    stream.write("\x1b[2Jname")

    assert terminal.text == "\x1b[H\x1b[2J\x1b[3J\\x1b[2Jname"
