"""`otactl status`: where rollouts stand, from the journal alone."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from controller.cli._errors import Verb, guarded
from controller.cli._journal import journal_option
from controller.cli._remembered import environment_option, open_to_read, select, style_option
from controller.report import status
from controller.report.status import Style
from controller.report.summary import summarise


@click.command(name="status", cls=Verb)
@click.argument("name", required=False)
@click.option("--device", metavar="ID", help="Show this device's results (id or DevEUI) across rollouts.")
@journal_option
@environment_option
@style_option
@guarded
def command(name: str | None, device: str | None, journal: str, environment: str | None, style: Style) -> None:
    """Tell where rollouts stand: all of them, or the one called NAME."""
    with open_to_read(journal) as opened:
        report = summarise(select(opened, environment, name), device)
    click.echo(status.render(report, style, datetime.now(UTC)))
