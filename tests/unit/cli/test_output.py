"""How wide the output may be: as wide as the terminal, and without a limit where there is none."""

from __future__ import annotations

import io
import os

import pytest

from otactl.cli import main
from otactl.cli.output import terminal_width


class Terminal(io.StringIO):
    """A stdout that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdout", "columns", "expected"),
    [
        (Terminal(), "72", 72),
        (Terminal(), "", 132),
        (Terminal(), "wide", 132),
        (io.StringIO(), "72", None),
    ],
)
def test_the_width_is_that_of_the_terminal_which_columns_may_set(
    monkeypatch: pytest.MonkeyPatch, stdout: io.StringIO, columns: str, expected: int | None
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(os, "get_terminal_size", lambda _file: os.terminal_size((132, 40)))
    monkeypatch.setattr("sys.stdout", stdout)

    assert terminal_width() == expected


def test_a_terminal_that_reports_no_size_is_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(os, "get_terminal_size", lambda _file: os.terminal_size((0, 0)))
    monkeypatch.setattr("sys.stdout", Terminal())

    assert terminal_width() is None


@pytest.mark.parametrize("group", ["journal", "evidence", "workers"])
def test_a_group_without_a_command_shows_its_help_line_by_line(
    group: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["otactl", group])

    with pytest.raises(SystemExit) as left:
        main()

    shown = capsys.readouterr().err
    assert left.value.code == 1
    assert "\nCommands:\n" in shown
    assert shown.endswith("otactl: name one of these commands\n")
