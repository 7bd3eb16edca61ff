"""`otactl reconcile`: drive rollouts to their declared state, then say when to come back. Made for cron."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime

import click
import msgspec

from controller.cli._backends import backends_for, transport_for
from controller.cli._journal import Place, journal_option, place_for
from controller.cli._reading import by_environment, covers, read_all, refused
from controller.errors import OtactlError
from controller.journal import AnyJournal, open_journal
from controller.model import Environment, Record, Rollout
from controller.ports import Journal
from controller.reconciler import Reconciler
from controller.reconciler_values import RolloutReport
from controller.report import reconcile as report
from controller.report.plain import plain


@click.command(short_help="drive rollouts to their declared state")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--environment", help="Only this environment.")
@journal_option
def command(paths: tuple[str, ...], output: str, environment: str | None, journal: str | None) -> None:
    """Send what is next for the manifests in PATHS until nothing is ready; record everything; exit."""
    reading = read_all(paths)
    shards = tuple(by_environment(reading, environment))
    places = {declared.name: place_for(declared, paths, journal) for declared, _ in shards}
    total = report.ReconcileReport()
    with ExitStack() as stack:
        opened, unopened = _opened(places.values(), stack)
        for declared, rollouts in shards:
            place = places[declared.name]
            if place.url in opened:
                here = msgspec.structs.replace(declared, journal=place.used().place)
                ran = _reconcile(here, rollouts, opened[place.url], covers(paths, reading))
            else:
                ran = _failed(declared, rollouts, unopened[place.url])
            total = total.plus(msgspec.structs.replace(ran, journals=(place.used(declared.name),)))
    for error in unopened.values():
        click.echo(plain(f"otactl: {error}"), err=True)
    if opened or output == "json":
        click.echo(report.as_json(total) if output == "json" else report.as_text(total))
    sys.exit(1 if total.failed or unopened else 0)


def _opened(places: Iterable[Place], stack: ExitStack) -> tuple[dict[str, AnyJournal], dict[str, OtactlError]]:
    """Open every journal once, none of which is made here; those that could not be, with the reason."""
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
    declared: Environment, rollouts: tuple[Rollout, ...], journal: Journal, read: Callable[[Record], bool]
) -> report.ReconcileReport:
    """Run the loop over one environment; `read` tells whether the place of a manifest was read."""
    transport = transport_for(declared)
    reconciler = Reconciler(
        environment=declared,
        rollouts=rollouts,
        backends=backends_for(declared, transport),
        journal=journal,
        now=transport.now,
        wall=lambda: datetime.now(UTC),
        holder=f"{socket.gethostname()}/{os.getpid()}",
        refused=refused,
        covers=read,
    )
    try:
        run = reconciler.run()
    except OtactlError as error:
        return _failed(declared, rollouts, error)
    return report.ReconcileReport(
        passes=run.passes,
        calls=transport.stats.calls,
        writes=transport.stats.writes,
        lease_held_by=run.lease_held_by,
        rollouts=run.rollouts,
        notes=run.notes,
    )


def _failed(declared: Environment, rollouts: tuple[Rollout, ...], error: OtactlError) -> report.ReconcileReport:
    return report.ReconcileReport(
        rollouts=tuple(
            RolloutReport(name=r.name, environment=declared.name, phase="Stalled", error=str(error)) for r in rollouts
        )
    )
