"""`otactl report`: writes the fleet as one HTML page, or serves it on loopback, from the journal alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Hashable
from pathlib import Path

import click

from otactl.cli.errors import Verb, guarded
from otactl.cli.fleet_facts import PageRequest, gather
from otactl.cli.journal_option import journal_option
from otactl.cli.load_manifests import environment_option
from otactl.cli.replaced_files import must_be_replaceable
from otactl.cli.select_records import places_near
from otactl.errors import UsageError
from otactl.journal import is_file, path_of
from otactl.report.page.render import Page, page
from otactl.report.sanitize import plain
from otactl.wording import count

EXTRA = "pip install 'otactl[report]'"
REMOTE_SECONDS = 15
"""A journal on S3 is read again after this time at the earliest."""
_READABLE = 0o644


@click.command(cls=Verb, short_help="show the fleet as one HTML page, from the journal")
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    callback=must_be_replaceable,
    help="Write the page into this file.",
)
@click.option("--serve", is_flag=True, help="Serve the page on 127.0.0.1 until Ctrl-C or SIGTERM.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="Port of --serve; 0 takes a free one.  [default: 0]"
)
@click.option("--title", default="Firmware fleet", show_default=True, metavar="TEXT", help="Title of the page.")
@click.option(
    "--manifests",
    metavar="PATH",
    multiple=True,
    help="Manifests that add labels, windows, freezes and devices not sent yet. Repeatable.  [default: what the journal"
    " keeps of them]",
)
@click.option(
    "--picture",
    "pictures",
    metavar="FILE",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Show this SVG file, as `airtime --plot` and `rehearse --plot` write it. Repeatable.",
)
@click.option("--airtime", is_flag=True, help="Draw each radio session whose manifest is known; needs the extra radio.")
@journal_option
@environment_option
@guarded
def command(
    html: str | None,
    serve: bool,
    port: int | None,
    title: str,
    manifests: tuple[str, ...],
    pictures: tuple[str, ...],
    airtime: bool,
    journal: str | None,
    environment: str | None,
) -> None:
    """Show the whole fleet as one HTML page: rollouts, waves, timelines, devices, drift.

    The page is one file with all that it needs: it asks no server for anything, and is read on a phone, on paper and
    by a screen reader too. The journal is only read, and no service is called.
    """
    if html is None and not serve:
        raise UsageError("name the file to write with --html FILE, or add --serve")
    if port is not None and not serve:
        raise UsageError("--port is for --serve; add --serve, or omit --port")
    request = PageRequest(
        title=title, journal=journal, environment=environment, manifests=manifests, pictures=pictures, airtime=airtime
    )
    if html is not None:
        _write(Path(html), request)
    if serve:
        _serve(request, port or 0)


def _write(file: Path, request: PageRequest) -> None:
    page = _build(request)
    try:
        _replace(file, page.html.encode())
    except OSError as error:
        raise UsageError(f"the page cannot be written to {file}: {error.strerror}") from error
    shown = f"{count(page.rollouts, 'rollout')}, {count(page.devices, 'device')}"
    click.echo(plain(f"{file} is written: {shown}, {len(page.html) / 1000:,.0f} kB"))


def _replace(file: Path, body: bytes) -> None:
    """Write a file whole: a web server that reads it meanwhile gets the one before."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(body)
        Path(name).chmod(file.stat().st_mode & 0o777 if file.exists() else _READABLE)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _build(request: PageRequest) -> Page:
    try:
        return page(gather(request))
    except ModuleNotFoundError as missing:
        raise UsageError(f"{missing.name} is missing; install it: {EXTRA}") from missing


def _serve(request: PageRequest, port: int) -> None:
    from otactl.cli.page_server import CachedPage, serving, until_stopped

    def build() -> tuple[str, str]:
        built = _build(request)
        return built.html, built.policy

    cached = CachedPage(build, lambda: stamp_of(request))
    cached.get()  # what is wrong with the request is said before anything listens
    with until_stopped() as stopped, serving(cached, port) as address:
        click.echo(f"{address} shows the fleet; it is read again when the journal changes; stop it with Ctrl-C")
        stopped.wait()


def stamp_of(request: PageRequest) -> Hashable:
    """Name the state of the journals: that of their files, or the time where they are elsewhere."""
    places = places_near(request.journal, request.environment, request.manifests).values()
    elapsed = int(time.monotonic() / REMOTE_SECONDS)
    return tuple(_state(path_of(place.url)) if is_file(place.url) else elapsed for place in places)


def _state(file: Path) -> Hashable:
    found = []
    for each in (file, file.with_name(f"{file.name}-wal")):
        with contextlib.suppress(FileNotFoundError):
            state = each.stat()
            found.append((each.name, state.st_ino, state.st_size, state.st_mtime_ns))
    return tuple(found)
