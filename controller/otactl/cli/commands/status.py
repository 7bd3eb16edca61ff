"""`otactl status`: shows rollouts from the journal; with --device also the device's state at its service."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from otactl.cli.errors import FAILED, Verb, guarded
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option
from otactl.cli.output import terminal_width
from otactl.cli.select_records import open_to_read, select, style_option
from otactl.errors import UsageError
from otactl.planning.environment import NAME
from otactl.report import status
from otactl.report.sanitize import plain
from otactl.report.status import Style
from otactl.report.status_summary import summarise


def _statuses(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> tuple[str, ...]:
    """Our words for the statuses given, each once, in the order of a task's life."""
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
@click.option(
    "--manifests",
    metavar="PATH",
    multiple=True,
    help="Where to read the environments, which say where the journal is, and which product and gateway a device"
    " belongs to. Repeatable.  [default: the repository; of a device, rollouts, if there]",
)
@click.option("--offline", is_flag=True, help="Read the journal only; ask no service.")
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
    manifests: tuple[str, ...],
    offline: bool,
    journal: str | None,
    environment: str | None,
    style: Style,
) -> None:
    """Show the state of all rollouts, or of the one called NAME.

    With --device, show the results of one device, attempt by attempt, from the journal. A service that lists the tasks
    of one device is asked too: unfinished tasks, each with its status, its versions, since when, and the rollout it
    belongs to; and the versions the device reports. Only that needs the service's key. An upgrade that is not listed
    has ended: its result is in the batch, or in the reported version.

    Exits 1 if a gateway gave no answer; the journal's part is shown all the same.
    """
    live = {"--module": module, "--task-status": statuses, "--product": product}
    given = [option for option, value in live.items() if value not in (None, ())]
    if "" in live.values():
        raise UsageError(f"{next(o for o in given if live[o] == '')} is empty; omit it, or give a value")
    if given and device is None:
        raise UsageError(f"{given[0]} is about one device; name it with --device ID")
    if given and offline:
        raise UsageError(f"{given[0]} filters the gateway's answer, and --offline calls no gateway; omit one of them")
    if device is None or offline:
        with open_to_read(journal, environment, manifests) as opened:
            chosen, used = select(opened, environment, name), opened.used
            homes = sorted({s.record.environment for s in chosen}) if name is not None else []
            report = summarise((*chosen, *(opened.load(home, NAME) for home in homes)), device)
    else:
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
                filters=filters,
            )
        )
    click.echo(status.render(report, style, datetime.now(UTC), used, terminal_width()))
    silent = [line for line in (report.device.live if report.device is not None else ()) if line.error]
    for line in silent:
        where = f"{line.service}, product {line.product}, environment {line.environment}"
        click.echo(plain(f"otactl: {where}: {line.error}"), err=True)
    if silent:
        raise click.exceptions.Exit(FAILED)
