"""`otactl history`: prints the events of a rollout from the journal."""

from __future__ import annotations

import click

from otactl.cli.errors import Verb, guarded
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option
from otactl.cli.nearby_environments import manifests_option
from otactl.cli.output import terminal_width
from otactl.cli.select_records import open_to_read, select_one, style_option
from otactl.report import history
from otactl.report.status import Style


@click.command(name="history", cls=Verb)
@click.argument("name")
@journal_option
@manifests_option
@environment_option
@style_option
@guarded
def command(name: str, journal: str | None, manifests: tuple[str, ...], environment: str | None, style: Style) -> None:
    """Print what happened to the rollout NAME, oldest first."""
    with open_to_read(journal, environment, manifests) as opened:
        record = select_one(opened, environment, name).record
        events = opened.history(record.environment, record.name)
        used = opened.used_for(record.environment)
    found = history.collect(record.environment, record.name, events)
    click.echo(history.render(found, style, used, terminal_width()))
