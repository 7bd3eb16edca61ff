"""Creates a stack's buckets and roles inside a program of your own: `FirmwareRollouts`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi

from .guardrails import Guardrails
from .program import stack
from .settings import settings


@dataclass(frozen=True, kw_only=True)
class FirmwareRolloutsArgs:
    """The settings of one environment; Pulumi.yaml describes each, and they are checked as those of a stack's file."""

    environment: str
    account: str
    region: str
    owner: str
    channels: Sequence[Mapping[str, object]]
    access: Mapping[str, object]
    options: Mapping[str, object] = field(default_factory=dict)


class FirmwareRollouts(pulumi.ComponentResource):
    """Everything of an environment; `outputs` holds by name what the environment's manifests use.

    A provider of another Region or account goes into `opts`; `region` and `account` must be those of it. Raises:
    SettingsError for a wrong argument, NeverError for a resource that must never be.
    """

    outputs: Mapping[str, pulumi.Output[str]]

    def __init__(self, name: str, args: FirmwareRolloutsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        guardrails = Guardrails()
        guarded = pulumi.ResourceOptions(transformations=[guardrails.transform])
        super().__init__("otactl:infra:FirmwareRollouts", name, None, pulumi.ResourceOptions.merge(opts, guarded))
        given: dict[str, object] = {"account": args.account, "owner": args.owner, "access": dict(args.access)}
        given |= {"channels": [dict(c) for c in args.channels], "options": dict(args.options)}
        found = settings(given, region=args.region, stack=args.environment, source=f"FirmwareRollouts {name}")
        self.outputs = stack(found, parent=self, prefix=f"{name}-")
        guardrails.finish()
        self.register_outputs(dict(self.outputs))
