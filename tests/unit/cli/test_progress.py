"""The line that shows how far long work is: on a terminal alone, rewritten in place, and gone at the end."""

from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Iterator

import click
import pytest

from otactl.cli.output import SafeStream
from otactl.cli.progress import ProgressLine, WatchedBytes, progress
from otactl.errors import OutputError


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def screen(written: str, width: int = 80) -> str:
    """What a terminal shows in its line after so much was written."""
    line = [" "] * width
    at = 0
    for character in written:
        if character == "\r":
            at = 0
        else:
            line[at] = character
            at += 1
    return "".join(line).rstrip()


def test_a_text_replaces_the_one_before_and_nothing_is_left_at_the_end(clock: Clock) -> None:
    terminal = Terminal()
    line = ProgressLine(SafeStream(terminal), 80, clock)
    clock.now = 1
    line.show("99 of 600 calls sent")
    clock.now = 2
    line.show("7 MB")

    assert screen(terminal.getvalue()) == "7 MB"
    line.erase()
    assert screen(terminal.getvalue()) == ""
    assert terminal.getvalue().endswith("\r")


def test_work_that_is_over_within_a_second_shows_nothing(clock: Clock) -> None:
    terminal = Terminal()
    line = ProgressLine(SafeStream(terminal), 80, clock)
    clock.now = 0.9
    line.show("1 of 2 calls sent")
    line.erase()

    assert terminal.getvalue() == ""


def test_a_line_changes_at_most_ten_times_a_second(clock: Clock) -> None:
    terminal = Terminal()
    line = ProgressLine(SafeStream(terminal), 80, clock)
    for step in range(1000):
        clock.now = 1 + step / 1000
        line.show(f"{step}")

    assert 9 <= terminal.getvalue().count("\r") <= 11


def test_a_line_never_wraps_and_no_control_character_of_a_name_acts(clock: Clock) -> None:
    terminal = Terminal()
    line = ProgressLine(SafeStream(terminal), 20, clock)
    clock.now = 1
    line.show("prod\x1b[2J" + "x" * 40)

    assert "\x1b" not in terminal.getvalue()
    assert len(screen(terminal.getvalue())) < 60


def test_a_terminal_that_takes_no_line_any_more_stops_no_work(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SafeStream(Terminal())
    asked: list[str] = []

    def refused(text: str) -> None:
        asked.append(text)
        raise OutputError("gone")

    monkeypatch.setattr(stream, "overwrite", refused)
    line = ProgressLine(stream, 80, clock)
    for second in (1, 2, 3):
        clock.now = second
        line.show("going on")
    line.erase()

    assert asked == ["going on"]


@pytest.fixture
def terminal() -> Iterator[SafeStream]:
    """A real pseudo terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield SafeStream(stream)
    os.close(ours)


@pytest.mark.parametrize(
    ("meta", "term", "shown"),
    [
        ({}, "xterm", True),
        ({}, "dumb", False),
        ({"otactl.quiet": True}, "xterm", False),
        ({"otactl.verbose": True}, "xterm", False),
    ],
)
def test_it_is_shown_on_a_terminal_unless_the_user_asked_for_quiet_or_for_every_call(
    terminal: SafeStream, monkeypatch: pytest.MonkeyPatch, meta: dict[str, bool], term: str, *, shown: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("NO_COLOR", "1")
    with click.Context(click.Command("plan")) as context:
        context.meta.update(meta)
        with progress() as show:
            assert (getattr(show, "__self__", None) is not None) is shown


def test_nothing_is_shown_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stderr", SafeStream(piped))
    with click.Context(click.Command("plan")), progress() as show:
        show("1 of 2")

    assert piped.getvalue() == ""


def test_bytes_that_are_read_say_how_far() -> None:
    seen: list[tuple[int, int]] = []
    body = WatchedBytes(b"x" * 10, lambda read, size: seen.append((read, size)))
    while body.read(4):
        pass

    assert seen == [(4, 10), (8, 10), (10, 10), (10, 10)]
