"""Prints the error of a verb as one line on stderr and exits 1; 2 is an answer, never an error.

1. Every error a user can act on is an `OtactlError`; a verb's callback is `@guarded`, which prints and exits.
2. Click's own usage errors exit 2; with `Verb` and `VerbGroup` they exit 1.
3. What a service or a file put into a message cannot act on the terminal.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import click

from otactl.errors import ManifestError, OtactlError
from otactl.report.sanitize import plain

P = ParamSpec("P")
R = TypeVar("R")

FAILED = 1


def guarded(callback: Callable[P, R]) -> Callable[P, R]:
    """Turn an `OtactlError` of a verb into its lines on stderr and exit code 1."""

    @functools.wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return callback(*args, **kwargs)
        except OtactlError as error:
            for line in lines_of(error):
                click.echo(line, err=True)
            raise click.exceptions.Exit(FAILED) from error

    return run


def lines_of(error: OtactlError) -> list[str]:
    """Word an error for a terminal: one line; for manifests one a problem, as editors and CI read places."""
    if isinstance(error, ManifestError):
        lines = [plain(f"{p.file}:{p.line}:{p.column}: {p.code}: {p.message}") for p in error.problems]
        return [*lines, "otactl: nothing was done; fix the manifests first (`otactl validate` has hints)"]
    return [f"otactl: {plain(str(error))}"]


@contextmanager
def _usage_exits_1() -> Iterator[None]:
    try:
        yield
    except click.ClickException as error:
        vars(error)["exit_code"] = FAILED  # click reads it from the error, and declares it for classes only
        raise


class Verb(click.Command):
    """A click command whose usage errors exit 1: `@click.command(cls=Verb)`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: object
    ) -> click.Context:
        """Parse arguments."""
        with _usage_exits_1():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        """Run the callback."""
        with _usage_exits_1():
            return super().invoke(ctx)


class VerbGroup(Verb, click.Group):
    """A click group whose usage errors exit 1, its commands' too: `@click.group(cls=VerbGroup)`."""

    command_class = Verb
