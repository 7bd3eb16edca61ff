"""Prints the demo: five acts of at most 100 lines in all, or every command with all its output."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

import click

WIDTH = 100
_HOLD = re.compile(r"\bhold: ([a-z_]+): (.*)")


class DemoScript:
    """What the audience sees. A step is a sentence; a command is shown with the lines that matter, or with all."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._step, self._title = 0, "start"
        self.holds: dict[str, str] = {}

    @property
    def place(self) -> str:
        """Name the step that is played."""
        return f"step {self._step} ({self._title})"

    def act(self, title: str) -> None:
        """Start an act."""
        if self._step:
            click.echo()
        click.echo(title)

    def step(self, text: str) -> None:
        """Print what happens next."""
        self._step += 1
        self._title = text
        if self._verbose:
            click.echo(f"\n# {text}")
        else:
            self.line(f"- {text}", "  ")

    def line(self, text: str, below: str = "") -> None:
        """Print one sentence, wrapped."""
        for each in textwrap.wrap(text, WIDTH, subsequent_indent=below, break_on_hyphens=False):
            click.echo(each)

    def command(self, words: Sequence[str], output: str, only: Sequence[str] | None, join: str = "") -> None:
        """Show a command with its output.

        The short form has the parts of lines that match a pattern of `only`; one that matches `join` goes behind the
        line before. A command with `only` None is not shown in it.
        """
        lines = output.rstrip().splitlines()
        for line in lines:
            found = _HOLD.search(line)
            if found is not None:
                self.holds.setdefault(*found.groups())
        if self._verbose:
            click.echo(f"$ otactl {' '.join(words)}")
            click.echo("\n".join(f"  {line}" for line in lines))
        elif only is not None:
            click.echo(_cut(f"  $ otactl {' '.join(words)}"))
            for line in _matching(lines, only, join):
                click.echo(_cut(f"    {line}"))

    def detail(self, text: str) -> None:
        """Print what only the long form has."""
        if self._verbose:
            click.echo(f"  {text}")


def _matching(lines: Sequence[str], only: Sequence[str], join: str) -> list[str]:
    shown: list[str] = []
    for line in lines:
        more = re.search(join, line) if join else None
        if more is not None and shown:
            shown[-1] += f"; {more.group()}"
            continue
        part = next((found.group().strip() for each in only if (found := re.search(each, line)) is not None), None)
        if part is not None:
            shown.append(part)
    return shown


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
