"""`otactl reconcile`: drive rollouts to their declared state, then say when to come back. Made for cron."""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime

import click

from controller.cli._backends import backends_for, transport_for
from controller.cli._journal import journal_option
from controller.cli._reading import by_environment, covers, read_all, refused
from controller.errors import OtactlError
from controller.journal import open_journal
from controller.reconciler import Reconciler
from controller.reconciler_values import RolloutReport
from controller.report import reconcile as report


@click.command(short_help="drive rollouts to their declared state")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--environment", help="Only this environment.")
@journal_option
def command(paths: tuple[str, ...], output: str, environment: str | None, journal: str) -> None:
    """Send what is next for the manifests in PATHS until nothing is ready; record everything; exit."""
    reading = read_all(paths)
    opened = open_journal(journal)
    holder = f"{socket.gethostname()}/{os.getpid()}"
    total = report.ReconcileReport()
    for declared, rollouts in by_environment(reading, environment):
        transport = transport_for(declared)
        reconciler = Reconciler(
            environment=declared,
            rollouts=rollouts,
            backends=backends_for(declared, transport),
            journal=opened,
            now=transport.now,
            wall=lambda: datetime.now(UTC),
            holder=holder,
            refused=refused,
            covers=covers(paths, reading),
        )
        try:
            run = reconciler.run()
        except OtactlError as error:
            failed = tuple(
                RolloutReport(name=r.name, environment=declared.name, phase="Stalled", error=str(error))
                for r in rollouts
            )
            total = total.plus(report.ReconcileReport(rollouts=failed))
            continue
        total = total.plus(
            report.ReconcileReport(
                passes=run.passes,
                calls=transport.stats.calls,
                writes=transport.stats.writes,
                lease_held_by=run.lease_held_by,
                rollouts=run.rollouts,
            )
        )
    click.echo(report.as_json(total) if output == "json" else report.as_text(total))
    sys.exit(1 if total.failed else 0)
