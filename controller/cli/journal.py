"""`otactl journal`: care of the journal itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from controller.cli._errors import FAILED, VerbGroup, guarded
from controller.cli._journal import journal_option
from controller.cli._remembered import open_to_read
from controller.journal import care, open_journal
from controller.journal.s3_copy import fill
from controller.model import duration
from controller.report.plain import as_json, plain, safe_json

_DURATION = re.compile(r"[0-9]{1,6}[smhd]")


@click.group(name="journal", cls=VerbGroup)
def command() -> None:
    """Check, back up, read out or copy the journal; nothing here changes it."""


def _age(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a duration; write it as 90s, 15m, 12h or 7d")
    return value


@command.command()
@journal_option
@click.option(
    "--older-than", metavar="DURATION", default="1h", show_default=True, callback=_age,
    help="Warn of calls that were meant so long ago and have no outcome yet.",
)  # fmt: skip
@click.option("-o", "--output", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@guarded
def check(journal: str, older_than: str, style: Literal["text", "json"]) -> None:
    """Look whether everything in the journal is whole. Exits 1 when something is not; warnings exit 0."""
    with open_to_read(journal) as opened:
        found = care.check(opened, datetime.now(UTC), duration(older_than))
        path = str(opened.path)
    sound = not any(d.severity == "error" for d in found)
    if style == "json":
        click.echo(as_json({"journal": path, "sound": sound, "findings": found}))
    else:
        for d in found:
            click.echo(plain(f"{d.severity}: {d.where}: {d.code}: {d.message}; {d.hint}"))
        click.echo(plain(f"journal {path} is {'sound' if sound else 'not sound'}"))
    if not sound:
        raise click.exceptions.Exit(FAILED)


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@journal_option
@guarded
def backup(path: Path, journal: str) -> None:
    """Copy the journal to the file PATH, which must not exist, while others go on working."""
    with open_to_read(journal) as opened:
        care.backup(opened, path)
        click.echo(plain(f"journal {opened.path} is copied to {path}"))


@command.command()
@journal_option
@guarded
def export(journal: str) -> None:
    """Write every record, event and lease as one line of JSON each."""
    with open_to_read(journal) as opened:
        for line in care.export(opened):
            click.echo(safe_json(line))


@command.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@guarded
def copy(source: str, target: str) -> None:
    """Copy the whole journal FROM to TO, which must be empty: records, events, leases; from SQLite to S3 or back.

    Both are URLs as for --journal. Stop cron first, and let it go on with --journal TO.
    """
    with open_to_read(source) as opened:
        contents = care.contents(opened)
        contents.must_be_at_rest(datetime.now(UTC))
        with open_journal(target) as made:
            fill(made, contents)
            told = f"journal {opened.path} is copied to {made.path}"
    click.echo(plain(f"{told}: {len(contents.records)} records, {len(contents.events)} events"))
