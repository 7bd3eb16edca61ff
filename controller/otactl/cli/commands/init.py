"""`otactl init`: writes a repository for rollouts, to be completed by the user; what is there already stays."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from pathlib import Path

import click

from otactl.backends.registry import BACKENDS
from otactl.cli.errors import Verb, guarded
from otactl.cli.init_templates import Choices, environment, rollout
from otactl.cli.journal_option import default_place, make, overridden
from otactl.cli.manifest_edit import create
from otactl.cli.repository_files import RUNNERS, repository_files
from otactl.errors import OtactlError, UsageError
from otactl.manifest import read_paths
from otactl.manifest.repository import real, root_of
from otactl.ports import ManifestTemplate
from otactl.report.sanitize import plain

_REPLACE = "placeholder_not_replaced"
_EXECUTABLE = ("ci/otactl.sh",)


@click.command(cls=Verb, name="init", short_help="write a repository for rollouts")
@click.argument("folder", default="rollouts", metavar="[FOLDER]")
@click.option(
    "--backend",
    "backends",
    type=click.Choice(list(BACKENDS)),
    required=True,
    multiple=True,
    help="The service of a first rollout. Repeatable: "
    f"{', '.join(f'{kind} for {d.capabilities.service}' for kind, d in BACKENDS.items())}.",
)
@click.option("--environment", "home", default="prod", show_default=True, help="Name of the environment.")
@click.option("--owner", default="", help="Owner of the environment: starts the names of all that otactl creates.")
@click.option("--account", default="", help="The 12 digits of the AWS account.")
@click.option("--region", default="eu-west-1", show_default=True, help="The AWS Region.")
@click.option("--name", default="", help="Name of the rollout, where there is one --backend.")
@click.option(
    "--runner",
    "runners",
    type=click.Choice(RUNNERS),
    multiple=True,
    default=("github",),
    show_default=True,
    help="What runs reconcile: writes a workflow, or a sample into deploy/. Repeatable.",
)
@click.option("--infra", is_flag=True, help="Write the Pulumi program too; manifests refer to its outputs.")
@click.option(
    "--monitoring", is_flag=True, help="Write alert rules for Prometheus and a dashboard for Grafana into monitoring/."
)
@guarded
def command(
    folder: str,
    backends: tuple[str, ...],
    home: str,
    owner: str,
    account: str,
    region: str,
    name: str,
    runners: tuple[str, ...],
    infra: bool,
    monitoring: bool,
) -> None:
    """Write a repository: manifests into FOLDER (rollouts, if left out), and checks, editor settings and runners.

    A file that is there already is left alone and named, so a second run adds a service or what was deleted. `validate`
    names each value that you must replace. The journal is created too, if there is none.
    """
    if name and len(backends) > 1:
        raise UsageError("--name names one rollout; give one --backend with it, and run the command again for the next")
    root = _root(folder)
    chosen = Choices(
        folder=Path(os.path.relpath(real(Path(folder)), root)).as_posix(),
        environment=home,
        owner=owner,
        account=account,
        region=region,
        infra=infra,
    )
    templates = [BACKENDS[kind].template for kind in dict.fromkeys(backends)]
    manifests = _manifests(folder, chosen, templates, name)
    _must_be_sound(manifests)
    files = repository_files(chosen, templates, runners, monitoring=monitoring)
    beside = {os.path.normpath(os.path.relpath(root / path)): text for path, text in files.items()}
    left = _write(manifests, beside, {os.path.relpath(root / path) for path in _EXECUTABLE})
    _say_what_an_environment_lacks(next(iter(manifests)), backends, left)
    _journal(folder, referred=infra)
    click.echo(plain(f"next: replace each value that this command names: otactl validate {shlex.quote(folder)}"))


def _root(folder: str) -> Path:
    """Return the repository's root; without one the working folder, or the parent of a folder outside of it."""
    here, place = real(Path.cwd()), real(Path(folder))
    found = root_of(place if place.is_dir() else place.parent)
    return found or (here if place.is_relative_to(here) and place != here else place.parent)


def _manifests(folder: str, chosen: Choices, templates: list[ManifestTemplate], name: str) -> dict[str, str]:
    """Compose the manifests by file, the environment's first."""
    files = {os.path.normpath(Path(folder) / f"environments/{chosen.environment}.yaml"): environment(chosen, templates)}
    for template in templates:
        called = name or template.name
        files[os.path.normpath(Path(folder) / f"{called}.yaml")] = rollout(chosen, template, called)
    return files


def _must_be_sound(manifests: dict[str, str]) -> None:
    """Refuse names that would not be valid, before anything is written."""
    coming = {real(Path(file)): text.encode() for file, text in manifests.items() if not os.path.lexists(file)}
    reading = read_paths([file for file in manifests if real(Path(file)) in coming], instead=coming)
    wrong = [each for each in reading.errors if each.code != _REPLACE]
    if wrong:
        hint = f" ({wrong[0].hint})" if wrong[0].hint else ""
        raise UsageError(f"{wrong[0].message}{hint}; nothing was written, give another name or value")


def _write(manifests: dict[str, str], beside: dict[str, str], executable: set[str]) -> list[str]:
    """Write what is not there yet; report each manifest, and of the other files how many a folder got."""
    left = [file for file in (*manifests, *beside) if os.path.lexists(file)]
    for file, text in {**manifests, **beside}.items():
        if file not in left:
            create(file, text.encode())
            if file in executable:
                Path(file).chmod(0o755)
    for file in manifests:
        if file not in left:
            click.echo(plain(f"wrote {file}"))
    folders = Counter(_folder(file) for file in beside if file not in left)
    for folder, count in folders.items():
        click.echo(plain(f"wrote {folder}" if count == 1 else f"wrote {folder} ({count} files)"))
    for file in left:
        if file in manifests or beside[file] != Path(file).read_text("utf-8", "replace"):
            click.echo(plain(f"left alone {file}: it is there already"))
    return left


def _folder(file: str) -> str:
    """Name the folder that many files lie in, or the file."""
    parent = os.path.dirname(file)  # noqa: PTH120 - a text for people, not a path to open
    return parent if os.path.basename(parent) in ("v1", "infra", "otactl") else file  # noqa: PTH119 - the same


def _say_what_an_environment_lacks(file: str, backends: tuple[str, ...], left: list[str]) -> None:
    """Report the access block of a service that an existing environment does not have; its file stays as it is."""
    if file not in left:
        return
    text = Path(file).read_text("utf-8", "replace")
    for kind in dict.fromkeys(backends):
        block = BACKENDS[kind].template.environment
        if block and f"\n  {kind}:" not in text:
            click.echo(plain(f"add to spec in {file}:"))
            for line in block.splitlines():
                click.echo(plain(line))


def _journal(folder: str, *, referred: bool) -> None:
    if referred:
        click.echo(
            "the journal is the stack's; when it is deployed, create it once: otactl journal init s3://BUCKET/PREFIX"
        )
        return
    place = overridden(None) or default_place([folder])
    try:
        opened, made = make(place)
        opened.close()
        click.echo(plain(f"{'created' if made else 'kept'} the journal {place.shown}: it records what is sent"))
    except OtactlError as error:
        click.echo(plain(f"otactl: the journal was not created: {error}"), err=True)
        click.echo(
            plain(f"otactl: reconcile needs it; create it: otactl journal init {shlex.quote(place.shown)}"), err=True
        )
