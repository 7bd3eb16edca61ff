"""`otactl reconcile`: drives rollouts to their declared state, then prints when to run again. Made for cron."""

from __future__ import annotations

import sys

import click

from otactl.cli.author import author_of, author_options
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option, read_all, strict_option
from otactl.cli.run_environments import holder, run_environments
from otactl.cli.run_metrics import RunMetrics, metrics_options
from otactl.cli.unreadable_manifests import tell
from otactl.model import Author
from otactl.report import reconcile as report
from otactl.report.sanitize import plain


@click.command(short_help="drive rollouts to their declared state")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@environment_option
@strict_option
@journal_option
@author_options
@metrics_options
def command(
    paths: tuple[str, ...],
    output: str,
    environment: str | None,
    strict: bool,
    journal: str | None,
    actor: str | None,
    commit: str | None,
    metrics: str | None,
    gateway: str | None,
) -> None:
    """Send what is next for the manifests in PATHS until nothing is ready; record everything; exit.

    A manifest with an error stops what it may be about, and the run exits 1; the others go on.
    """
    with RunMetrics(metrics, gateway, holder()) as monitor:
        _run(paths, output, environment, strict, journal, author_of(actor, commit, paths), monitor)


def _run(
    paths: tuple[str, ...],
    output: str,
    environment: str | None,
    strict: bool,
    journal: str | None,
    author: Author,
    monitor: RunMetrics,
) -> None:
    reading = read_all(paths, strict=strict)
    ran = run_environments(reading, paths, only=environment, journal=journal, author=author, monitor=monitor)
    for error in ran.unopened:
        click.echo(plain(f"otactl: {error}"), err=True)
    if ran.opened or output == "json" or not ran.shards:
        click.echo(report.as_json(ran.report) if output == "json" else report.as_text(ran.report))
    tell(ran.broken)
    sys.exit(1 if ran.failed else 0)
