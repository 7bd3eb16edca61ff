"""Composes a stack from its settings, and exports the names that manifests use."""

from __future__ import annotations

import pulumi

from infra import optional_parts, permissions
from infra.firmware_store import FirmwareStore, FirmwareStoreArgs, JournalStore, JournalStoreArgs
from infra.iam_documents import Names, people_trust, plan_subjects, size
from infra.roles import (
    ControllerRole,
    FirmwareUpdateRole,
    OperatorArgs,
    OtaServiceRole,
    PlannerRole,
    github_provider,
)
from infra.settings import Settings, SettingsError

# IAM quotas: the inline policies of a role together, and the length of a trust policy.
INLINE_LIMIT, TRUST_LIMIT, PROVIDER_LENGTH = 10_240, 2_048, 90


def stack(settings: Settings) -> dict[str, pulumi.Output[str]]:
    """Create everything a stack declares; return its outputs by name."""
    names = Names(settings)
    _fits(names)
    outputs: dict[str, pulumi.Output[str]] = {}
    keys: list[tuple[str, pulumi.Output[str]]] = []
    for channel in settings.channels:
        store = FirmwareStore(f"{channel.name}-store", FirmwareStoreArgs(names=names, channel=channel))
        if store.key_arn is not None:
            keys.append((f"decrypt-{channel.name}", store.key_arn))
        found = {"imageBucket": store.bucket}
        if settings.options.fuota:
            found["firmwareUpdateRoleArn"] = FirmwareUpdateRole(names, channel, store.key_arn).arn
        outputs |= {f"{channel.name}.{key}": value for key, value in found.items()}
        if channel is settings.channels[0]:
            outputs |= found
    provider, made = github_provider(names)
    operator = OperatorArgs(names=names, provider=provider, keys=keys)
    after = pulumi.ResourceOptions(depends_on=made)
    controller = ControllerRole(operator, after)
    outputs |= {"controllerRoleArn": controller.arn, "plannerRoleArn": PlannerRole(operator, after).arn}
    options = settings.options
    if options.iot_ota:
        outputs["otaServiceRoleArn"] = OtaServiceRole(names, keys).arn
    if options.journal_bucket:
        args = JournalStoreArgs(names=names, bucket=options.journal_bucket, protect=options.protect)
        journal = JournalStore("journal", args)
        outputs["journal"] = journal.bucket.apply(lambda bucket: f"s3://{bucket}/journal")
    if options.wireless_logs:
        optional_parts.fuota_logs(names)
    if options.watch_topic:
        optional_parts.watch_edits(names)
    if options.schedule is not None:
        optional_parts.scheduled(names, options.schedule, controller.arn)
    return outputs


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
