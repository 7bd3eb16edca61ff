"""`otactl drift`: prints the drift ledger from the journal."""

from __future__ import annotations

import click

from otactl.cli.drift_authors import authors
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
@click.option(
    "--who", is_flag=True, help="Look up who made each change, in the account's audit log (cloudtrail:LookupEvents)."
)
@style_option
@guarded
def command(
    name: str | None,
    journal: str | None,
    manifests: tuple[str, ...],
    environment: str | None,
    who: bool,
    style: Style,
) -> None:
    """Print what differs from the manifests, since when, and what is done about it.

    With --who, the principal that last wrote to a unit before its drift was seen is read from the account's audit
    log, where the caller may read it and the service has one; an event takes up to 15 minutes to appear there.

    Exits 0 when no drift is open, 2 when some is; acknowledged drift is listed and does not count.
    """
    with open_to_read(journal, environment, manifests) as opened:
        records = [stored.record for stored in select(opened, environment, name)]
    ledger = drift.collect(records, authors(records) if who else {})
    click.echo(drift.render(ledger, style, opened.used, terminal_width()))
    if ledger.pending:
        raise click.exceptions.Exit(OPEN)
