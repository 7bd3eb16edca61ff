"""`otactl status`: shows rollouts from the journal; with --device also the device's state at its service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import click

from otactl.cli import repeated_status
from otactl.cli.errors import FAILED, Verb, guarded
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option
from otactl.cli.output import terminal_height, terminal_width
from otactl.cli.select_records import open_to_read, select, style_option
from otactl.errors import JournalMissingError, UsageError
from otactl.model import Phase
from otactl.planning.environment import NAME
from otactl.report import status, status_overview
from otactl.report.journals_used import UsedJournal
from otactl.report.sanitize import plain
from otactl.report.status import Style
from otactl.report.status_summary import RolloutLine, StatusReport, summarise

EVERY = timedelta(seconds=10)


def _statuses(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return our words for the statuses given, each once, in the order of a task's life."""
    if not words:
        return ()
    from otactl.backends.registry import device_services

    services = device_services().values()

    def status_of(word: str) -> str | None:
        return next((ours for service in services if (ours := service.status_of(word)) is not None), None)

    known_words = {ours: theirs for service in services for ours, theirs in service.statuses.items()}

    strange = next((word for word in words if status_of(word) is None), None)
    if strange is not None:
        known = ", ".join(f"{ours} ({theirs})" for ours, theirs in known_words.items())
        raise click.BadParameter(f"{strange!r} is no status of an unfinished task; there are {known}", ctx, param)
    given = {status_of(word) for word in words}
    return tuple(status for status in known_words if status in given)


@click.command(name="status", cls=Verb)
@click.argument("name", required=False)
@click.option(
    "--device", metavar="ID", help="Show this device across rollouts: an id, a DevEUI, or its name at the service."
)
@click.option(
    "--module", metavar="NAME", help="Tasks and version of this module only, of a device whose service lists its tasks."
)
@click.option(
    "--task-status",
    "statuses",
    metavar="WORD",
    multiple=True,
    callback=_statuses,
    help="Tasks in this status only, where its service lists them: toConfirm, queued, notified or inProgress, or"
    " the service's own word for it. Repeatable.",
)
@click.option(
    "--product", metavar="KEY", help="The device's product at its service, where no manifest names the device."
)
@click.option("--by-id", is_flag=True, help="--device is the id that its service gave the device, not its name.")
@click.option(
    "--manifests",
    metavar="PATH",
    multiple=True,
    help="Where to read the environments, which say where the journal is, and which product and gateway a device"
    " belongs to. Repeatable.  [default: the repository; of a device, rollouts, if there]",
)
@click.option("--offline", is_flag=True, help="Read the journal only; ask no service.")
@click.option("--details", is_flag=True, help="Show every wave and failed device of all rollouts, as with NAME.")
@click.option("--watch", is_flag=True, help="Draw it again every --interval until it is interrupted (Ctrl-C).")
@click.option(
    "--wait-for",
    "wanted",
    type=click.Choice([phase.value for phase in Phase]),
    help="Wait until the rollout NAME has this phase. Exits 2 when it does not come to it without a person, 3 after"
    " --timeout.",
)
@click.option(
    "--timeout",
    callback=repeated_status.duration_option,
    metavar="DURATION",
    help="How long to wait: 90s, 35m, 12h or 7d.",
)
@click.option(
    "--interval",
    callback=repeated_status.duration_option,
    metavar="DURATION",
    help="How often to read the journal for --watch and --wait-for.  [default: 10s]",
)
@journal_option
@environment_option
@style_option
@guarded
def command(
    name: str | None,
    device: str | None,
    module: str | None,
    statuses: tuple[str, ...],
    product: str | None,
    by_id: bool,
    manifests: tuple[str, ...],
    offline: bool,
    details: bool,
    watch: bool,
    wanted: str | None,
    timeout: timedelta | None,
    interval: timedelta | None,
    journal: str | None,
    environment: str | None,
    style: Style,
) -> None:
    """Show all rollouts on one screen, or everything about the one called NAME.

    Rollouts that need a person come first, each hold with its way out.

    With --device, show the results of one device, attempt by attempt, from the journal. A service that lists the tasks
    of one device is asked too: unfinished tasks, each with its status, its versions, since when, and the rollout it
    belongs to; and the versions the device reports. Only that needs the service's key. An upgrade that is not listed
    has ended: its result is in the batch, or in the reported version.

    Exits 1 if a gateway gave no answer; the journal's part is shown all the same.
    """
    asked: dict[str, object] = {
        "--module": module,
        "--task-status": statuses,
        "--product": product,
        "--by-id": by_id or None,
    }
    _must_be_about_a_device(asked, device, offline)
    if by_id and product is not None:
        raise UsageError("--by-id names the device without its product; omit --product")
    _must_repeat({"--timeout": timeout, "--interval": interval}, watch=watch, wanted=wanted, name=name)
    if (watch or wanted is not None) and (device is not None or style != "text"):
        other = "--device" if device is not None else f"-o {style}"
        raise UsageError(f"{other} is written once; omit it, or omit --watch and --wait-for")
    every = interval or EVERY

    def read() -> tuple[StatusReport, tuple[UsedJournal, ...]]:
        with open_to_read(journal, environment, manifests) as opened:
            chosen, used = select(opened, environment, name), opened.used
            homes = sorted({s.record.environment for s in chosen}) if name is not None else []
            return summarise((*chosen, *(opened.load(home, NAME) for home in homes)), device), used

    def draw() -> str:
        found, used = read()
        now, width = repeated_status.CLOCK.now(), terminal_width()
        if style == "text" and name is None and device is None and not details:
            return status_overview.render(found, now, used, width, terminal_height())
        return status.render(found, style, now, used, width)

    if wanted is not None and name is not None and timeout is not None:
        raise click.exceptions.Exit(_wait(read, name, Phase(wanted), timeout, every))
    if watch:
        repeated_status.watch(draw, every, repeated_status.CLOCK)
        return
    if device is None or offline:
        click.echo(draw())
        return
    from otactl.cli.device_status import Question, look
    from otactl.model.device_tasks import Filters

    filters = Filters(module=module, statuses=statuses)
    report, used = look(
        Question(
            device=device,
            journal=journal,
            environment=environment,
            rollout=name,
            manifests=manifests,
            product=product,
            by_id=by_id,
            filters=filters,
        )
    )
    click.echo(status.render(report, style, repeated_status.CLOCK.now(), used, terminal_width()))
    silent = [line for line in (report.device.live if report.device is not None else ()) if line.error]
    for line in silent:
        product_named = f", product {line.product}" if line.product else ""
        where = f"{line.service}{product_named}, environment {line.environment}"
        click.echo(plain(f"otactl: {where}: {line.error}"), err=True)
    if silent:
        raise click.exceptions.Exit(FAILED)


