"""Repeats `status`: `--watch` draws it again and again, `--wait-for` reads until a rollout has come to a phase.

1. Time comes from a `Clock`, so that a test waits for nothing.
2. A journal that does not answer for once is reported, and asked again: who waits for hours need not start again.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import click

from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.output import SafeStream
from otactl.errors import TransientError
from otactl.model import Phase
from otactl.model.values import duration, iso
from otactl.report.sanitize import plain
from otactl.report.status_summary import RolloutLine
from otactl.report.wait_for import judge
from otactl.wording import length

NEVER, TIMED_OUT = 2, 3
"""Exit codes of `--wait-for`: it does not come to the phase without a person; the time was over first."""


@dataclass(frozen=True)
class Clock:
    """The time, and how to let it pass."""

    now: Callable[[], datetime] = lambda: utc_now()
    sleep: Callable[[float], None] = time.sleep


CLOCK = Clock()


def duration_option(ctx: click.Context, param: click.Parameter, text: str | None) -> timedelta | None:
    """Read a duration as manifests write it. Raises: BadParameter for another text."""
    if text is None:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text):
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 35m, 12h or 7d", ctx, param)
    return duration(text)


def watch(draw: Callable[[], str], every: timedelta, clock: Clock = CLOCK) -> None:
    """Draw until the user interrupts it; a terminal is cleared before each drawing, a file gets one below the other."""
    try:
        while True:
            try:
                text = draw()
            except TransientError as error:
                text = plain(f"otactl: {error}")
            if isinstance(sys.stdout, SafeStream):
                sys.stdout.clear_screen()
            click.echo(f"{iso(clock.now())}, again every {length(every)}; Ctrl-C ends\n{text}")
            sys.stdout.flush()
            clock.sleep(every.total_seconds())
    except KeyboardInterrupt:
        return


def wait_for(
    read: Callable[[], RolloutLine | None],
    name: str,
    wanted: Phase,
    timeout: timedelta,
    every: timedelta,
    clock: Clock = CLOCK,
) -> int:
    """Read until the rollout has the phase; return the exit code. Each change is a line on stderr."""
    start, shown = clock.now(), ""
    while True:
        try:
            answer = judge(read(), name, wanted)
        except TransientError as error:
            state, text = "waiting", str(error)
        else:
            state, text = answer.state, answer.text
        if text != shown and state == "waiting":
            click.echo(plain(f"{iso(clock.now())} {text}"), err=True)
            shown = text
        if state == "reached":
            return 0
        if state == "never":
            click.echo(plain(f"otactl: {text}"), err=True)
            return NEVER
        left = timeout - (clock.now() - start)
        if left <= timedelta():
            click.echo(plain(f"otactl: {text} after {length(timeout)}; it did not become {wanted.value}"), err=True)
            return TIMED_OUT
        clock.sleep(min(every, left).total_seconds())
