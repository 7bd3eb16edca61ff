"""Six probes of two groups, each with a thing that reports its version, and a rollout that proves it by them."""

from __future__ import annotations

import json
from typing import Any

from otactl.model import Gate, Rollout, Strategy, VersionConfirm, VersionProof
from tests.support.clients import KeptClients
from tests.support.fuota_stage import DIGEST, INDEXED, REGION, FuotaStage, declared

SHADOW = VersionProof(shadow="reported.firmware.version")
READS = ("GetThingShadow", "DescribeThing", "SearchIndex", "GetWirelessDevice")
OK = ("succeeded", "", "")


class Probes:
    """Six probes of two groups, each with a thing that runs 2.4.0; the rollout proves versions."""

    def __init__(self, fuota_stage: FuotaStage) -> None:
        self.stage = fuota_stage
        self.things = [f"probe-{n}" for n in range(6)]
        self.associate(*range(6))
        things = [{"name": t, "firmwareVersion": "2.4.0"} for t in self.things]
        fuota_stage.fleet(things=things, images={DIGEST: "2.4.1"}, indexing=INDEXED)
        session = KeptClients(REGION)
        self.iot, self.shadow = (session.client(n, endpoint_url=fuota_stage.server.url) for n in ("iot", "iot-data"))

    def associate(self, *numbers: int, behaviour: str = "") -> None:
        """Give devices their things; a behaviour is that of their radio."""
        euis = self.stage.euis
        self.stage.fleet(
            devices=[
                {"devEui": euis[n], "rfRegion": "EU868", "thing": self.things[n], "behaviour": behaviour}
                for n in numbers
            ]
        )

    def behave(self, **behaviours: str) -> None:
        """Set what the devices behind things do with an image; `probe_0="rollsBack"`."""
        self.stage.fleet(things=[{"name": n.replace("_", "-"), "behaviour": b} for n, b in behaviours.items()])

    def report(self, number: int, version: str) -> None:
        """A probe reports a version, by hand."""
        state = {"state": {"reported": {"firmware": {"version": version}}}}
        self.shadow.update_thing_shadow(thingName=self.things[number], payload=json.dumps(state).encode())

    def canary(self, proof: VersionProof = SHADOW, within: str = "6h", **changes: Any) -> Rollout:
        """The first group alone: probes 0, 2 and 4."""
        wave = declared().strategy.waves[0]
        confirm = VersionConfirm(version=proof, within=within)
        strategy = Strategy(waves=(wave,), gate=Gate(min_success_percent=90), confirm=confirm)
        return declared(strategy=strategy, **changes)

    def to_the_end_of_the_session(self, rollout: Rollout) -> None:
        """Run cron until the canary's task is done, and no further."""
        for _ in range(9):
            self.stage.run(rollout)
            self.stage.advance(600)
            if self.statuses() == ["FuotaDone"]:
                return
        raise AssertionError(f"no session came to its end: {self.statuses()}")

    def statuses(self) -> list[str]:
        """The status of each task there is."""
        listed = self.stage.wireless.list_fuota_tasks()["FuotaTaskList"]
        return [self.stage.wireless.get_fuota_task(Id=t["Id"])["Status"] for t in listed]

    def results(self) -> dict[str, tuple[str, str, str]]:
        """Outcome, reason and detail of each device of the first wave, by its probe's number."""
        numbers = {eui: f"probe-{n}" for n, eui in enumerate(self.stage.euis)}
        found = self.stage.record().attempts[0].results
        return {numbers[r.name or ""]: (r.outcome.value, r.reason.value if r.reason else "", r.detail) for r in found}

    def drift(self) -> dict[str, Any]:
        """What open entries observe, by field."""
        return {e.field: e.observed for e in self.stage.record().drift if e.open}

    def reads(self) -> dict[str, int]:
        """How often each read of a version, or of who reports it, was asked for."""
        asked = [r["operation"] for r in self.stage.server.world.requests]
        return {name: asked.count(name) for name in READS if name in asked}

    def device(self, number: int) -> str:
        """The service's id of a probe's device."""
        asked = {"IdentifierType": "DevEui", "Identifier": self.stage.euis[number]}
        return str(self.stage.wireless.get_wireless_device(**asked)["Id"])
