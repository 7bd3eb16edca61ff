"""What a plan sends and why it holds, by name."""

from __future__ import annotations

from otactl.model.actions import name_of
from otactl.planning.assess import Assessment


def actions(found: Assessment) -> list[str]:
    """Names the actions that are next."""
    return [name_of(a) for a in found.plan.actions]


def holds(found: Assessment) -> list[str]:
    """Names the reasons why nothing else is sent."""
    return [h.reason for h in found.plan.holds]
