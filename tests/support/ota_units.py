"""Units of AWS IoT OTA updates, as a rollout declares them."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.model import Wave
from otactl.model.actions import UnitDeclaration
from otactl.planning.units import declare
from tests.support.fuota_stage import environment
from tests.support.ota_stage import block, gateway


def unit(**changes: object) -> UnitDeclaration:
    """Declares the only unit of the gateway rollout, with a changed block."""
    declared = replace(gateway(), backend=block(**changes))
    wave: Wave = declared.strategy.waves[0]
    return declare(declared, environment(), wave, 1, None)
