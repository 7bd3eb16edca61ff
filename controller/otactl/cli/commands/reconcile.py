"""`otactl reconcile`: drives rollouts to their declared state, then prints when to run again. Made for cron."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from otactl.cli.author import author_of, author_options
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import by_environment, environment_option, read_all, strict_option
from otactl.cli.repeated_status import duration_option
from otactl.cli.run_environments import holder, run_environments
from otactl.cli.run_metrics import RunMetrics, metrics_options
from otactl.cli.unreadable_manifests import tell
from otactl.cli.workers_database import database_option
from otactl.errors import UsageError
from otactl.model import Author
from otactl.report import reconcile as report
from otactl.report.sanitize import plain
from otactl.wording import count


@click.command(short_help="drive rollouts to their declared state")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@environment_option
@strict_option
@journal_option
@author_options
@metrics_options
@click.option("--enqueue", is_flag=True, help="Let the workers run the environments now, instead of this process.")
@click.option(
    "--wait",
    callback=duration_option,
    metavar="TIME",
    help="With --enqueue: wait until they have run, as long as this at most; exit 1 if one failed or did not.",
)
@database_option
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
    enqueue: bool,
    wait: timedelta | None,
    database: str | None,
) -> None:
    """Send what is next for the manifests in PATHS until nothing is ready; record everything; exit.

    A manifest with an error stops what it may be about, and the run exits 1; the others go on. With --enqueue nothing
    is sent from here: workers run the environments in PATHS, or all that they know without PATHS.
    """
    if enqueue:
        _enqueue(paths, environment, wait, database)
        return
    if wait is not None or database is not None:
        raise UsageError("--wait and --database are for --enqueue; add --enqueue, or omit them")
    with RunMetrics(metrics, gateway, holder()) as monitor:
        _run(paths, output, environment, strict, journal, author_of(actor, commit, paths), monitor)


def _enqueue(paths: tuple[str, ...], environment: str | None, wait: timedelta | None, database: str | None) -> None:
    from otactl.workers.database import conninfo_of
    from otactl.workers.status import enqueue, wait_for_runs

    names: tuple[str, ...] = (environment,) if environment is not None else ()
    if paths:
        names = tuple(declared.name for declared, _ in by_environment(read_all(paths, strict=False), environment))
    conninfo = conninfo_of(database)
    asked, since = enqueue(conninfo, names)
    click.echo(f"asked the workers to run {count(len(asked), 'environment')}: {', '.join(asked) or 'none is declared'}")
    if wait is None:
        return
    ended = wait_for_runs(conninfo, asked, since, wait.total_seconds())
    for name, run in ended.items():
        said = f": {run.message}" if run is not None and run.message else ""
        click.echo(plain(f"{name}: {run.outcome} by {run.worker}{said}" if run is not None else f"{name}: did not run"))
    sys.exit(1 if any(run is None or run.outcome != "ok" for run in ended.values()) else 0)


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
