"""What AWS IoT OTA updates can do, and the pure half of their sibling: imports no SDK."""

from __future__ import annotations

from otactl.backends.iot_ota import calls, fields
from otactl.backends.iot_ota.statuses import JOB_FIELDS
from otactl.model import Environment, JsonObject, Observation
from otactl.model.actions import Action, Call, UnitDeclaration
from otactl.ports import Capabilities

CAPABILITIES = Capabilities(
    name="otaUpdate",
    service="AWS IoT Core",
    names_own_task=True,
    create_is_idempotent=True,
    updates_in_place=False,
    starts_explicitly=False,
    members_after_create=False,
    cancels_in_progress=False,
    cancels_waiting=True,
    paces_itself=True,
    schedules=False,
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
    end_command="aws iot cancel-job --job-id AFR_OTA-{id} (devices that began go on; delete it when they have ended)",
    force_command="aws iot cancel-job --job-id AFR_OTA-{id} --force",
    delete_command="aws iot delete-ota-update --ota-update-id {id} --delete-stream --force-delete-aws-job",
)


class OtaShape:
    """The pure half of the sibling: what planning and lowering need, without a client."""

    capabilities = CAPABILITIES

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """The fields and tags an OTA update and its job must show."""
        return fields.desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """The exact calls that carry an action out."""
        return calls.lower(action, seen, self._environment)
