"""Composes a stack from its settings, and puts out the names that otactl's manifests use."""

from __future__ import annotations

import pulumi

from infra import extras
from infra.documents import Names
from infra.firmware_store import FirmwareStore, FirmwareStoreArgs, JournalStore, JournalStoreArgs
from infra.roles import (
    ControllerRole,
    FirmwareUpdateRole,
    OperatorArgs,
    OtaServiceRole,
    PlannerRole,
    github_provider,
)
from infra.settings import Settings


def stack(settings: Settings) -> dict[str, pulumi.Output[str]]:
    """Make everything a stack declares; gives its outputs by name."""
    names = Names(settings)
    outputs: dict[str, pulumi.Output[str]] = {}
    keys: list[tuple[str, pulumi.Output[str]]] = []
    for channel in settings.channels:
        store = FirmwareStore(f"{channel.name}-store", FirmwareStoreArgs(names=names, channel=channel))
        role = FirmwareUpdateRole(names, channel, store.key_arn)
        if store.key_arn is not None:
            keys.append((f"decrypt-{channel.name}", store.key_arn))
        found = {"imageBucket": store.bucket, "firmwareUpdateRoleArn": role.arn}
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
        outputs["otaServiceRoleArn"] = OtaServiceRole(names).arn
    if options.journal_bucket:
        args = JournalStoreArgs(bucket=options.journal_bucket, protect=options.protect)
        journal = JournalStore("journal", args)
        outputs["journal"] = journal.bucket.apply(lambda bucket: f"s3://{bucket}/journal")
    if options.log_level:
        extras.fuota_logs(names)
    if options.watch_topic:
        extras.watch_edits(names)
    if options.schedule is not None:
        extras.scheduled(names, options.schedule, controller.arn)
    return outputs