def _must_be_about_a_device(live: dict[str, object], device: str | None, offline: bool) -> None:
    """Refuse filters of a service's answer where no service is asked about a device."""
    given = [option for option, value in live.items() if value not in (None, ())]
    if "" in live.values():
        raise UsageError(f"{next(o for o in given if live[o] == '')} is empty; omit it, or give a value")
    if given and device is None:
        raise UsageError(f"{given[0]} is about one device; name it with --device ID")
    if given and offline:
        raise UsageError(f"{given[0]} filters the gateway's answer, and --offline calls no gateway; omit one of them")


def _must_repeat(times: dict[str, timedelta | None], *, watch: bool, wanted: str | None, name: str | None) -> None:
    """Refuse options of repetition that do not go together."""
    if wanted is not None and watch:
        raise UsageError("--watch and --wait-for are two ways to repeat; give one of them")
    if wanted is not None and name is None:
        raise UsageError("--wait-for waits for one rollout; name it: otactl status NAME --wait-for Succeeded")
    if wanted is not None and times["--timeout"] is None:
        raise UsageError("--wait-for needs --timeout, or a rollout that never comes to it blocks the pipeline for ever")
    if wanted is None and times["--timeout"] is not None:
        raise UsageError("--timeout is for --wait-for; name a phase, or omit it")
    if wanted is None and not watch and times["--interval"] is not None:
        raise UsageError("--interval is for --watch and --wait-for; give one of them, or omit it")


def _wait(
    read: Callable[[], tuple[StatusReport, tuple[UsedJournal, ...]]],
    name: str,
    wanted: Phase,
    timeout: timedelta,
    every: timedelta,
) -> int:
    """Wait for a phase; a rollout, or a journal, that is not there yet may come."""

    def one() -> RolloutLine | None:
        try:
            found = read()[0].rollouts
        except JournalMissingError:
            raise
        except UsageError:  # no run has recorded it yet
            return None
        if len(found) > 1:
            raise UsageError(f"several environments have a rollout {name}; choose one with --environment")
        return found[0]

    return repeated_status.wait_for(one, name, wanted, timeout, every, repeated_status.CLOCK)
