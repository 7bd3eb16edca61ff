"""`otactl simulator`: serves the stand-in clouds on loopback, for trials and tests."""

from __future__ import annotations

import click

from otactl.cli.errors import Verb, guarded
from otactl.errors import UsageError


@click.command(cls=Verb, short_help="run the stand-in clouds on loopback")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free port.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of ids and of the radio.")
@guarded
def command(port: int, seed: int) -> None:
    """Serve AWS IoT Wireless, S3, IAM and STS on 127.0.0.1 until SIGTERM; start empty, forget at the end."""
    try:
        from otactl_simulator.server import serve
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install otactl with its extra `simulator`") from missing
    try:
        serve(port, seed)
    except OSError as error:
        raise UsageError(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose another --port") from error
