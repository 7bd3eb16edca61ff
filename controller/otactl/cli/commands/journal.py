"""`otactl journal`: creates, checks, backs up, exports and copies journals, releases leases, prints roles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.author import actor_option, author_of
from otactl.cli.errors import FAILED, VerbGroup, guarded
from otactl.cli.journal_option import Place, journal_option, make
from otactl.cli.load_manifests import environment_option
from otactl.cli.nearby_environments import manifests_option
from otactl.cli.select_records import places_near
from otactl.errors import ConflictError, UsageError
from otactl.journal import AnyJournal, maintenance, open_journal
from otactl.journal.leases import who_holds
from otactl.journal.postgres.sql import roles_sql
from otactl.model import Event, duration, iso
from otactl.planning.environment import NAME
from otactl.ports import Commit, Lease
from otactl.report.sanitize import as_json, plain, safe_json
from otactl.wording import count

_DURATION = re.compile(r"[0-9]{1,6}[smhd]")


@click.group(name="journal", cls=VerbGroup)
def command() -> None:
    """Create, check, back up, export or copy the journal, and release its leases."""


@command.command()
@click.argument("url", required=False, metavar="[URL]")
@click.option(
    "--replaces",
    "lost",
    metavar="ID",
    help="The id of a lost journal, as another_journal_is_in_use names it: what carries it is taken over.",
)
@manifests_option
@environment_option
@guarded
def init(url: str | None, lost: str | None, manifests: tuple[str, ...], environment: str | None) -> None:
    """Create the journal at URL; by default those that the environments of this repository name, or the default one.

    An existing one stays as it is. `otactl reconcile` needs a journal and never creates one: a new journal does not
    know what was sent before.
    """
    places = list(dict.fromkeys(places_near(url, environment, manifests).values()))
    if lost is not None and len(places) > 1:
        raise UsageError(f"which journal takes over from {lost}? {_choose(places, 'otactl journal init URL')}")
    for place in places:
        opened, made = make(place)
        with opened:
            identity = opened.take_over(lost) if lost is not None else opened.identity()
        word = "created" if made else "there already, and unchanged"
        text = f"journal {place.shown} is {word}; its id is {identity.id}"
        click.echo(plain(text + (f"; it takes over what journal {lost} created" if lost is not None else "")))


def _choose(places: Iterable[Place], how: str) -> str:
    there = ", ".join(place.shown for place in places)
    return f"the environments here have several ({there}); name one: {how}"


@contextmanager
def _one(option: str | None, manifests: tuple[str, ...], environment: str | None) -> Iterator[AnyJournal]:
    """Yield the one journal that is meant, for verbs that have one answer."""
    places = list(dict.fromkeys(places_near(option, environment, manifests).values()))
    if len(places) > 1:
        raise UsageError(f"which journal is meant? {_choose(places, '--journal URL, or --environment NAME')}")
    with open_journal(places[0].url, must_exist=True) as opened:
        yield opened


def _age(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a duration; write it as 90s, 15m, 12h or 7d")
    return value


@command.command()
@journal_option
@manifests_option
@environment_option
@click.option(
    "--older-than",
    metavar="DURATION",
    default="1h",
    show_default=True,
    callback=_age,
    help="Warn of intents older than this without an outcome.",
)
@click.option("-o", "--output", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@guarded
def check(
    journal: str | None,
    manifests: tuple[str, ...],
    environment: str | None,
    older_than: str,
    style: Literal["text", "json"],
) -> None:
    """Check the journal for damage. Exits 1 for damage; warnings exit 0."""
    with _one(journal, manifests, environment) as opened:
        checked = maintenance.examine(opened, utc_now(), duration(older_than))
        path, identity = str(opened.path), opened.identity()
    found = checked.defects
    sound = not any(d.severity == "error" for d in found)
    if style == "json":
        counted = {"chained": checked.chained, "unchained": checked.unchained}
        click.echo(as_json({"journal": path, "id": identity.id, "sound": sound, "findings": found} | counted))
    else:
        for d in found:
            click.echo(plain(f"{d.severity}: {d.where}: {d.code}: {d.message}; {d.hint}"))
        old = f", {count(checked.unchained, 'event')} from before the chain" if checked.unchained else ""
        chained = f"{count(checked.chained, 'event')} in hash chains{old}"
        click.echo(plain(f"journal {path} is {'sound' if sound else 'not sound'}: {chained}"))
    if not sound:
        raise click.exceptions.Exit(FAILED)


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@journal_option
@manifests_option
@environment_option
@guarded
def backup(path: Path, journal: str | None, manifests: tuple[str, ...], environment: str | None) -> None:
    """Copy the journal to the file PATH, which must not exist, while others go on working."""
    with _one(journal, manifests, environment) as opened:
        maintenance.backup(opened, path)
        click.echo(plain(f"journal {opened.path} is copied to {path}"))


@command.command()
@journal_option
@manifests_option
@environment_option
@guarded
def export(journal: str | None, manifests: tuple[str, ...], environment: str | None) -> None:
    """Write every record, event and lease as one line of JSON each."""
    with _one(journal, manifests, environment) as opened:
        for line in maintenance.export(opened):
            click.echo(safe_json(line))


@command.command()
@click.argument("environment", metavar="ENVIRONMENT")
@journal_option
@manifests_option
@actor_option
@guarded
def release(environment: str, journal: str | None, manifests: tuple[str, ...], actor: str | None) -> None:
    """Release the lease of ENVIRONMENT by hand, whoever holds it, so that the next run can start at once.

    A run that still holds it can write no more from then on, and says so. What it has sent is found by the next run.
    """
    place = places_near(journal, environment, manifests)
    chosen = place.get(environment) or place[""]
    with open_journal(chosen.url, must_exist=True, write=True) as opened:
        known = opened.lease(environment)
        if known is None:
            names = ", ".join(opened.environments()) or "none yet"
            raise UsageError(f"no run ever held environment {environment} in journal {chosen.shown}; it holds: {names}")
        now = utc_now()
        ended = opened.end_lease(environment, now)
        if ended is not None:
            _remember(opened, ended, author_of(actor, None).actor, now)
    if ended is None:
        text = f"no one holds environment {environment} in journal {chosen.shown}; nothing was changed"
    else:
        text = f"the lease of {environment} is released: {who_holds(ended)} held it until {iso(ended.expires_at)}"
    click.echo(plain(text))


def _remember(journal: AnyJournal, ended: Lease, actor: str, now: datetime) -> None:
    """Write into the environment's history that its lease was released by hand."""
    stored = journal.load(ended.environment, NAME)
    text = f"the lease of {who_holds(ended)} was released by hand"
    event = Event(at=now, kind="leaseReleased", subject=NAME, message=text, actor=actor)
    commit = Commit(record=stored.record, expected_revision=stored.revision, events=(event,))
    with suppress(ConflictError):  # a run took the environment already, which is what was wanted
        journal.commit((commit,), ended.fencing + 1)


@command.command()
@guarded
def roles() -> None:
    """Print the SQL that creates the roles of journals on PostgreSQL: owner, controller, reader.

    Run it in the journals' database, before `otactl journal init` and again after it.
    """
    click.echo(roles_sql(), nl=False)


@command.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@guarded
def copy(source: str, target: str) -> None:
    """Copy the whole journal FROM to TO, which must be empty: records, events, leases; SQLite, S3 or PostgreSQL.

    Both are URLs as for --journal. Stop cron first, and let it go on with --journal TO. The copy is the same
    journal: it keeps the id, so that it still owns what FROM created.
    """
    with open_journal(source, must_exist=True, write=True) as opened:  # `fence` ends leases in it
        now = utc_now()
        maintenance.contents(opened).fence(opened, now)
        contents = maintenance.contents(opened)
        with open_journal(target) as made:
            made.fill(contents)
            contents.must_be_unchanged(opened, made.path)
            text = f"journal {opened.path} is copied to {made.path}"
    click.echo(plain(f"{text}: {count(len(contents.records), 'record')}, {count(len(contents.events), 'event')}"))
