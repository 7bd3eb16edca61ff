"""`otactl plan`: what would be sent next, call by call; reads the cloud, writes nothing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import click
import msgspec

from otactl.backends.registry import BACKENDS, backends_for, shapes_for, transport_for
from otactl.cli.airtime_request import airtime_of
from otactl.cli.journal_option import Place, journal_option, place_for
from otactl.cli.load_manifests import by_environment, covers, read_all, strict_option
from otactl.cli.unreadable_manifests import Stopped, concerning, stopped, tell, unread_of
from otactl.drift import unit_home
from otactl.errors import JournalMissingError
from otactl.journal import open_journal
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.report import AirtimeReport
from otactl.manifest import Reading
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Environment, Record, Rollout
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.policies.unsupported import unsupported_holds
from otactl.ports import Stored
from otactl.reconcile.preview import RolloutPreview, preview
from otactl.report import plan as report
from otactl.report.journals_used import UsedJournal


@click.command(short_help="show the exact calls that are next, and what follows")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--offline", is_flag=True, help="Read nothing from the cloud or the journal; say what was not compared.")
@click.option("--environment", help="Only this environment.")
@click.option(
    "--exit-code", type=click.IntRange(0, 255), default=2, show_default=True, help="Exit code when calls are next."
)
@strict_option
@journal_option
def command(
    paths: tuple[str, ...],
    output: str,
    offline: bool,
    environment: str | None,
    exit_code: int,
    strict: bool,
    journal: str | None,
) -> None:
    """Show what `reconcile` would send next for the manifests in PATHS, and what follows.

    The plan shows the error of each manifest that has one, plans the others, and exits 1.
    """
    reading = read_all(paths, offline=offline, strict=strict)
    now = datetime.now(UTC)
    planned: list[report.PlannedRollout] = []
    journals: list[UsedJournal] = []
    for declared, rollouts in by_environment(reading, environment):
        place = None if offline else place_for(declared, paths, journal)
        unread = unread_of(reading, declared.name)
        planned += _environment(declared, rollouts, place, now, covers(paths, reading), unread)
        journals += [place.used(declared.name)] if place is not None else []
    if offline:
        known = {e.name for e in reading.environments}
        planned += [_without_environment(r) for r in reading.rollouts if r.environment not in known]
    broken = concerning(reading, environment)
    planned += [_unread(s) for s in _left_alone(reading, environment, broken, offline)]
    result = report.PlanReport(offline=offline, rollouts=tuple(planned), journals=tuple(journals))
    render = {"json": report.as_json, "markdown": report.as_markdown, "text": report.as_text}[output]
    click.echo(render(result))
    tell(broken)
    if broken or any(p.error for p in planned):
        sys.exit(1)
    sys.exit(exit_code if any(p.next for p in planned) else 0)


def _left_alone(
    reading: Reading, environment: str | None, broken: tuple[UnreadableDocument, ...], offline: bool
) -> tuple[Stopped, ...]:
    """Every rollout known by name that is left alone; offline, one without its environment is planned."""
    named = {(b.environment, b.name): b.text for b in broken if b.kind == "Rollout" and b.name}
    found = () if offline else stopped(reading, environment)
    named |= {(s.environment, s.name): s.text for s in found}
    return tuple(Stopped(name=name, environment=home, text=text) for (home, name), text in named.items())


def _unread(found: Stopped) -> report.PlannedRollout:
    text = f"ManifestInvalid: {found.text}"
    return report.PlannedRollout(name=found.name, environment=found.environment, digest="", error=text)


def _environment(
    environment: Environment,
    rollouts: tuple[Rollout, ...],
    place: Place | None,
    now: datetime,
    covers: Callable[[Record], bool],
    unread: UnreadableManifests,
) -> list[report.PlannedRollout]:
    """Plan the rollouts of one environment; without a `place` of its journal nothing is read."""
    if place is None:
        shapes = shapes_for(environment)
        found = preview(environment, rollouts, {}, {}, shapes, lambda: now, unsupported_holds, covers, unread=unread)
        return [planned for p in found if (planned := _planned(p)) is not None]
    environment, stored, note, beside = _remembered(environment, place)
    transport = transport_for(environment)
    found = preview(
        environment,
        rollouts,
        stored,
        backends_for(environment, transport),
        shapes_for(environment),
        transport.now,
        unsupported_holds,
        covers,
        beside=beside,
        unread=unread,
    )
    return [planned for p in found if (planned := _planned(p, note)) is not None]


def _remembered(
    environment: Environment, place: Place
) -> tuple[Environment, dict[str, Stored], str, tuple[Record, ...]]:
    """Return the environment as this journal knows it, its records, a note on the journal, and the records of other
    environments in the same place.
    """
    environment = msgspec.structs.replace(environment, journal=place.used().place)
    try:
        with open_journal(place.url, must_exist=True) as opened:
            memory = opened.identity()
            known = msgspec.structs.replace(environment, journal_id=memory.id, replaces=memory.replaces)
            others = (name for name in opened.environments() if name != environment.name)
            beside = [held.record for name in others for held in opened.load_all(name).values()]
            return known, opened.load_all(environment.name), "", unit_home.beside(beside, environment)
    except JournalMissingError:
        text = f"no journal at {place.shown}: waves and attempts are rebuilt from tags and names"
        make = f"otactl journal init {shlex.quote(place.shown)}"
        nameless = [d.capabilities.service for d in BACKENDS.values() if not d.capabilities.names_own_task]
        then = f"units of {' and '.join(nameless)} have none. reconcile sends nothing before there is one"
        return environment, {}, f"{text}; {then}: name it, or {make}", ()


def _planned(found: RolloutPreview, note: str = "") -> report.PlannedRollout | None:
    if found.state.removed:
        return report.left_over(found)
    airtime, doubts = _airtime(found.state.rollout)
    return report.planned(found, airtime, (*((note,) if note else ()), *doubts))


def _airtime(rollout: Rollout) -> tuple[AirtimeReport | None, tuple[str, ...]]:
    """The radio's figures; for single devices size and rate are assumed, and what they cannot carry stops no plan."""
    try:
        return airtime_of(rollout), ()
    except LorawanError as impossible:
        return None, (f"the airtime is not shown, because the assumed session cannot be sent: {impossible}",)


def _without_environment(rollout: Rollout) -> report.PlannedRollout:
    text = f"environment {rollout.environment} was not found; name its file, or put it in environments/"
    airtime, doubts = _airtime(rollout)
    return report.PlannedRollout(
        name=rollout.name,
        environment=rollout.environment,
        digest=rollout.generation,
        airtime=airtime,
        notes=doubts,
        error=text,
    )
