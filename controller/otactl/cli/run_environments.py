"""Runs the reconcile loop over the environments of a reading: what `otactl reconcile` does, and a worker for one."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack

import msgspec

from otactl.backends.registry import backends_for, transport_for
from otactl.backends.transport.machine_clock import utc_now
from otactl.backends.transport.rate_limit import SharedPace
from otactl.cli.journal_option import Place, default_place, overridden, place_for
from otactl.cli.load_manifests import by_environment, covers
from otactl.cli.progress import Show, progress
from otactl.cli.run_metrics import RunMetrics
from otactl.cli.unreadable_manifests import Stopped, concerning, leave_marks, stopped, unread_environments, unread_of
from otactl.errors import JournalMissingError, OtactlError, reason_of
from otactl.journal import AnyJournal, open_journal
from otactl.manifest import Reading
from otactl.manifest.unreadable import UnreadableDocument
from otactl.model import Author, Environment, Record, Rollout, Value
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.policies.unsupported import unsupported_holds
from otactl.receivers import sender_for
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RolloutReport
from otactl.report import reconcile as report
from otactl.wording import count


class Ran(Value, frozen=True, kw_only=True):
    """What a run came to; `opened` is False where no journal could be opened, `unopened` says why one was not."""

    report: report.ReconcileReport
    broken: tuple[UnreadableDocument, ...]
    opened: bool
    unopened: tuple[str, ...]
    shards: int

    @property
    def failed(self) -> bool:
        """Return whether the run exits 1."""
        return self.report.failed or bool(self.unopened)


def run_environments(
    reading: Reading,
    paths: tuple[str, ...],
    *,
    only: str | None,
    journal: str | None,
    author: Author,
    monitor: RunMetrics,
    shared: SharedPace | None = None,
) -> Ran:
    """Run the loop over each environment of a reading, or over the `only` one, with the journals opened once.

    `shared` is the pace of all processes that call. What was left alone because of manifests is part of the report.
    """
    shards = tuple(by_environment(reading, only))
    places = {declared.name: place_for(declared, paths, journal) for declared, _ in shards}
    total = report.ReconcileReport()
    with ExitStack() as stack:
        opened, unopened = _opened(places.values(), stack)
        for declared, rollouts in shards:
            place = places[declared.name]
            if place.url in opened:
                here = msgspec.structs.replace(declared, journal=place.used().place)
                unread = unread_of(reading, declared.name)
                read = covers(paths, reading)
                with progress() as show:
                    ran = _reconcile(here, rollouts, opened[place.url], read, unread, author, monitor, show, shared)
            else:
                started, ran = time.monotonic(), _failed(declared, rollouts, unopened[place.url])
                monitor.add(declared, ran, started, None, None)
            total = total.plus(msgspec.structs.replace(ran, journals=(place.used(declared.name),)))
        marked = _mark_unread(reading, only, overridden(journal) or default_place(paths), opened, author)
    broken = concerning(reading, only)
    total = total.plus(marked).plus(_unread(stopped(reading, only), broken))
    monitor.add_errors(total)
    return Ran(
        report=total,
        broken=broken,
        opened=bool(opened),
        unopened=tuple(str(error) for error in unopened.values()),
        shards=len(shards),
    )


def _opened(places: Iterable[Place], stack: ExitStack) -> tuple[dict[str, AnyJournal], dict[str, OtactlError]]:
    """Open every journal once, none of which is created here; those that could not be, with the reason."""
    opened: dict[str, AnyJournal] = {}
    unopened: dict[str, OtactlError] = {}
    for place in places:
        if place.url in opened or place.url in unopened:
            continue
        try:
            opened[place.url] = open_journal(place.url, must_exist=True, write=True)
            stack.callback(opened[place.url].close)
        except OtactlError as error:
            unopened[place.url] = error
    return opened, unopened


def _reconcile(
    declared: Environment,
    rollouts: tuple[Rollout, ...],
    journal: AnyJournal,
    read: Callable[[Record], bool],
    unread: UnreadableManifests,
    author: Author,
    monitor: RunMetrics,
    show: Show,
    shared: SharedPace | None,
) -> report.ReconcileReport:
    """Run the loop over one environment; `read` says whether the place of a manifest was read."""
    transport, started = transport_for(declared, shared), time.monotonic()
    reconciler = Reconciler(
        environment=declared,
        rollouts=rollouts,
        backends=backends_for(declared, transport),
        journal=journal,
        now=transport.now,
        wall=utc_now,
        holder=holder(),
        refused=unsupported_holds,
        covers=read,
        unread=unread,
        author=author,
        send=sender_for(declared, now=transport.now),
        counted=lambda sent, total: show(f"{declared.name}: {sent} of {count(total, 'call')} sent"),
    )
    try:
        run = reconciler.run()
    except OtactlError as error:  # its journal gave no answer at all
        ran = _failed(declared, rollouts, error)
        monitor.add(declared, ran, started, transport.stats, None)
        return ran
    ran = report.ReconcileReport(
        passes=run.passes,
        calls=transport.stats.calls,
        writes=transport.stats.writes,
        lease_held_by=run.lease_held_by,
        rollouts=run.rollouts,
        notes=run.notes,
        errors=tuple(
            report.RunFault(environment=declared.name, reason=e.reason, message=e.message) for e in run.errors
        ),
    )
    monitor.add(declared, ran, started, transport.stats, journal)
    return ran


def holder() -> str:
    """Return who this run is, for leases and marks: the host and the process."""
    return f"{socket.gethostname()}/{os.getpid()}"


def _failed(declared: Environment, rollouts: tuple[Rollout, ...], error: OtactlError) -> report.ReconcileReport:
    fault = report.RunFault(environment=declared.name, reason=reason_of(error), message=str(error))
    return report.ReconcileReport(
        rollouts=tuple(
            RolloutReport(name=r.name, environment=declared.name, phase="Stalled", error=str(error)) for r in rollouts
        ),
        errors=(fault,),
    )


def _mark_unread(
    reading: Reading, only: str | None, place: Place, opened: Mapping[str, AnyJournal], author: Author
) -> report.ReconcileReport:
    """Leave marks of environments that cannot be read, where the journal is known without them."""
    faults: list[report.RunFault] = []
    for name, unread in unread_environments(reading, only).items():
        with ExitStack() as stack:
            try:
                journal = opened.get(place.url)
                if journal is None:
                    journal = open_journal(place.url, must_exist=True, write=True)
                    stack.callback(journal.close)
                leave_marks(journal, name, unread, holder(), utc_now(), author)
            except JournalMissingError:
                continue  # its place is in the environment's manifest, which cannot be read
            except OtactlError as error:
                faults.append(report.RunFault(environment=name, reason=reason_of(error), message=str(error)))
    return report.ReconcileReport(errors=tuple(faults))


def _unread(found: tuple[Stopped, ...], broken: tuple[UnreadableDocument, ...]) -> report.ReconcileReport:
    """Return what was left alone because of manifests with an error, beside the report of each environment's run."""
    return report.ReconcileReport(
        rollouts=tuple(
            RolloutReport(name=s.name, environment=s.environment, phase="Stalled", error=f"ManifestInvalid: {s.text}")
            for s in found
        ),
        errors=tuple(
            report.RunFault(environment=b.environment or None, reason="ManifestInvalid", message=b.text) for b in broken
        ),
    )
