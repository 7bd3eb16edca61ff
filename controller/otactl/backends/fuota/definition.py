"""Defines what is known of AWS IoT Wireless FUOTA without calling it: imports no SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING

from otactl.backends.aws.definition import AwsDefinition
from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.template import TEMPLATE
from otactl.model import BackendConfig, Environment, Rollout
from otactl.model.violation import Violation

if TYPE_CHECKING:
    from otactl.backends.aws.client import AwsClient
    from otactl.lorawan.request import AirtimeRequest
    from otactl.ports import Backend, UnitFinder

from otactl.model import JsonObject, Observation
from otactl.model.actions import Action, Call, UnitDeclaration
from otactl.ports import Capabilities, PureHalf

CAPABILITIES = Capabilities(
    name="fuota",
    service="AWS IoT Wireless",
    audit_source="iotwireless.amazonaws.com",
    names_own_task=True,
    create_is_idempotent=True,
    updates_in_place=True,
    starts_explicitly=True,
    members_after_create=True,
    cancels_in_progress=False,
    paces_itself=False,
    schedules=True,
    sends_redundancy=True,
    minimum_lead_seconds=1800,
    annotation_fields=("description", "image", "role"),
    end_command="aws iotwireless delete-fuota-task --id {id}",
)


class FuotaShape:
    """The pure half of the backend: what planning and lowering need, without a client."""

    capabilities = CAPABILITIES

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """Return the fields and tags a task must show."""
        from otactl.backends.fuota import calls

        return calls.desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """Return the exact calls that carry an action out."""
        from otactl.backends.fuota import calls

        return calls.lower(action, seen)


class FuotaDefinition(AwsDefinition):
    """The definition of `fuota` blocks.

    Image limit: 1 megabyte (AWS IoT Wireless developer guide, create a FUOTA task), taken as the cautious 1,000,000
    bytes. Failure reasons: the device statuses of the service (`statuses.py`), and silence.
    """

    kind = FuotaConfig.kind
    config: type[BackendConfig] = FuotaConfig
    capabilities = CAPABILITIES
    target_kinds: tuple[str, ...] = ("multicastGroups", "wirelessDevices")
    device_kind = "wirelessDevices"
    device_schema = "wirelessDeviceId"
    failure_reasons: tuple[str, ...] = (
        "missingFragments",
        "integrity",
        "sessionReplay",
        "indexUnsupported",
        "packageUnsupported",
        "noMemory",
        "descriptor",
        "conflict",
        "timeout",
        "offline",
        "unknown",
    )
    version_proofs: tuple[str, ...] = ("shadow", "attribute", "indexQuery")
    depends: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {
            "fuota.fragmentSizeBytes": ("firmware.sizeBytes", "fuota.rfRegion", "fuota.dataRate"),
            "fuota.fragmentIntervalMs": (
                "firmware.sizeBytes",
                "fuota.rfRegion",
                "fuota.dataRate",
                "fuota.fragmentSizeBytes",
            ),
            "fuota.dataRate": ("fuota.rfRegion",),
            "retry": ("fuota.redundancyPercent",),
        }
    )
    image_limit: int | None = 1_000_000
    target_limit: int | None = None
    template = TEMPLATE

    def check(self, rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
        """Check the block (`rules.py`)."""
        from otactl.backends.fuota import rules

        return rules.check(rollout, environment)

    def rollback_block(
        self, block: JsonObject, older_waves: Sequence[str], new: Rollout, waves: Sequence[str]
    ) -> JsonObject:
        """Leave out what is meaningful for groups only."""
        del older_waves, new, waves
        return {k: v for k, v in block.items() if k not in ("fragmentSizeBytes", "fragmentIntervalMs", "dataRate")}

    def shape(self, environment: Environment) -> PureHalf:
        """Return the pure half of the backend."""
        del environment
        return FuotaShape()

    def airtime(self, rollout: Rollout) -> AirtimeRequest | None:
        """Return the declared session, or what is assumed for single devices (`airtime.py`)."""
        from otactl.backends.fuota.airtime import request_of

        return request_of(rollout)

    def unit_finder(self, environment: Environment, client: AwsClient) -> AbstractContextManager[UnitFinder] | None:
        """Open the service to find its tasks."""
        from otactl.backends.fuota.existing_tasks import TaskFinder

        del environment
        return nullcontext(TaskFinder(client))

    def connect(self, environment: Environment, client: AwsClient) -> Backend | None:
        """Create the backend."""
        from otactl.backends.fuota.backend import FuotaBackend

        return FuotaBackend(environment, client)
