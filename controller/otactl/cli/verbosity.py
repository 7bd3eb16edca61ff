"""Adds `-q` and `-v` to every verb that ends.

1. With `-q`, what a verb prints on stdout is printed only if its exit code is not 0: what cron is to mail.
2. With `-v`, each call of a service is written to stderr before it is sent, with its time: never its parameters.
3. Errors are printed on stderr in both.
"""

from __future__ import annotations

import logging
import sys
import time

import click

from otactl.cli.output import SafeStream

CALLS = "otactl.calls"
_VERBOSE, _QUIET = "otactl.verbose", "otactl.quiet"
ENDLESS = ("simulator", "demo")
"""Verbs that show what goes on while they run."""


def add_verbosity(command: click.Command, name: str) -> click.Command:
    """Give a command, and the commands in it, the two options."""
    if isinstance(command, click.Group):
        for each, inner in command.commands.items():
            add_verbosity(inner, f"{name} {each}")
    elif name not in ENDLESS and all(parameter.name != "quiet" for parameter in command.params):
        command.params += [
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_quiet,
                help="Print nothing on stdout if the exit code is 0.",
            ),
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_verbose,
                help="Write each call of a service to stderr.",
            ),
        ]
    return command


def is_verbose() -> bool:
    """Return whether the verb that runs was given `-v`."""
    return bool(click.get_current_context().meta.get(_VERBOSE))


def is_quiet() -> bool:
    """Return whether the verb that runs was given `-q`."""
    return bool(click.get_current_context().meta.get(_QUIET))


def _quiet(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[_QUIET] = value
    if value and isinstance(sys.stdout, SafeStream):
        sys.stdout.hold()


def _verbose(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if not value:
        return
    context.meta[_VERBOSE] = True
    shown = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    shown.setFormatter(formatter)
    calls = logging.getLogger(CALLS)
    calls.handlers = [shown]
    calls.propagate = False
    calls.setLevel(logging.INFO)
