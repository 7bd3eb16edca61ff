"""Finds the fleet model of a backend; a backend that can be rehearsed has one line here."""

from __future__ import annotations

from otactl.rehearsal.fleets.base import FleetModel
from otactl.rehearsal.fleets.fuota import FuotaFleet
from otactl.rehearsal.fleets.iot_ota import OtaFleet
from otactl.rehearsal.fleets.tuya import TuyaFleet

FLEETS: dict[str, FleetModel] = {"fuota": FuotaFleet(), "otaUpdate": OtaFleet(), "tuya": TuyaFleet()}
