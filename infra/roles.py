"""Creates the roles of the services and of otactl."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from . import ota_permissions, permissions
from .firmware_store import use_key
from .iam_documents import (
    GITHUB_ISSUER,
    IOT,
    IOT_WIRELESS,
    Document,
    Names,
    apply_subject,
    firmware_read,
    people_trust,
    plan_subjects,
    service_trust,
)
from .settings import Channel


@dataclass(frozen=True, kw_only=True)
class RoleArgs:
    """A role in full: its name, who may assume it, what it may do, and the keys it decrypts with."""

    name: str
    description: str
    trust: Document
    policies: Mapping[str, Document]
    keys: Sequence[tuple[str, pulumi.Output[str]]] = field(default=())
    key_actions: Sequence[str] = ("kms:Decrypt",)
    through: str = ""


class _Role(pulumi.ComponentResource):
    """An IAM role with its inline policies."""

    arn: pulumi.Output[str]

    def __init__(self, kind: str, name: str, args: RoleArgs, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(f"otactl:infra:{kind}", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            f"{name}-role",
            name=args.name,
            description=args.description,
            assume_role_policy=json.dumps(args.trust),
            max_session_duration=3600,
            opts=child,
        )
        for title, policy in args.policies.items():
            aws.iam.RolePolicy(f"{name}-{title}", name=title, role=role.id, policy=json.dumps(policy), opts=child)
        for title, key in args.keys:
            uses = use_key(key, args.through, args.key_actions)
            aws.iam.RolePolicy(f"{name}-{title}", name=title, role=role.id, policy=uses, opts=child)
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})


class FirmwareUpdateRole(_Role):
    """The role AWS IoT Wireless assumes at a session's start to read a channel's image."""

    def __init__(
        self, names: Names, channel: Channel, key: pulumi.Output[str] | None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        settings = names.settings
        args = RoleArgs(
            name=names.update_role(channel),
            description=f"AWS IoT Wireless reads images of channel {channel.name}",
            trust=service_trust(settings, IOT_WIRELESS, conditions=settings.options.source_conditions),
            policies={"read-images": firmware_read(names, channel)},
            keys=[("decrypt-images", key)] if key is not None else [],
            through=names.via("s3"),
        )
        super().__init__("FirmwareUpdateRole", names.logical(f"{channel.name}-firmware-update"), args, opts)


class OtaServiceRole(_Role):
    """The service role of AWS IoT OTA updates."""

    def __init__(
        self,
        names: Names,
        keys: Sequence[tuple[str, pulumi.Output[str]]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        args = RoleArgs(
            name=names.ota_role,
            description="AWS IoT carries out OTA updates",
            trust=service_trust(names.settings, IOT, conditions=True),
            policies={"ota-updates": ota_permissions.service(names)},
            keys=keys,
            key_actions=("kms:Decrypt", "kms:GenerateDataKey"),  # it reads images and writes signed ones
            through=names.via("s3"),
        )
        super().__init__("OtaServiceRole", names.logical("ota-service"), args, opts)


@dataclass(frozen=True, kw_only=True)
class OperatorArgs:
    """Who may act as otactl: the OIDC provider if there is one, and the channels' keys."""

    names: Names
    provider: str
    keys: Sequence[tuple[str, pulumi.Output[str]]]


class ControllerRole(_Role):
    """`otactl reconcile`."""

    def __init__(self, args: OperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        names, github = args.names, args.names.settings.github
        subjects = [apply_subject(github)] if github is not None else []
        role = RoleArgs(
            name=names.controller_role,
            description="otactl reconcile",
            trust=people_trust(names, args.provider, subjects, container=names.settings.options.container),
            policies={"reconcile": permissions.controller(names)},
            keys=args.keys,
            through=names.via("s3"),
        )
        super().__init__("ControllerRole", names.logical("controller"), role, opts)


class PlannerRole(_Role):
    """`otactl plan` in pull requests."""

    def __init__(self, args: OperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        names, github = args.names, args.names.settings.github
        role = RoleArgs(
            name=names.planner_role,
            description="otactl plan",
            trust=people_trust(
                names, args.provider, plan_subjects(github) if github is not None else (), container=False
            ),
            policies={"plan": permissions.planner(names)},
            keys=args.keys,
            through=names.via("s3"),
        )
        super().__init__("PlannerRole", names.logical("planner"), role, opts)


def github_provider(names: Names, parent: pulumi.Resource | None) -> tuple[str, list[pulumi.Resource]]:
    """Return the ARN of GitHub's OIDC provider, created here unless the settings name one; empty without GitHub."""
    github = names.settings.github
    if github is None:
        return "", []
    if github.provider:
        return github.provider, []
    made = aws.iam.OpenIdConnectProvider(
        names.logical("github"),
        url=f"https://{GITHUB_ISSUER}",
        client_id_lists=[f"sts.{names.settings.domain}"],
        # Other stacks of the account may use it.
        opts=pulumi.ResourceOptions(parent=parent, protect=names.settings.options.protect),
    )
    account = f"arn:{names.settings.partition}:iam::{names.settings.account}"
    return f"{account}:oidc-provider/{GITHUB_ISSUER}", [made]
