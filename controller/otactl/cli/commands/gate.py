"""`otactl gate`: says how often gates pass bad firmware, and hold good firmware."""

from __future__ import annotations

import click

from otactl.cli.number_options import NumberRange

_PERCENT = NumberRange(0, 100)


@click.command("gate", short_help="say how often gates pass bad firmware, and hold good firmware")
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--bad-percent",
    type=_PERCENT,
    help="Devices that bad firmware fails on.  [default: 10, or twice what the gate allows if that is more]",
)
@click.option(
    "--good-percent",
    type=_PERCENT,
    help="Devices that good firmware fails on.  [default: half of what the gate allows, 1 if it allows none]",
)
@click.option("--silent-percent", type=_PERCENT, default=0.0, show_default=True, help="Devices that never answer.")
@click.option(
    "--risk-percent",
    type=NumberRange(0, 50, min_open=True),
    default=5.0,
    show_default=True,
    help="Wrong verdicts that you accept: the numbers of devices that are needed are computed for it.",
)
@click.option(
    "--devices",
    "numbers",
    multiple=True,
    metavar="WAVE=NUMBER",
    help="How many devices a wave has, such as canary=30; groups hide it. Again for each wave.",
)
def command(
    paths: tuple[str, ...],
    output: str,
    bad_percent: float | None,
    good_percent: float | None,
    silent_percent: float,
    risk_percent: float,
    numbers: tuple[str, ...],
) -> None:
    """Say for each wave of the rollouts in PATHS how often its gate is wrong, offline and exactly.

    A wave of a few devices says little: with 3 devices a gate that allows 2 % passes firmware that fails on 10 % of
    devices in 73 % of cases, with 30 in 4 %. `gate.confidence` sets a limit to both errors.
    """
    from otactl.cli.load_manifests import read_all
    from otactl.errors import UsageError
    from otactl.report import gate as report
    from otactl.report.gate_rates import Assumptions, report_of

    for name, share in (("--bad-percent", bad_percent), ("--good-percent", good_percent)):
        if share is not None and share + silent_percent > 100:
            raise UsageError(f"{name} and --silent-percent are more than 100 % together; lower one of them")
    reading = read_all(paths, offline=True)
    devices = dict(_number(text) for text in numbers)
    known = {w.name for r in reading.rollouts for w in r.strategy.waves}
    if unknown := sorted(devices.keys() - known):
        raise UsageError(
            f"--devices names {', '.join(unknown)}, and no rollout here has such a wave; use a wave's name"
        )
    asked = Assumptions(bad=bad_percent, good=good_percent, silent=silent_percent, risk=risk_percent, devices=devices)
    found = report_of(reading.rollouts, asked)
    click.echo(report.as_json(found) if output == "json" else report.as_text(found))


def _number(text: str) -> tuple[str, int]:
    from otactl.errors import UsageError

    name, _, number = text.partition("=")
    if not name or not number.isdecimal() or not 1 <= int(number) <= 1_000_000:
        raise UsageError(f"--devices {text} is no wave with a number of devices; write it as canary=30")
    return name, int(number)
