"""`otactl plan`: what would be sent next, call by call; reads the cloud, writes nothing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import click
import msgspec

from otactl.backends.registry import BACKENDS, backends_for, shapes_for, transport_for
from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.airtime_request import RADIO, airtime_of, question_of, radio_is_installed
from otactl.cli.changed_files import changed_since as changed_since_revision
from otactl.cli.changed_files import is_touched
from otactl.cli.errors import lines_of
from otactl.cli.journal_option import Place, journal_option, place_for
from otactl.cli.load_manifests import by_environment, covers, environment_option, read_all, strict_option
from otactl.cli.output import terminal_width
from otactl.cli.unreadable_manifests import Stopped, concerning, stopped, tell, unread_of
from otactl.cli.verbosity import is_verbose
from otactl.drift import unit_home
from otactl.errors import JournalMissingError, OtactlError, UsageError
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
from otactl.report.journals_used import UsedJournal
from otactl.report.plan import as_json, left_over
from otactl.report.plan import planned as planned_rollout
from otactl.report.plan_markdown import as_markdown
from otactl.report.plan_problems import as_junit, as_sarif, of_error
from otactl.report.plan_text import as_text
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanVerdict

_FORMS: dict[str, Callable[[PlanReport], str]] = {
    "json": as_json,
    "markdown": as_markdown,
    "sarif": as_sarif,
    "junit": as_junit,
    "whole": partial(as_markdown, limit=None),
}


@click.command(short_help="show the exact calls that are next, and what follows")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "markdown", "sarif", "junit"]),
    default="text",
    show_default=True,
)
@click.option("--offline", is_flag=True, help="Read nothing from the cloud or the journal; say what was not compared.")
@environment_option
@click.option(
    "--exit-code", type=click.IntRange(0, 255), default=2, show_default=True, help="Exit code when calls are next."
)
@click.option(
    "--changed-since",
    metavar="REVISION",
    help="Put rollouts first whose files differ from this Git revision; in Markdown only these have details.",
)
@click.option(
    "--whole", type=click.Path(dir_okay=False), metavar="FILE", help="Write the whole plan as Markdown to FILE, too."
)
@click.option(
    "--sarif", type=click.Path(dir_okay=False), metavar="FILE", help="Write the errors as SARIF to FILE, too."
)
@click.option(
    "--junit", type=click.Path(dir_okay=False), metavar="FILE", help="Write the rollouts as JUnit XML to FILE, too."
)
@strict_option
@journal_option
def command(
    paths: tuple[str, ...],
    output: str,
    offline: bool,
    environment: str | None,
    exit_code: int,
    changed_since: str | None,
    whole: str | None,
    sarif: str | None,
    junit: str | None,
    strict: bool,
    journal: str | None,
) -> None:
    """Show what the next run of `reconcile` sends for the manifests in PATHS, and what later runs are expected to.

    A manifest with an error is reported with it, and the plan exits 1; the others are planned. It also exits 1 for an
    image or a role that is missing or wrong. At a terminal lines are folded at its width, and -v shows every call.
    Markdown fits a comment on a pull request; an error is in it, too. SARIF and JUnit have the same errors; drift that
    holds a rollout is a warning there.

    Examples:

    \b
      otactl plan rollouts/
      otactl plan rollouts/ -o markdown --changed-since origin/main --whole plan.md --exit-code 0
    """
    files = {"whole": whole, "sarif": sarif, "junit": junit}
    try:
        result, broken = _report(paths, offline, environment, changed_since, strict=strict, journal=journal)
    except OtactlError as error:
        failed = PlanReport(offline=offline, errors=tuple(lines_of(error)), problems=of_error(error))
        _write(failed, files)
        if output in ("markdown", "sarif", "junit"):
            click.echo(_rendered(failed, output, whole))
        raise
    _write(result, files)
    click.echo(_rendered(result, output, whole))
    tell(broken)
    if broken or any(p.is_red for p in result.rollouts):
        sys.exit(1)
    sys.exit(exit_code if any(p.next for p in result.rollouts) else 0)


def _rendered(report: PlanReport, output: str, whole: str | None) -> str:
    if output == "text":
        return as_text(report, all_calls=is_verbose(), width=terminal_width())
    return as_markdown(report, whole=whole or "") if output == "markdown" else _FORMS[output](report)


def _write(report: PlanReport, files: Mapping[str, str | None]) -> None:
    """Write a plan into each file that was asked for, in the form of its key."""
    for form, file in files.items():
        if file is None:
            continue
        try:
            Path(file).write_text(_FORMS[form](report) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}; name a file that can be written") from error


def _report(
    paths: tuple[str, ...],
    offline: bool,
    environment: str | None,
    revision: str | None,
    *,
    strict: bool,
    journal: str | None,
) -> tuple[PlanReport, tuple[UnreadableDocument, ...]]:
    """Plan everything; return the report and the manifests with an error."""
    reading = read_all(paths, offline=offline, strict=strict)
    changed = changed_since_revision(revision, reading.names) if revision is not None else None
    now = utc_now()
    planned: list[PlannedRollout] = []
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
    if changed is not None:
        planned = [msgspec.structs.replace(p, changed=_is_changed(p, reading, changed)) for p in planned]
    named = {p.name for p in planned if p.error}
    errors = tuple(b.text for b in broken if b.kind != "Rollout" or b.name not in named)
    problems = tuple(dict.fromkeys(p for b in broken for p in b.problems))
    report = PlanReport(
        offline=offline, rollouts=tuple(planned), journals=tuple(journals), errors=errors, problems=problems
    )
    return report, broken


def _is_changed(planned: PlannedRollout, reading: Reading, changed: frozenset[Path]) -> bool:
    """Return whether a file of a planned rollout was touched; one that is no longer declared, or broken, always was."""
    declared = [r for r in reading.rollouts if (r.environment, r.name) == (planned.environment, planned.name)]
    return is_touched(declared[0], reading, changed) if declared else True


def _left_alone(
    reading: Reading, environment: str | None, broken: tuple[UnreadableDocument, ...], offline: bool
) -> tuple[Stopped, ...]:
    """Return every rollout known by name that is left alone; offline, one without its environment is planned."""
    named = [
        Stopped(name=b.name, environment=b.environment, text=b.text, file=b.file)
        for b in broken
        if b.kind == "Rollout" and b.name
    ]
    found = () if offline else stopped(reading, environment)
    return tuple({(each.environment, each.name): each for each in (*named, *found)}.values())


def _unread(found: Stopped) -> PlannedRollout:
    text = f"ManifestInvalid: {found.text}"
    return PlannedRollout(
        name=found.name,
        environment=found.environment,
        file=found.file,
        line=found.line,
        verdict=PlanVerdict.CANNOT_BE_PLANNED,
        error=text,
    )


def _environment(
    environment: Environment,
    rollouts: tuple[Rollout, ...],
    place: Place | None,
    now: datetime,
    covers: Callable[[Record], bool],
    unread: UnreadableManifests,
) -> list[PlannedRollout]:
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


def _planned(found: RolloutPreview, note: str = "") -> PlannedRollout | None:
    if found.state.removed:
        return left_over(found)
    planned = planned_rollout(found, (note,) if note else ())
    airtime, doubts = _airtime(found.state.rollout, tuple(wave.devices for wave in planned.waves))
    return msgspec.structs.replace(planned, airtime=airtime, notes=(*planned.notes, *doubts))


def _airtime(rollout: Rollout, counted: tuple[int | None, ...] = ()) -> tuple[AirtimeReport | None, tuple[str, ...]]:
    """Return the radio's figures.

    For single devices size and rate are assumed, and what they cannot carry stops no plan.
    """
    if not radio_is_installed():
        missing = f"time on air and chance of success are not shown: numpy is not installed; install it: {RADIO}"
        return None, (missing,) if question_of(rollout) is not None else ()
    try:
        return airtime_of(rollout, counted), ()
    except LorawanError as impossible:
        return None, (f"the airtime is not shown, because the assumed session cannot be sent: {impossible}",)


def _without_environment(rollout: Rollout) -> PlannedRollout:
    text = f"environment {rollout.environment} was not found; name its file, or put it in environments/"
    airtime, doubts = _airtime(rollout)
    return PlannedRollout(
        name=rollout.name,
        environment=rollout.environment,
        digest=rollout.generation,
        file=rollout.source.file,
        line=rollout.source.line,
        verdict=PlanVerdict.CANNOT_BE_PLANNED,
        airtime=airtime,
        notes=doubts,
        error=text,
    )
