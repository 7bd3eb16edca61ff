"""`otactl rehearse`: runs whole rollouts against a simulated fleet on a fast clock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import click

from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.errors import Verb, guarded
from otactl.cli.load_manifests import environment_option, read_all
from otactl.cli.output import terminal_width
from otactl.cli.plot_file import plot_option, write_plot
from otactl.cli.progress import Show, progress
from otactl.cli.rehearse_options import assumed_of, moment
from otactl.errors import UsageError
from otactl.model import duration
from otactl.rehearsal.assumptions import sentences
from otactl.rehearsal.fleet_document import check
from otactl.rehearsal.fleets.base import Assumed
from otactl.rehearsal.results import Rehearsal, RehearsalRun
from otactl.rehearsal.simulate import play
from otactl.rehearsal.substitutions import Cast
from otactl.rehearsal.summary import forecasts
from otactl.report import rehearsal as report
from otactl.report.rehearsal_plot import as_svg
from otactl.wording import about, count

DAY = timedelta(days=1)


@click.command(cls=Verb, short_help="run whole rollouts against a simulated fleet, in seconds")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@environment_option
@click.option("--seeds", type=click.IntRange(1, 100), default=3, show_default=True, help="Fleets to draw, one a run.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The first seed.")
@click.option(
    "--devices-per-group",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    help="Devices in each multicast group or thing group: manifests name groups, not their members.",
)
@click.option(
    "--loss",
    multiple=True,
    metavar="SHARE",
    help="Fragments a device misses, 0 to 1; LABEL=VALUE:SHARE for devices with a label.  [default: 0.05]",
)
@click.option("--silent", type=click.FloatRange(0, 100), default=0.0, help="Percent of devices that never answer.")
@click.option(
    "--fail",
    multiple=True,
    metavar="PERCENT",
    help="Percent of devices that fail; REASON=PERCENT for one of our reasons, such as noMemory=2.",
)
@click.option("--at", help="When it starts, ISO 8601 with a zone.  [default: now]")
@click.option("--horizon", default="90d", show_default=True, help="Simulated time after which it is not ending.")
@plot_option("the timeline")
@guarded
def command(
    paths: tuple[str, ...],
    output: str,
    environment: str | None,
    seeds: int,
    seed: int,
    devices_per_group: int,
    loss: tuple[str, ...],
    silent: float,
    fail: tuple[str, ...],
    at: str | None,
    horizon: str,
    plot: str | None,
) -> None:
    """Rehearse the rollouts in PATHS from their start, with losses, windows, gates and retries.

    Nothing leaves this machine. Exits 0 when every rollout succeeds with every seed, 2 when one does not.
    """
    assumed = assumed_of(devices_per_group, loss, silent, fail)
    began, limit = moment(at) if at is not None else utc_now(), _limit(horizon)
    began = began.replace(microsecond=0)
    reading = read_all(paths, offline=True)
    rollouts = [r for r in reading.rollouts if environment in (None, r.environment)]
    if not rollouts:
        raise UsageError(f"there is no rollout in {', '.join(paths)}" + (f" for {environment}" if environment else ""))
    check(assumed, rollouts)
    cast = Cast(reading.environments, rollouts, began)
    with progress() as show:
        courses = tuple(
            _course(cast, assumed, n, began, limit, partial(_counted, show, n - seed + 1, seeds, len(cast.rollouts)))
            for n in range(seed, seed + seeds)
        )
    found = Rehearsal(
        at=began,
        horizon_days=limit / DAY,
        assumed=(*sentences(assumed, cast.rollouts), *cast.assumed),
        courses=courses,
        forecasts=forecasts(courses, began),
    )
    if output == "text":
        click.echo(report.as_text(found, terminal_width()))
    else:
        click.echo(report.as_json(found) if output == "json" else report.as_markdown(found))
    if plot is not None:
        write_plot(Path(plot), as_svg(found))
    sys.exit(0 if found.succeeds else 2)


def _limit(horizon: str) -> timedelta:
    try:
        limit = duration(horizon)
    except (KeyError, ValueError, IndexError, OverflowError) as error:
        raise UsageError(f"--horizon {horizon} is no duration; write it like 90d or 36h") from error
    if not timedelta(0) < limit <= 3650 * DAY:
        raise UsageError(f"--horizon {horizon} is not between a second and ten years")
    return limit


def _counted(show: Show, number: int, seeds: int, rollouts: int, passed: timedelta, over: int) -> None:
    show(f"fleet {number} of {seeds}: {over} of {count(rollouts, 'rollout')} over after {about(passed)} simulated")


def _course(
    cast: Cast,
    assumed: Assumed,
    seed: int,
    began: datetime,
    limit: timedelta,
    counted: Callable[[timedelta, int], None],
) -> RehearsalRun:
    try:
        from otactl.rehearsal.stage import stage

        with stage(cast, assumed, seed, began) as world:
            return play(world, cast.rollouts, seed, limit, counted)
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install it: pip install 'otactl[simulator]'") from missing
