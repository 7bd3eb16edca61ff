"""Refuses paths that a verb must not write by replacing them: a new file takes the place of what has the name.

1. A device, a pipe or a socket is refused: the new file would take its place for every process of the machine.
2. So is a link into /proc, as /dev/stdout is one, wherever it leads.
"""

from __future__ import annotations

from pathlib import Path

import click


def must_be_replaceable(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return the path of an option; raises click.UsageError if it must not be replaced by a regular file."""
    if value is None:
        return None
    file = Path(value)
    linked = file.is_symlink() and file.readlink().is_relative_to("/proc")
    if linked or (file.exists() and not file.is_file()):
        raise click.UsageError(f"{parameter.opts[0]} {value} is no regular file and would be replaced; name a file")
    return value
