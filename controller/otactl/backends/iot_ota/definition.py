"""Defines what is known of AWS IoT OTA updates without calling them: imports no SDK."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import TYPE_CHECKING

from otactl.backends.aws.definition import AwsDefinition
from otactl.backends.iot_ota.config import MOST_TARGETS, OtaUpdateConfig
from otactl.backends.iot_ota.template import TEMPLATE
from otactl.model import BackendConfig, Environment, Rollout
from otactl.model.violation import Violation

if TYPE_CHECKING:
    from otactl.backends.aws.client import AwsClient
    from otactl.lorawan.request import AirtimeRequest
    from otactl.ports import Backend, UnitFinder

from otactl.backends.iot_ota.statuses import JOB_FIELDS
from otactl.model import JsonObject, Observation
from otactl.model.actions import Action, Call, UnitDeclaration
from otactl.ports import Capabilities, PureHalf

CAPABILITIES = Capabilities(
    name="otaUpdate",
    service="AWS IoT Core",
    audit_source="iot.amazonaws.com",
    names_own_task=True,
    create_is_idempotent=True,
    updates_in_place=False,
    starts_explicitly=False,
    members_after_create=False,
    cancels_in_progress=False,
    cancels_waiting=True,
    paces_itself=True,
    schedules=False,
    mixes_target_kinds=True,
    deletes_at_once=False,
    minimum_lead_seconds=0,
    running_fields=tuple(JOB_FIELDS),
    annotation_fields=(
        "description",
        "additionalParameters",
        "files.*.attributes",
        "files.*.fileLocation",
        *JOB_FIELDS,
    ),
    end_command="aws iot cancel-job --job-id AFR_OTA-{id} (started devices continue; delete it when they have ended)",
    force_command="aws iot cancel-job --job-id AFR_OTA-{id} --force",
    delete_command="aws iot delete-ota-update --ota-update-id {id} --delete-stream --force-delete-aws-job",
)


class OtaShape:
    """The pure half of the backend: what planning and lowering need, without a client."""

    capabilities = CAPABILITIES

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """Return the fields and tags an OTA update and its job must show."""
        from otactl.backends.iot_ota import fields

        return fields.desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """Return the exact calls that carry an action out."""
        from otactl.backends.iot_ota import calls

        return calls.lower(action, seen, self._environment)


class OtaUpdateDefinition(AwsDefinition):
    """The definition of `otaUpdate` blocks.

    Image limit: 16 MB (AWS IoT service quota), taken as the cautious 16,000,000 bytes. Target limit: that of a job
    (Device Management quotas).
    """

    kind = OtaUpdateConfig.kind
    config: type[BackendConfig] = OtaUpdateConfig
    capabilities = CAPABILITIES
    target_kinds: tuple[str, ...] = ("things", "thingGroups")
    device_kind = "things"
    device_schema = "thingName"
    failure_reasons: tuple[str, ...] = (
        "rejected",
        "download",
        "verify",
        "flash",
        "noMemory",
        "timeout",
        "offline",
        "unknown",
    )
    version_proofs: tuple[str, ...] = ("shadow", "attribute", "indexQuery")
    depends: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    image_limit: int | None = 16_000_000
    target_limit: int | None = MOST_TARGETS
    template = TEMPLATE

    def check(self, rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
        """Check the block (`rules.py`)."""
        from otactl.backends.iot_ota import rules

        return rules.check(rollout, environment)

    def rollback_block(
        self, block: JsonObject, older_waves: Sequence[str], new: Rollout, waves: Sequence[str]
    ) -> JsonObject:
        """Leave out the selection: devices that are taken back are served once."""
        del older_waves, new, waves
        return {k: v for k, v in block.items() if k != "targetSelection"}

    def shape(self, environment: Environment) -> PureHalf:
        """Return the pure half of the backend."""
        return OtaShape(environment)

    def airtime(self, rollout: Rollout) -> AirtimeRequest | None:
        """Return None: no radio."""
        del rollout
        return None

    def unit_finder(self, environment: Environment, client: AwsClient) -> AbstractContextManager[UnitFinder] | None:
        """Open the service to find its OTA updates."""
        from otactl.backends.iot_ota.existing_updates import UpdateFinder

        del environment
        return nullcontext(UpdateFinder(client))

    def connect(self, environment: Environment, client: AwsClient) -> Backend | None:
        """Create the backend."""
        from otactl.backends.iot_ota.backend import OtaBackend

        return OtaBackend(environment, client)
