"""`otactl airtime`: computes what a LoRaWAN session costs and reaches, and recommends one."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from otactl.cli.airtime_options import Flags, asked
from otactl.cli.airtime_request import question_of, require_radio
from otactl.cli.load_manifests import read_all
from otactl.cli.plot_file import plot_option, write_plot
from otactl.errors import UsageError
from otactl.lorawan.report import AirtimeReport
from otactl.lorawan.request import AirtimeRequest


@click.command(short_help="plan the radio: time on air, chance of success, what to declare")
@click.argument("path", required=False, type=click.Path())
@click.option("-o", "--output", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--rf-region", help="LoRaWAN region as the service names it, such as EU868.")
@click.option("--data-rate", type=int, help="Downlink data rate; without it, the slowest that holds a fragment.")
@click.option("--image-bytes", type=int, help="Size of the image.")
@click.option("--fragment-bytes", type=int, help="Size of a fragment; without it, the recommended or largest one.")
@click.option("--redundancy-percent", type=int, help="Coded fragments in percent; without it, the recommended.")
@click.option("--interval-ms", type=int, help="From one fragment to the next; without it, the shortest lawful.")
@click.option("--loss", multiple=True, type=float, help="Part of the fragments lost, 0 to below 1; again per class.")
@click.option("--devices", multiple=True, type=int, help="How many devices; again per class, in the order of --loss.")
@click.option("--burst", type=float, help="Mean length, in fragments, of the stretches that are lost.")
@click.option("--outage", help="FRAGMENTS:PROBABILITY of one stretch that no device hears.")
@click.option("--ts004", type=click.Choice(["v1", "v2r"]), default="v1", show_default=True, help="Parity rows.")
@click.option("--target", type=float, help="Chance one device must have.  [default: 0.99]")
@click.option("--window", help="Longest time a session may take, such as 7h.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the trials.  [default: 0]")
@click.option("--class", "device_class", type=click.Choice(["B", "C"]), help="Device class.  [default: C]")
@click.option("--frequency-hz", type=int, help="Downlink frequency, if not the region's default.")
@click.option("--gateways", type=int, help="Gateways named for the group, sending one after another.")
@click.option("--transmission-interval-ms", type=int, help="Time between those gateways.")
@click.option("--ping-slot-period", type=int, help="Class B: 32 to 4096 slots of 30 ms.")
@click.option("--dwell-400ms", "dwell_limited", is_flag=True, default=None, help="The country limits downlinks.")
@click.option("--payload-crc", is_flag=True, default=None, help="Count a CRC, as many calculators do.")
@click.option("--devices-per-gateway", type=int, help="Single devices: how many share the busiest gateway.")
@click.option("--max-lost", type=int, help="Lost fragments a device can hold.")
@click.option("--max-fragments", type=int, help="Fragments a device can hold.")
@click.option("--max-fragment-bytes", "max_fragment_size", type=int, help="Largest fragment a device takes.")
@click.option("--size-multiple", type=int, help="Flash unit of the device, in bytes.")
@click.option("--rx-power-mw", "power_mw", type=float, help="Power of a receiving device.  [default: 25]")
@plot_option("success over redundancy")
def command(path: str | None, output: str, plot: str | None, **flags: object) -> None:
    """Plan a LoRaWAN session from the rollout in PATH, from flags, or from both (flags win).

    Exits 0 when target and window are met, 2 when they are missed, 1 when the session is impossible.
    """
    require_radio()
    given = msgspec.convert(flags, Flags)
    question = asked(given, None if path is None else _declared(path))
    from otactl.lorawan.planner import ImpossibleSessionError, forecast
    from otactl.report import airtime as report

    try:
        found = forecast(question)
    except ImpossibleSessionError as impossible:
        for reason in impossible.reasons:
            click.echo(f"otactl: {reason}", err=True)
        sys.exit(1)
    render = {"json": report.as_json, "markdown": report.as_markdown, "text": report.as_text}[output]
    click.echo(render(found))
    if plot is not None:
        _draw(question, found, Path(plot))
    sys.exit(0 if found.meets else 2)


def _draw(question: AirtimeRequest, found: AirtimeReport, file: Path) -> None:
    from otactl.lorawan.redundancy_curve import curve
    from otactl.report.airtime_plot import as_svg

    write_plot(file, as_svg(found, curve(question, found)))


def _declared(path: str) -> AirtimeRequest:
    rollouts = [(rollout, question_of(rollout)) for rollout in read_all((path,), offline=True).rollouts]
    found = [(rollout.name, question) for rollout, question in rollouts if question is not None]
    if not found:
        raise UsageError(f"no rollout in {path} has a radio session; name the file of one that has, or use flags")
    if len(found) > 1:
        names = ", ".join(sorted(name for name, _ in found))
        raise UsageError(f"{path} has {len(found)} radio sessions ({names}); name the file of one")
    return found[0][1]
