"""`otactl adopt`: writes manifests from units that run or have run without otactl, and records them.

It only reads the services. Manifests and records are written together, so that no run takes the units for new ones.
"""

from __future__ import annotations

import shlex
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import click

from otactl.backends.registry import BACKENDS, backends_for, transport_for
from otactl.backends.transport.machine_clock import utc_now
from otactl.cli.adopted_manifests import declared_names, folder_of
from otactl.cli.author import actor_option, author_of
from otactl.cli.errors import Verb, guarded
from otactl.cli.journal_option import journal_option, place_for
from otactl.cli.manifest_edit import form_option
from otactl.cli.nearby_environments import environment_named, manifests_option
from otactl.cli.new_files import prepared
from otactl.cli.run_environments import holder
from otactl.cli.units_to_adopt import SortedUnits, sort_out
from otactl.errors import OtactlError, UsageError, reason_of
from otactl.journal import open_journal
from otactl.model import AdoptionRequest, Environment, ExistingUnit
from otactl.policies.unsupported import unsupported_holds
from otactl.reconcile.adopt import Adopter
from otactl.reconcile.observe import check_account
from otactl.report import adoption as report

if TYPE_CHECKING:
    from otactl.backends.aws.client import AwsClient


@click.command(cls=Verb, name="adopt", short_help="write manifests from what runs without otactl")
@click.argument("environment", metavar="ENVIRONMENT")
@click.option("--unit", "ids", multiple=True, metavar="ID", help="Only this unit, by the service's id. Repeatable.")
@click.option(
    "--service", "kinds", multiple=True, type=click.Choice(list(BACKENDS)), help="Only this service. Repeatable."
)
@click.option("--within", multiple=True, metavar="PRODUCT", help="A product whose units a service lists. Repeatable.")
@click.option("--version", "versions", multiple=True, metavar="ID=VERSION", help="The firmware version of a unit.")
@click.option("--image", "images", multiple=True, metavar="ID=S3-ADDRESS", help="Where the image of a unit is kept.")
@click.option("--role", default="", metavar="ARN", help="The role of units whose service does not show it.")
@click.option("--into", metavar="FOLDER", help="Where to write; by default where the environment's rollouts are.")
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would be adopted.")
@actor_option
@journal_option
@manifests_option
@form_option
@guarded
def command(
    environment: str,
    ids: tuple[str, ...],
    kinds: tuple[str, ...],
    within: tuple[str, ...],
    versions: tuple[str, ...],
    images: tuple[str, ...],
    role: str,
    into: str | None,
    dry_run: bool,
    actor: str | None,
    journal: str | None,
    manifests: tuple[str, ...],
    style: str,
) -> None:
    """Write a manifest and a record for each unit of ENVIRONMENT that another actor created and nothing is in doubt of.

    ENVIRONMENT is its name, or its manifest file. Services are only read. Units in doubt are listed with the reason.
    A plan after it shows no call: an adopted unit goes on, or has ended, and the next firmware is a change of its
    manifest. It exits 1 if a unit named with --unit was not adopted, or no service could be read.
    """
    declared = environment_named(environment, manifests)
    folder = into or folder_of(declared)
    request = AdoptionRequest(
        ids=ids, within=within, role=role, versions=_pairs("--version", versions), images=_pairs("--image", images)
    )
    place = place_for(declared, [declared.source.file], journal)
    transport = transport_for(declared)
    check_account(declared, transport.identity())
    with closing(open_journal(place.url, must_exist=True, write=not dry_run)) as opened:
        adopter = Adopter(
            declared,
            backends_for(declared, transport),
            opened,
            transport.now,
            utc_now,
            holder(),
            author_of(actor, None, [declared.source.file]),
            unsupported_holds,
        )
        adopter.declared(declared_names(folder, declared))
        before = adopter.known
        found, not_read = _existing(declared, transport, kinds, request, adopter)
        sorted_out = sort_out(adopter, found, request, declared, folder)
        if not dry_run:
            _write(adopter, sorted_out)
    result = sorted_out.report(declared.name, not_read, dry_run=dry_run)
    used = (place.used(declared.name),)
    following = f"otactl plan {shlex.quote(folder)} shows no call; then commit the manifests"
    click.echo(report.as_json(result, used) if style == "json" else report.as_text(result, used, following))
    missed = set(ids) - {each.unit for each in result.adopted} - before
    sys.exit(1 if missed or not found else 0)


def _write(adopter: Adopter, sorted_out: SortedUnits) -> None:
    """Write manifests and records: the files are on the disk, then the journal is written, then the files get names."""
    with prepared(sorted_out.files) as files:
        try:
            adopter.commit(sorted_out.fresh)
            files.publish()
        finally:
            adopter.release()


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    wrong = [f"{key}{sign}{value}" for key, sign, value in pairs if not (key and value)]
    if wrong:
        raise UsageError(f"{option} {wrong[0]} names no unit with a value; write {option} ID=VALUE")
    return {key: value for key, _, value in pairs}


def _existing(
    environment: Environment, client: AwsClient, kinds: tuple[str, ...], request: AdoptionRequest, adopter: Adopter
) -> tuple[dict[str, tuple[ExistingUnit, ...]], tuple[report.ServiceNotRead, ...]]:
    """Return what each service holds, of `kinds` or all, as far as it may be read."""
    found: dict[str, tuple[ExistingUnit, ...]] = {}
    not_read: list[report.ServiceNotRead] = []
    for kind in kinds or BACKENDS:
        try:
            finder = BACKENDS[kind].unit_finder(environment, client)
            if finder is None:
                text = f"environment {environment.name} declares no access to it"
                not_read += [report.ServiceNotRead(service=kind, reason="", message=text)] if kinds else []
                continue
            with finder as service:
                shown = service.existing(request, adopter.known)
        except OtactlError as error:
            not_read.append(report.ServiceNotRead(service=kind, reason=reason_of(error), message=str(error)))
            continue
        found[kind] = shown.units
        if shown.note:
            not_read.append(report.ServiceNotRead(service=kind, reason="", message=shown.note))
    return found, tuple(not_read)
