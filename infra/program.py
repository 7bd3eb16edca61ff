"""Composes a stack from its settings, and exports the names that manifests use."""

from __future__ import annotations

import pulumi

from . import optional_parts, permissions
from .config_reader import SettingsError
from .firmware_store import FirmwareStore, FirmwareStoreArgs, JournalStore, JournalStoreArgs
from .iam_documents import Names, people_trust, plan_subjects, size
from .roles import (
    ControllerRole,
    FirmwareUpdateRole,
    OperatorArgs,
    OtaServiceRole,
    PlannerRole,
    github_provider,
)
from .settings import Settings
from .worker_database import WorkerDatabase
from .worker_settings import Database
from .workers import Workers, WorkersArgs

# IAM quotas: the inline policies of a role together, and the length of a trust policy.
INLINE_LIMIT, TRUST_LIMIT, PROVIDER_LENGTH = 10_240, 2_048, 90


def stack(
    settings: Settings, *, parent: pulumi.Resource | None = None, prefix: str = ""
) -> dict[str, pulumi.Output[str]]:
    """Create everything a stack declares, inside a component if one is given; return its outputs by name."""
    names, inside = Names(settings, prefix), pulumi.ResourceOptions(parent=parent)
    _fits(names)
    outputs: dict[str, pulumi.Output[str]] = {}
    keys: list[tuple[str, pulumi.Output[str]]] = []
    for channel in settings.channels:
        store = FirmwareStore(
            names.logical(f"{channel.name}-store"), FirmwareStoreArgs(names=names, channel=channel), inside
        )
        if store.key_arn is not None:
            keys.append((f"decrypt-{channel.name}", store.key_arn))
        found = {"imageBucket": store.bucket}
        if settings.options.fuota:
            found["firmwareUpdateRoleArn"] = FirmwareUpdateRole(names, channel, store.key_arn, inside).arn
        outputs |= {f"{channel.name}.{key}": value for key, value in found.items()}
        if channel is settings.channels[0]:
            outputs |= found
    provider, made = github_provider(names, parent)
    operator = OperatorArgs(names=names, provider=provider, keys=keys)
    after = pulumi.ResourceOptions(parent=parent, depends_on=made)
    controller = ControllerRole(operator, after)
    outputs |= {"controllerRoleArn": controller.arn, "plannerRoleArn": PlannerRole(operator, after).arn}
    options = settings.options
    if options.iot_ota:
        outputs["otaServiceRoleArn"] = OtaServiceRole(names, keys, inside).arn
    if options.journal_bucket:
        args = JournalStoreArgs(names=names, bucket=options.journal_bucket, protect=options.protect)
        journal = JournalStore(names.logical("journal"), args, inside)
        outputs["journal"] = journal.bucket.apply(lambda bucket: f"s3://{bucket}/journal")
    if options.wireless_logs:
        optional_parts.fuota_logs(names, parent)
    if options.watch_topic:
        optional_parts.watch_edits(names, parent)
    if options.schedule is not None:
        optional_parts.scheduled(names, options.schedule, controller.arn, parent)
    if options.database is not None:
        outputs |= _on_postgres(names, options.database, controller.arn, inside)
    return outputs


def _on_postgres(
    names: Names, declared: Database, controller: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    """Create the database and, if declared, the workers that connect to it; return their outputs."""
    found, declared_workers = WorkerDatabase(names, declared, opts), names.settings.options.workers
    if declared_workers is not None:
        args = WorkersArgs(names=names, declared=declared_workers, vpc=declared.vpc, controller=controller)
        Workers(args, found, opts)
    return {"databaseHost": found.host, "databaseAdminSecretArn": found.admin_secret}


def _fits(names: Names) -> None:
    """Refuse what IAM would: inline policies of more than 10,240 characters, a trust policy of more than 2,048."""
    file, github = f"Pulumi.{names.settings.stack}.yaml", names.settings.github
    if size(permissions.controller(names)) > INLINE_LIMIT:
        raise SettingsError(
            f"{file}: otactl:channels are too many for one role's policy; give some a stack of their own"
        )
    provider = github.provider or PROVIDER_LENGTH * "x" if github is not None else ""
    subjects = plan_subjects(github) if github is not None else ()
    if size(people_trust(names, provider, subjects, container=True)) > TRUST_LIMIT:
        raise SettingsError(
            f"{file}: otactl:access.principals are too many for one trust policy; let them assume a role"
        )
