"""`otactl workers`: runs passes of many environments from a queue in PostgreSQL, and shows how the workers are."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
import socket
import sys
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import click

from otactl.cli.author import actor_option, author_of
from otactl.cli.errors import Verb, VerbGroup, guarded
from otactl.cli.journal_option import journal_option
from otactl.cli.repeated_status import duration_option
from otactl.cli.workers_database import database_option
from otactl.errors import UsageError
from otactl.report import workers as report
from otactl.report.sanitize import plain
from otactl.wording import count

LISTEN = "127.0.0.1:9464"
SOURCE = "OTACTL_SOURCE"
CACHE = "OTACTL_CACHE"


@click.group(cls=VerbGroup, short_help="run many environments from a queue in PostgreSQL")
def command() -> None:
    """Run the passes of many environments on one or several machines, from a queue in PostgreSQL.

    Start `otactl workers run` as often as you like, on any machine: the workers share the environments. A worker may be
    killed at any time. Needs the extra: pip install 'otactl[workers]'.
    """


@command.command(cls=Verb, name="init", short_help="create or upgrade the tables of the workers")
@database_option
@guarded
def init(database: str | None) -> None:
    """Create the tables of the workers in the schema otactl_workers, or apply the steps that a new version adds."""
    from otactl.workers.database import SCHEMA, conninfo_of, create_tables

    applied = create_tables(conninfo_of(database))
    done = f"{count(len(applied), 'step')} applied" if applied else "nothing to do"
    click.echo(f"tables of the workers in schema {SCHEMA}: {done}")


@command.command(cls=Verb, name="run", short_help="take passes from the queue until SIGTERM")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option(
    "--source",
    metavar="ADDRESS",
    envvar=SOURCE,
    help="Where the manifests are: git+https://HOST/REPOSITORY@REF, git+ssh://USER@HOST/REPOSITORY@REF,"
    f" s3://BUCKET/PREFIX, or a folder; PATHS are below it.  [default: {SOURCE}, else the working folder]",
)
@click.option(
    "--refresh",
    callback=duration_option,
    default="1m",
    show_default=True,
    metavar="TIME",
    help="How often the source is fetched.",
)
@click.option(
    "--cache",
    metavar="FOLDER",
    envvar=CACHE,
    help=f"Where fetched manifests are kept.  [default: {CACHE}, else a folder for the while]",
)
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=4, show_default=True, help="Passes that run at a time."
)
@click.option(
    "--every",
    callback=duration_option,
    default="5m",
    show_default=True,
    metavar="TIME",
    help="How often an environment runs whose manifest has no spec.every.",
)
@click.option(
    "--pass-timeout",
    callback=duration_option,
    default="15m",
    show_default=True,
    metavar="TIME",
    help="After this time a pass is ended; the next tick continues it.",
)
@click.option(
    "--pass-memory",
    type=click.IntRange(0, 1024 * 1024),
    default=1024,
    show_default=True,
    metavar="MIB",
    help="Memory a pass may take, in MiB; 0 for no limit.",
)
@click.option(
    "--grace",
    callback=duration_option,
    default="25s",
    show_default=True,
    metavar="TIME",
    help="How long passes may go on after SIGTERM; the rest is ended and handed over.",
)
@click.option(
    "--listen",
    default=LISTEN,
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where /healthz, /readyz and /metrics are answered; port 0 takes a free one.",
)
@click.option("--name", metavar="NAME", help="Name of this worker.  [default: host, process and a number]")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged, as JSON on stderr; debug shows each call.",
)
@journal_option
@actor_option
@database_option
@guarded
def run(
    paths: tuple[str, ...],
    source: str | None,
    refresh: timedelta,
    cache: str | None,
    concurrency: int,
    every: timedelta,
    pass_timeout: timedelta,
    pass_memory: int,
    grace: timedelta,
    listen: str,
    name: str | None,
    log_level: str,
    journal: str | None,
    actor: str | None,
    database: str | None,
) -> None:
    """Take passes from the queue and run them, and add what is due, until SIGTERM.

    A pass is what `otactl reconcile` does for one environment; it runs in a process of its own. The manifests are read
    from PATHS below the source, by default all of it.
    """
    from otactl.workers.database import conninfo_of, must_have_tables

    conninfo = conninfo_of(database)
    from otactl.cli.worker_pass import run_pass, unfit
    from otactl.workers.endpoint import address_of
    from otactl.workers.logs import set_up
    from otactl.workers.pass_request import Settings
    from otactl.workers.passes import Processes
    from otactl.workers.readings import Slice
    from otactl.workers.sources import open_source
    from otactl.workers.worker import Worker

    _must_fork()
    address = address_of(listen)
    called = name or f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(2)}"
    below = tuple(paths) or (".",)
    if source is not None and "://" in source and any(Path(path).is_absolute() for path in below):
        raise UsageError("PATHS are below the root of --source; write them without a leading /")
    with ExitStack() as stack:
        if cache is None and source is not None and "://" in source:
            cache = stack.enter_context(tempfile.TemporaryDirectory(prefix="otactl-workers-"))
        manifests = open_source(source, below, Path(cache or "."))
        settings = Settings(
            name=called,
            conninfo=conninfo,
            paths=below,
            journal=journal,
            actor=author_of(actor, None, ()).actor,
            concurrency=concurrency,
            every=every.total_seconds(),
            refresh=refresh.total_seconds(),
            pass_timeout=pass_timeout.total_seconds(),
            grace=grace.total_seconds(),
            listen=address,
            log_level=log_level,
        )

        def check(part: Slice) -> str:
            return unfit(part, below, journal, fetched=manifests.shared)

        must_have_tables(conninfo)
        processes = Processes(("otactl.cli.worker_pass", "boto3"), pass_memory)
        set_up(log_level, worker=called)
        worker = Worker(settings, manifests, processes, run_pass, check)
        asyncio.run(worker.work(lambda at: click.echo(f"worker {plain(called)} answers at http://{at}/healthz")))


@command.command(cls=Verb, name="status", short_help="show workers, queue and last runs")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--environment", metavar="NAME", help="Only this environment.")
@database_option
@guarded
def status(output: str, environment: str | None, database: str | None) -> None:
    """Show which workers live, and for each environment what waits, what runs and how its last run ended."""
    from otactl.workers.database import conninfo_of
    from otactl.workers.status import status_of

    found = status_of(conninfo_of(database), environment)
    if environment is not None and not found.environments:
        raise UsageError(f"the workers know no environment {environment}; `otactl workers status` lists what they know")
    click.echo(report.as_json(found) if output == "json" else report.as_text(found))


def _must_fork() -> None:
    if sys.platform == "win32" or "forkserver" not in multiprocessing.get_all_start_methods():
        raise UsageError("workers need Linux or macOS: a pass is a process that is forked; use `otactl reconcile` here")
