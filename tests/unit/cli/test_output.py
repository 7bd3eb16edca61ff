"""How wide the output may be: as wide as the terminal, and without a limit where there is none."""

from __future__ import annotations

import io
import os

import pytest

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
