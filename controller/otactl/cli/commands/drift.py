"""`otactl drift`: prints the drift ledger from the journal."""

from __future__ import annotations

import click

from otactl.cli.errors import Verb, guarded
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option
from otactl.cli.nearby_environments import manifests_option
from otactl.cli.output import terminal_width
from otactl.cli.select_records import open_to_read, select, style_option
from otactl.report import drift
from otactl.report.status import Style

OPEN = 2


@click.command(name="drift", cls=Verb)
@click.argument("name", required=False)
@journal_option
@manifests_option
@environment_option
@style_option
@guarded
def command(
    name: str | None, journal: str | None, manifests: tuple[str, ...], environment: str | None, style: Style
) -> None:
    """Print what differs from the manifests, since when, and what is done about it.

    Exits 0 when no drift is open, 2 when some is; acknowledged drift is listed and does not count.
    """
    with open_to_read(journal, environment, manifests) as opened:
        ledger = drift.collect(stored.record for stored in select(opened, environment, name))
    click.echo(drift.render(ledger, style, opened.used, terminal_width()))
    if ledger.pending:
        raise click.exceptions.Exit(OPEN)
