"""What AWS IoT Wireless FUOTA can do, and the pure half of its sibling: imports no SDK."""

from __future__ import annotations

from otactl.backends.fuota import calls
from otactl.model import JsonObject, Observation
from otactl.model.actions import Action, Call, UnitDeclaration
from otactl.ports import Capabilities

CAPABILITIES = Capabilities(
    name="fuota",
    service="AWS IoT Wireless",
    names_own_task=True,
    create_is_idempotent=True,
    updates_in_place=True,
    starts_explicitly=True,
    members_after_create=True,
    cancels_in_progress=False,
    paces_itself=False,
    schedules=True,
    minimum_lead_seconds=1800,
    annotation_fields=("description", "image", "role"),
    end_command="aws iotwireless delete-fuota-task --id {id}",
)


class FuotaShape:
    """The pure half of the sibling: what planning and lowering need, without a client."""

    capabilities = CAPABILITIES

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """The fields and tags a task must show."""
        return calls.desired(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """The exact calls that carry an action out."""
        return calls.lower(action, seen)
