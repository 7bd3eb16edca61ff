"""Writes the picture of a verb: the option `--plot FILE`, alike in every verb that draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from otactl.errors import UsageError

F = TypeVar("F", bound=Callable[..., object])


def plot_option(what: str) -> Callable[[F], F]:
    """Return the option; `what` is drawn."""
    return click.option(
        "--plot",
        metavar="FILE",
        type=click.Path(dir_okay=False),
        callback=_must_be_svg,
        help=f"Draw {what} into this SVG file.",
    )


def write_plot(file: Path, svg: str) -> None:
    """Write the picture; raises UsageError when it cannot be written."""
    try:
        file.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the picture could not be written to {file}: {error.strerror}") from error


def _must_be_svg(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.lower().endswith(".svg"):
        raise click.UsageError(f"--plot writes SVG, which pull requests show; name a file ending in .svg, not {value}")
    return value
