"""Stops what a manifest with an error may concern, for the verbs that drive rollouts; the others continue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import click

from otactl.errors import LeaseHeldError
from otactl.manifest import Reading
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Author, Rollout, Value
from otactl.model.unreadable_manifests import UnreadableManifest, UnreadableManifests
from otactl.planning.environment import NAME
from otactl.ports import Journal
from otactl.reconcile.leased_journal import LeasedJournal
from otactl.reconcile.run_marks import mark, unread_marks
from otactl.reconcile.run_report import RunError
from otactl.report.sanitize import plain

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")


class Stopped(Value, frozen=True, kw_only=True):
    """A rollout that is left alone because its manifest, or that of its environment, has an error."""

    name: str
    environment: str
    text: str
    file: str = ""
    line: int | None = None


def unread_of(reading: Reading, environment: str) -> UnreadableManifests:
    """Return the manifests with an error that may be about an environment."""
    found = [
        UnreadableManifest(
            file=each.file,
            name=each.name if each.kind == "Rollout" and _NAME.fullmatch(each.name) else "",
            text=each.text,
            renamed_from=each.renamed_from,
            may_rename=each.may_rename,
        )
        for each in concerning(reading, environment)
        if each.kind != "Environment"
    ]
    return UnreadableManifests(manifests=tuple(found))


def concerning(reading: Reading, environment: str | None) -> tuple[UnreadableDocument, ...]:
    """Return the manifests with an error that may be about an environment; all of them without one."""
    if environment is None:
        return reading.broken
    return tuple(b for b in reading.broken if _home(b) in ("", environment))


def _home(broken: UnreadableDocument) -> str:
    """Return the environment a manifest is about; empty if it names none."""
    return broken.name if broken.kind == "Environment" else broken.environment


def stopped(reading: Reading, only: str | None) -> tuple[Stopped, ...]:
    """Return the rollouts whose environment cannot be driven: it has an error, or no one knows it."""
    sound = {e.name for e in reading.environments}
    wrong = {b.name: b.text for b in reading.broken if b.kind == "Environment"}
    found = [
        Stopped(
            name=r.name,
            environment=r.environment,
            text=wrong.get(r.environment, _missing(r)),
            file=r.source.file,
            line=r.source.line,
        )
        for r in reading.rollouts
        if r.environment not in sound
    ]
    found += [
        Stopped(name=b.name, environment=b.environment, text=b.text, file=b.file)
        for b in reading.broken
        if b.kind == "Rollout" and b.name and b.environment not in sound
    ]
    return tuple(each for each in found if only is None or each.environment == only)


def _missing(rollout: Rollout) -> str:
    return f"environment {rollout.environment} was not found; name its file, or put it in environments/"


def tell(broken: Sequence[UnreadableDocument]) -> None:
    """Write the problems to stderr, each once, and what became of the run."""
    problems = dict.fromkeys(p for each in broken for p in each.problems)
    for p in problems:
        click.echo(plain(f"{p.file}:{p.line}:{p.column}: {p.code}: {p.message}"), err=True)
    if problems:
        text = "the rollouts these may concern stopped, the others continued; fix them (`otactl validate` has hints)"
        click.echo(f"otactl: {text}", err=True)


def unread_environments(reading: Reading, only: str | None) -> dict[str, UnreadableManifests]:
    """Return the environments that cannot be driven, each with the rollouts that it stops."""
    wrong = {b.name: b for b in reading.broken if b.kind == "Environment" and b.name}
    found: dict[str, list[UnreadableManifest]] = {
        name: [UnreadableManifest(file=b.file, name="", text=b.text)]
        for name, b in wrong.items()
        if only in (None, name)
    }
    for each in stopped(reading, only):
        if each.environment in found:
            found[each.environment].append(UnreadableManifest(file="", name=each.name, text=each.text))
    return {name: UnreadableManifests(manifests=tuple(manifests)) for name, manifests in found.items()}


def leave_marks(
    journal: Journal,
    environment: str,
    unread: UnreadableManifests,
    holder: str,
    now: datetime,
    author: Author = Author(),  # noqa: B008 - a frozen value
) -> None:
    """Record that an environment could not be driven, in a journal that knows it."""
    if environment not in journal.environments():
        return
    leased = LeasedJournal(environment, journal, holder, lambda: now, author)
    try:
        leased.check_free()
        leased.load()
        error = RunError(reason="ManifestInvalid", message=unread.text)
        run = mark(environment, leased.stored.get(NAME), holder, error, now)
        leased.commit((*((run,) if run is not None else ()), *unread_marks(unread, frozenset(), leased.stored, now)))
    except LeaseHeldError:
        return  # who works there leaves a mark of its own
    finally:
        leased.release()
