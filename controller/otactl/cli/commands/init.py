"""`otactl init`: writes a first manifest and its environment, to be completed by the user."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from otactl.backends.registry import BACKENDS
from otactl.cli.errors import Verb, guarded
from otactl.cli.init_templates import environment, rollout
from otactl.cli.journal_option import default_place, make, overridden
from otactl.cli.manifest_edit import create
from otactl.errors import OtactlError, UsageError
from otactl.report.sanitize import plain


@click.command(cls=Verb, name="init", short_help="write a first manifest and its environment")
@click.argument("folder", default="rollouts", metavar="[FOLDER]")
@click.option(
    "--backend",
    type=click.Choice(list(BACKENDS)),
    required=True,
    help=f"The service behind it: {', '.join(f'{kind} for {d.capabilities.service}' for kind, d in BACKENDS.items())}.",
)
@guarded
def command(folder: str, backend: str) -> None:
    """Write an example rollout and its environment into FOLDER (rollouts, if left out); nothing is overwritten.

    Both are valid; each value that you must replace has a comment. The journal is created too, if there
    is none.
    """
    template = BACKENDS[backend].template
    files = {
        os.path.normpath(Path(folder) / "environments/prod.yaml"): environment(template),
        os.path.normpath(Path(folder) / f"{template.name}.yaml"): rollout(template),
    }
    for file in files:
        if os.path.lexists(file):
            raise UsageError(f"{file} is there already; nothing was written, name another folder")
    for file, text in files.items():
        create(file, text.encode())
        click.echo(plain(f"wrote {file}"))
    place = overridden(None) or default_place([folder])
    try:
        opened, made = make(place)
        opened.close()
        click.echo(plain(f"{'created' if made else 'kept'} the journal {place.shown}: it records what is sent"))
    except OtactlError as error:
        click.echo(plain(f"otactl: the journal was not created: {error}"), err=True)
        click.echo(
            plain(f"otactl: reconcile needs it; create it: otactl journal init {shlex.quote(place.shown)}"), err=True
        )
    click.echo(plain(f"put your own values in, then: otactl validate {folder}"))
