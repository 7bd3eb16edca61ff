"""What Tuya's OTA batches can do, and the pure half of their sibling: imports no client."""

from __future__ import annotations

from otactl.backends.tuya import calls
from otactl.model import JsonObject, Observation
from otactl.model.actions import Action, Call, UnitDeclaration
from otactl.ports import Capabilities

CAPABILITIES = Capabilities(
    name="tuya",
    service="Tuya OTA",
    names_own_task=False,
    create_is_idempotent=False,
    updates_in_place=False,
    starts_explicitly=False,
    members_after_create=False,
    cancels_in_progress=False,
    cancels_waiting=True,
    keeps_ended=True,
    tells_of_spared=True,
    read_only_credentials=False,
    paces_itself=False,
    schedules=False,
    minimum_lead_seconds=0,
    running_fields=(calls.TO_CONFIRM,),
    starting_fields=(calls.TO_CONFIRM,),
    annotation_fields=(calls.TO_CONFIRM,),
    end_command="cancel batch {id} in Tuya's console (tasks in progress go on)",
    delete_command="cancel batch {id} in Tuya's console",
)


class TuyaShape:
    """The pure half of the sibling: what planning and lowering need, without a client."""

    capabilities = CAPABILITIES

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """The fields a batch must show; it has no marks."""
        return calls.desired(unit), {}

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """The exact calls that carry an action out."""
        return calls.lower(action, seen)
