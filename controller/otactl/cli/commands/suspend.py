"""`otactl suspend`: writes `spec.suspend` with reason and owner into a manifest; reports what continues."""

from __future__ import annotations

import click

from otactl.backends.registry import capabilities_of
from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.errors import Verb, guarded
from otactl.cli.journal_option import Place, default_place, journal_option, overridden, place_for
from otactl.cli.manifest_edit import Found, change, find, form_option, rollout_option
from otactl.errors import JournalMissingError, OtactlError, UsageError
from otactl.journal import open_journal
from otactl.manifest.edit import Put
from otactl.model import Record, Rollout
from otactl.planning.suspend import goes_on
from otactl.report.journals_used import document
from otactl.report.sanitize import plain


@click.command(cls=Verb, name="suspend", short_help="suspend a rollout, in its manifest")
@click.argument("path", metavar="PATH")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for those who read it later.")
@click.option("--owner", required=True, metavar="WHO", help="Who to ask.")
@click.option(
    "--running",
    type=click.Choice(["withdraw", "finish"]),
    default="withdraw",
    show_default=True,
    help="Withdraw what devices have not started, or let every unit finish.",
)
@click.option("--replace", is_flag=True, help="Put these words in place of another hold's.")
@rollout_option
@journal_option
@form_option
@guarded
def command(
    path: str, reason: str, owner: str, running: str, replace: bool, name: str | None, journal: str | None, style: str
) -> None:
    """Write spec.suspend into the manifest PATH: nothing is sent for its rollout until that is removed.

    The next `reconcile` withdraws what devices have not started. Devices in progress finish; the journal, if there is
    one, knows which. `otactl resume` removes the field.
    """
    found = find(path, name)
    held = found.rollout.suspend
    if held is not None and not replace:
        text = f"rollout {found.rollout.name} is suspended already, by {held.owner}: {held.reason}"
        raise UsageError(f"{text}; add --replace to set your reason and owner")
    value = {"reason": reason, "owner": owner} | ({"running": running} if running != "withdraw" else {})
    put = Put(("spec", "suspend"), value)
    place = _place(found, path, journal)
    record = _remembered(found.rollout, place)
    under_way: tuple[str, ...] = ()
    if record is not None:
        can = capabilities_of(record.backend or found.rollout.backend_kind)
        under_way = goes_on(record, running == "finish", utc_now(), can)
    used = document((place.used(found.rollout.environment),)) if record is not None else {"journal": None}
    text = f"rollout {found.rollout.name} is suspended by {owner}"
    change(found, put, style=style, text=text, goesOn=list(under_way), **used)
    if style == "text":
        for line in under_way:
            click.echo(plain(f"under way, by journal {place.shown}: {line}"))


def _place(found: Found, path: str, journal: str | None) -> Place:
    """Return where the journal is that remembers the rollout; its environment may not be at hand."""
    declared = next((e for e in found.reading.environments if e.name == found.rollout.environment), None)
    if declared is not None:
        return place_for(declared, [path], journal)
    return overridden(journal) or default_place([path])


def _remembered(rollout: Rollout, place: Place) -> Record | None:
    """Return what the journal knows of it, if there is one. One that cannot be read is no reason not to suspend."""
    try:
        with open_journal(place.url, must_exist=True) as journal:
            return journal.load(rollout.environment, rollout.name).record
    except JournalMissingError:
        return None
    except OtactlError as error:
        click.echo(plain(f"journal {place.shown} cannot be read, so what continues is unknown: {error}"), err=True)
        return None
