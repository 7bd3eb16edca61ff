"""Reads one device for `status --device`: chooses the gateways beside the journal, and asks them.

1. Manifests say where a device belongs; the gateway is asked only if one does, or `--product`, or a filter wants it.
   All other uses need no key and no manifests.
2. A filter is answered or refused, never ignored.
3. A service that gives no answer takes nothing from what the journal says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec

from otactl.backends.registry import BACKENDS, device_services, transport_for
from otactl.cli.load_manifests import read_all
from otactl.cli.select_records import Memory, open_to_read, places_near, select
from otactl.errors import JournalMissingError, OtactlError, StalledError, UsageError
from otactl.manifest import Reading, read_paths
from otactl.model import Environment, Rollout, iso
from otactl.model.device_tasks import Filters, Home
from otactl.ports import Stored
from otactl.report.device_status import LiveLine, Owners, TaskLine, task_line
from otactl.report.journals_used import UsedJournal
from otactl.report.sanitize import plain
from otactl.report.status_summary import StatusReport, summarise
from otactl.wording import count

DEFAULT_FOLDER = "rollouts"
KEYLESS = "; --offline reads the journal only"


@dataclass(frozen=True)
class Question:
    """What `status --device` was asked; `manifests` are paths, none for the folder `rollouts` when it is there."""

    device: str
    journal: str | None
    environment: str | None = None
    rollout: str | None = None
    manifests: tuple[str, ...] = ()
    product: str | None = None
    by_id: bool = False
    filters: Filters = field(default_factory=Filters)

    @property
    def filtered(self) -> bool:
        """Return whether only an answer of the gateway will do."""
        return self.filters != Filters()

    @property
    def name(self) -> str:
        """Return the device as a service knows it, without the prefix of our target keys."""
        return self.device.removeprefix("device:")


def look(question: Question) -> tuple[StatusReport, tuple[UsedJournal, ...]]:
    """Return the journal's part, and an answer of each gateway the device belongs to."""
    reading = _read(question)
    remembered = _remembered(question, reading)
    shown, known, used = remembered or ((), (), ())
    report = summarise(shown, question.device)
    places = where(question, reading, frozenset((r.environment, r.name) for r in report.rollouts))
    if remembered is None:
        if not places:
            _open(question)  # raises: without a journal there is nothing to show
        named = sorted(
            {p.shown for p in places_near(question.journal, question.environment, question.manifests).values()}
        )
        click.echo(plain(f"no journal at {', '.join(named)}; the owner of a task is unknown"), err=True)
    environments = {e.name: e for e in reading.environments}
    live = tuple(_ask(kind, home, environments.get(home.environment), question.filters, known) for kind, home in places)
    return report.with_live(live), used


def where(question: Question, reading: Reading, remembered: frozenset[tuple[str, str]]) -> list[tuple[str, Home]]:
    """Return the gateways to ask, by rule 1; UsageError when a filter or a product leaves that open (rule 2)."""
    if question.by_id:
        kind, environment = _only(question, reading.environments)
        return [(kind, Home(environment.name, "", question.name, by_id=True))]
    rollouts = _rollouts(question, reading)
    named = [(k, h) for k, s in device_services().items() for h in s.homes(rollouts, question.name, remembered)]
    found = [(kind, home) for kind, home in named if question.product in (None, home.product)]
    if found:
        return found
    if question.product is not None:
        kind, environment = _only(question, reading.environments)
        return [(kind, Home(environment.name, question.product, question.name))]
    if question.filtered:
        kinds, place = " or ".join(device_services()), ", ".join(question.manifests) or DEFAULT_FOLDER
        read = f"no rollout of {kinds} in {place} names device {question.name}"
        raise UsageError(f"{read}, so its product is not known; give --product KEY, or --manifests PATH that names it")
    return []


def _rollouts(question: Question, reading: Reading) -> list[Rollout]:
    return [
        r
        for r in reading.rollouts
        if question.environment in (None, r.environment) and question.rollout in (None, r.name)
    ]


def _only(question: Question, environments: tuple[Environment, ...]) -> tuple[str, Environment]:
    """Return the one environment that has access to such a service, and the service's kind."""
    services = device_services()
    blocks = " or ".join(f"spec.{kind}" for kind in services)
    able = sorted(((k, e) for k in services for e in environments if k in e.access), key=lambda each: each[1].name)
    chosen = [(kind, e) for kind, e in able if question.environment in (None, e.name)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(e.name for _, e in able)
    what = f"product {question.product}" if question.product else f"device {question.name}"
    if chosen:
        raise UsageError(f"{what} may be in environment {names}; choose one with --environment")
    place = ", ".join(question.manifests) or DEFAULT_FOLDER
    if question.environment is not None and names:
        raise UsageError(f"environment {question.environment} in {place} has no {blocks}; these have: {names}")
    text = f"no environment in {place} has {blocks}, so there is no gateway to ask about {what}"
    raise UsageError(f"{text}; name the environment's file with --manifests PATH")


def _read(question: Question) -> Reading:
    """Return what manifests declare. Those named must be right; the default folder's say what they can (rule 3)."""
    if question.manifests:
        return read_all(question.manifests, offline=True)
    if not Path(DEFAULT_FOLDER).is_dir():
        return Reading((), (), (), (), 0)
    reading = read_paths((DEFAULT_FOLDER,))
    if reading.errors:
        many = count(len(reading.errors), "problem")
        text = f"{DEFAULT_FOLDER}: {many}; where this device belongs is read from what is sound in it"
        click.echo(f"{text} (`otactl validate {DEFAULT_FOLDER}` shows them)", err=True)
    return reading


def _open(question: Question) -> Memory:
    return open_to_read(question.journal, question.environment, question.manifests)


def _remembered(
    question: Question, reading: Reading
) -> tuple[tuple[Stored, ...], tuple[Stored, ...], tuple[UsedJournal, ...]] | None:
    """Return the records to show, of all requested environments, and where; None when there is no journal."""
    try:
        opened = _open(question)
    except JournalMissingError:
        return None
    with opened as journal:
        if question.environment in {e.name for e in reading.environments} - set(journal.environments()):
            return (), (), journal.used  # declared, and nothing done there yet
        known = select(journal, question.environment, None)
        shown = known if question.rollout is None else select(journal, question.environment, question.rollout)
        return shown, known, journal.used


def _ask(
    kind: str, home: Home, environment: Environment | None, filters: Filters, known: tuple[Stored, ...]
) -> LiveLine:
    """Return one gateway's answer, as far as it came."""
    row = LiveLine(
        service=kind,
        environment=home.environment,
        product=home.product,
        device=home.device,
        module=filters.module,
        statuses=filters.statuses,
    )
    if environment is None:
        missing = f"environment {home.environment} was not found; name its file with --manifests"
        return msgspec.structs.replace(row, error=missing)
    owners = Owners((s for s in known if s.record.environment == home.environment), home.device)
    tasks: tuple[TaskLine, ...] | None = None
    versions: dict[str, str] | None = None
    at, error = None, ""
    with BACKENDS[kind].device_reader(environment, transport_for(environment)) as reader:
        try:
            tasks = tuple(task_line(task, owners) for task in reader.unfinished(home, filters))
            at = iso(reader.now())
            versions = reader.versions(home, filters)
        except StalledError as failure:
            error = f"{failure.reason}: {failure}{KEYLESS if failure.reason == 'NoCredentials' else ''}"
        except OtactlError as failure:
            error = str(failure)
    return msgspec.structs.replace(row, at=at, tasks=tasks, versions=versions, error=error)
