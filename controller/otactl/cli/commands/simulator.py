"""`otactl simulator`: serves the stand-in clouds on loopback, for trials and tests."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import click

from otactl.cli.errors import Verb, guarded
from otactl.errors import UsageError


@click.command(cls=Verb, short_help="run the stand-in clouds on loopback")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free port.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of ids and of the radio.")
@click.option("--example", is_flag=True, help="Start with a bucket, a role and two groups, for the quick start.")
@click.option(
    "--fleet", metavar="FILE", help="Start with the fleet of this JSON file, as POST /_simulator/fleet has it."
)
@guarded
def command(port: int, seed: int, example: bool, fleet: str | None) -> None:
    """Serve the stand-in clouds on 127.0.0.1 until SIGTERM: all that the backends call, S3, IAM, STS and secrets.

    It starts empty, and forgets everything at its end. Its control API, with the clock, faults and fleets, is below
    /_simulator/.
    """
    try:
        from otactl_simulator import example as examples
        from otactl_simulator.server import serve
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install it: pip install 'otactl[simulator]'") from missing
    document = _fleet(fleet) if fleet is not None else None

    def prepare(url: str) -> None:
        if example:
            examples.prepare(url)
        if document is not None:
            examples.load(url, document)

    try:
        serve(port, seed, prepare)
    except urllib.error.HTTPError as error:
        raise UsageError(f"{fleet}: {json.load(error)['error']}; fix the file") from error
    except OSError as error:
        raise UsageError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose another --port") from error


def _fleet(file: str) -> dict[str, object]:
    try:
        document = json.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file} is not JSON: {error}; write one JSON object") from error
    if not isinstance(document, dict):
        raise UsageError(f"{file} holds no JSON object; write one, as POST /_simulator/fleet takes it")
    return document
