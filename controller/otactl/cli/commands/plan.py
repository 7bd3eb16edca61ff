"""`otactl plan`: what would be sent next, call by call; reads the cloud, writes nothing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import click
import msgspec

from otactl.backends.registry import backends_for, shapes_for, transport_for
from otactl.cli.airtime_request import airtime_of
from otactl.cli.journal_option import Place, journal_option, place_for
from otactl.cli.load_manifests import by_environment, covers, read_all, strict_option
from otactl.cli.removed_rollouts import removed_ones, what_is_left
from otactl.cli.unreadable_manifests import Stopped, concerning, stopped, tell, unread_of
from otactl.drift import ownership, unit_home
from otactl.errors import JournalMissingError, OtactlError, StalledError, defect
from otactl.journal import open_journal
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.report import AirtimeReport
from otactl.manifest import Reading
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Environment, Observation, Record, Rollout, Survey
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.planning.assess import as_seen, assess, finished
from otactl.planning.outlook import outlook, rungs
from otactl.planning.preflight import INCOMPLETE
from otactl.planning.sent_content import SentContents
from otactl.planning.target_conflicts import busy, in_turn, knowing
from otactl.policies.unsupported import unsupported_holds
from otactl.ports import Backend, Stored
from otactl.report import plan as report
from otactl.report.journals_used import UsedJournal
from otactl.state.rename import Renaming, renaming

KEYLESS = ("NoCredentials", "PermissionDenied")


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

    A manifest with an error is told with it, and the plan exits 1; the others are planned.
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
    stored, note, beside = dict[str, Stored](), "", tuple[Record, ...]()
    if place is not None:
        environment, stored, note, beside = _remembered(environment, place)
    renamed = renaming(stored, rollouts, covers, now)
    records = {name: s.record for name, s in renamed.over(stored).items()}
    left = removed_ones(records, rollouts, covers, unread)
    if not rollouts and not left:
        return []
    backends: dict[str, Backend] = {}
    surveys: dict[str, Survey] = {}
    errors: dict[str, str] = {}
    transport = None
    kinds = sorted({r.backend_kind for r in (*rollouts, *left)})
    if place is not None:
        try:
            transport = transport_for(environment)
            backends = backends_for(environment, transport)
        except OtactlError as failure:
            errors = dict.fromkeys(kinds, str(failure))
        for kind in (k for k in kinds if k in backends):
            try:
                surveys[kind] = _survey(environment, backends[kind])
            except Exception as failure:  # noqa: BLE001 - the last guard: the others go on
                errors[kind] = str(failure if isinstance(failure, OtactlError) else defect(failure))
    moment = transport.now() if transport is not None else now  # the service's time, as reconcile has it
    sendings = SentContents(records, beside)
    turn = _Turn(environment, records, backends, knowing(surveys, records), moment, renamed, sendings)
    turn.observe(r for r in rollouts if r.backend_kind in surveys)
    planned = [_guarded(turn, r, errors.get(r.backend_kind, ""), note) for r in rollouts]
    for rollout in left:
        kind = rollout.backend_kind
        told = what_is_left(
            environment,
            rollout,
            records[rollout.name],
            shapes_for(environment).get(kind),
            backends.get(kind),
            turn.surveys.get(kind),
            moment,
            errors.get(kind, ""),
        )
        planned += [told] if told is not None else []
    return planned


def _survey(environment: Environment, backend: Backend) -> Survey:
    survey = backend.survey()
    if survey.account != environment.account:
        text = f"these credentials are of account {survey.account}, the environment says {environment.account}"
        raise StalledError("AccountDiffers", text)
    return survey


@dataclass
class _Turn:
    """One environment being planned; `taken` are targets that an earlier rollout would start on in this pass."""

    environment: Environment
    records: dict[str, Record]
    backends: dict[str, Backend]
    surveys: dict[str, Survey]
    now: datetime
    renamed: Renaming
    sendings: SentContents
    taken: dict[tuple[str, str], str] = field(default_factory=dict)
    looks: dict[str, Observation | Exception] = field(default_factory=dict)

    def known(self, rollout: Rollout) -> Record:
        """What is remembered of a rollout."""
        return self.records.get(rollout.name) or Record(environment=rollout.environment, name=rollout.name)

    def observe(self, rollouts: Iterable[Rollout]) -> None:
        """Look at every rollout before the first is planned: what one shows may hold another."""
        for rollout in rollouts:
            kind, known = rollout.backend_kind, self.known(rollout)
            if finished(rollout, known, self.surveys[kind]) or unit_home.moved(known, self.environment) is not None:
                continue
            try:
                named = as_seen(rollout, self.known(rollout))
                self.looks[rollout.name] = self.backends[kind].observe(*named, self.surveys[kind])
            except Exception as failure:  # noqa: BLE001 - told where its rollout is planned
                self.looks[rollout.name] = failure

    def look(self, rollout: Rollout) -> Observation:
        """What was seen of a rollout; raises what looking at it raised."""
        found = self.looks.get(rollout.name, Observation(offline=True))
        if isinstance(found, Exception):
            raise found
        return found

    def strangers(self) -> tuple[Hold, ...]:
        """What holds the environment because another journal is at work in it."""
        return ownership.holds(
            self.environment, ((name, seen) for name, seen in self.looks.items() if isinstance(seen, Observation))
        )


def _remembered(
    environment: Environment, place: Place
) -> tuple[Environment, dict[str, Stored], str, tuple[Record, ...]]:
    """The environment as this journal knows it, its records, what is to be told of that, and the records of other
    environments in the same place."""
    environment = msgspec.structs.replace(environment, journal=place.used().place)
    try:
        with open_journal(place.url, must_exist=True) as opened:
            memory = opened.identity()
            known = msgspec.structs.replace(environment, journal_id=memory.id, replaces=memory.replaces)
            others = (name for name in opened.environments() if name != environment.name)
            beside = [held.record for name in others for held in opened.load_all(name).values()]
            return known, opened.load_all(environment.name), "", unit_home.beside(beside, environment)
    except JournalMissingError:
        told = f"no journal at {place.shown}: waves and attempts are rebuilt from tags and names"
        make = f"otactl journal init {shlex.quote(place.shown)}"
        more = f"Tuya's batches have none. reconcile sends nothing before there is one: name it, or {make}"
        return environment, {}, f"{told}; {more}", ()


def _guarded(turn: _Turn, rollout: Rollout, error: str, note: str) -> report.PlannedRollout:
    """One rollout planned; what nobody expected of it stops no other."""
    try:
        return _rollout(turn, rollout, error, note)
    except Exception as failure:  # noqa: BLE001 - the last guard: the others go on
        text = str(failure if isinstance(failure, OtactlError) else defect(failure))
        return report.PlannedRollout(
            name=rollout.name, environment=rollout.environment, digest=rollout.generation, error=text
        )


def _rollout(turn: _Turn, rollout: Rollout, error: str, note: str) -> report.PlannedRollout:
    environment, now = turn.environment, turn.now
    known = turn.known(rollout)
    airtime, doubts = _airtime(rollout)
    told = report.PlannedRollout(
        name=rollout.name,
        environment=rollout.environment,
        digest=rollout.generation,
        airtime=airtime,
        notes=(*((note,) if note else ()), *_moved(turn.renamed, rollout), *doubts),
        error=error,
    )
    if error:
        return told
    kind = rollout.backend_kind
    if finished(rollout, known, turn.surveys.get(kind)):
        return msgspec.structs.replace(told, notes=(*told.notes, "every wave passed; not read again"))
    shape, survey = shapes_for(environment).get(kind), turn.surveys.get(kind)
    try:
        seen = turn.look(rollout)
    except OtactlError as failure:
        if not (kind == "tuya" and isinstance(failure, StalledError) and failure.reason in KEYLESS):
            return msgspec.structs.replace(told, error=str(failure))
        # Who plans a pull request has no key of Tuya: there is none that only reads. Said, and planned as offline.
        seen, survey = Observation(offline=True), None
        text = f"nothing of Tuya was compared: {failure}"
        told = msgspec.structs.replace(told, notes=(*told.notes, text))
    holds = (*turn.strangers(), *unsupported_holds(rollout))
    if rollout.name in turn.renamed.holds:
        holds = (*holds, turn.renamed.holds[rollout.name])
    held = busy(turn.records, rollout)
    look = assess(environment, rollout, known, seen, shape, holds, now, held, turn.sendings)
    events = look.events
    if survey is not None and any(h.reason == INCOMPLETE for h in look.plan.holds):
        # The look itself changed what is next; reconcile looks again with the facts of that, and so does this.
        try:
            seen = turn.backends[kind].observe(*as_seen(rollout, look.record), survey)
        except OtactlError as failure:
            return msgspec.structs.replace(told, error=str(failure))
        look = assess(environment, rollout, look.record, seen, shape, holds, now, held, turn.sendings)
        events = (*events, *look.events)
    spared = tuple(e.message for e in events if e.kind == "spared")
    told = msgspec.structs.replace(told, notes=(*told.notes, *spared))
    look = in_turn(look, turn.taken)
    if shape is None:
        return msgspec.structs.replace(told, holds=look.plan.holds)
    ahead = outlook(environment, rollout, look, shape, shape.lower, holds, now, turn.sendings)
    return msgspec.structs.replace(
        told,
        next=rungs(look, shape.lower),
        outlook=ahead.rungs,
        outlook_holds=ahead.holds,
        drift=look.plan.findings,
        holds=look.plan.holds,
    )


def _moved(renamed: Renaming, rollout: Rollout) -> tuple[str, ...]:
    before = renamed.moved.get(rollout.name)
    return (f"reconcile moves the record of rollout {before} to this name first",) if before is not None else ()


def _airtime(rollout: Rollout) -> tuple[AirtimeReport | None, tuple[str, ...]]:
    """The radio's figures; for single devices size and rate are assumed, and what they cannot carry stops no plan."""
    try:
        return airtime_of(rollout), ()
    except LorawanError as impossible:
        return None, (f"the radio is not told, since what is assumed of it cannot be sent: {impossible}",)


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
