"""FUOTA waves proved by the version that the thing of each wireless device reports, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from controller.model import Gate, Phase, Rollout, Stage, Strategy, VersionConfirm, VersionProof
from tests.clients import KeptClients
from tests.ground import DIGEST, REGION, Ground, declared, pushed, single_devices

SHADOW = VersionProof(shadow="reported.firmware.version")
PROOFS = [
    SHADOW,
    VersionProof(attribute="firmwareVersion"),
    VersionProof(index_query="shadow.reported.firmware.version:2.4.1"),
]
READS = ("GetThingShadow", "DescribeThing", "SearchIndex", "GetWirelessDevice")


class Probes:
    """Six probes of two groups, each with a thing that runs 2.4.0; the rollout proves versions."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.things = [f"probe-{n}" for n in range(6)]
        self.associate(*range(6))
        things = [{"name": t, "firmwareVersion": "2.4.0"} for t in self.things]
        ground.fleet(things=things, images={DIGEST: "2.4.1"})
        session = KeptClients(REGION)
        self.iot, self.shadow = (session.client(n, endpoint_url=ground.server.url) for n in ("iot", "iot-data"))

    def associate(self, *numbers: int, behaviour: str = "") -> None:
        """Give devices their things; a behaviour is that of their radio."""
        euis = self.ground.euis
        self.ground.fleet(
            devices=[
                {"devEui": euis[n], "rfRegion": "EU868", "thing": self.things[n], "behaviour": behaviour}
                for n in numbers
            ]
        )

    def behave(self, **behaviours: str) -> None:
        """Set what the devices behind things do with an image; `probe_0="rollsBack"`."""
        self.ground.fleet(things=[{"name": n.replace("_", "-"), "behaviour": b} for n, b in behaviours.items()])

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
            self.ground.run(rollout)
            self.ground.advance(600)
            if self.statuses() == ["FuotaDone"]:
                return
        raise AssertionError(f"no session came to its end: {self.statuses()}")

    def statuses(self) -> list[str]:
        """The status of each task there is."""
        listed = self.ground.wireless.list_fuota_tasks()["FuotaTaskList"]
        return [self.ground.wireless.get_fuota_task(Id=t["Id"])["Status"] for t in listed]

    def results(self) -> dict[str, tuple[str, str, str]]:
        """Outcome, reason and detail of each device of the first wave, by its probe's number."""
        numbers = {eui: f"probe-{n}" for n, eui in enumerate(self.ground.euis)}
        found = self.ground.record().attempts[0].results
        return {numbers[r.name or ""]: (r.outcome.value, r.reason.value if r.reason else "", r.detail) for r in found}

    def drift(self) -> dict[str, Any]:
        """What open entries observe, by field."""
        return {e.field: e.observed for e in self.ground.record().drift if e.open}

    def reads(self) -> dict[str, int]:
        """How often each read of a version, or of who reports it, was asked for."""
        asked = [r["operation"] for r in self.ground.server.world.requests]
        return {name: asked.count(name) for name in READS if name in asked}


@pytest.fixture
def probes(ground: Ground) -> Probes:
    return Probes(ground)


OK = ("succeeded", "", "")


@pytest.mark.parametrize("proof", PROOFS, ids=["shadow", "attribute", "index"])
def test_success_is_the_version_that_the_things_of_the_devices_report(probes: Probes, proof: VersionProof) -> None:
    rollout = probes.canary(proof)

    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.SUCCEEDED
    assert probes.results() == {"probe-0": OK, "probe-2": OK, "probe-4": OK}
    assert probes.ground.record().drift == ()


def test_a_device_that_reports_late_is_waited_for(probes: Probes) -> None:
    probes.behave(probe_2="late")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)

    probes.ground.run(rollout)
    waiting = probes.ground.record().attempts[0]
    probes.ground.advance(25 * 3600)
    probes.ground.run(rollout)

    assert (waiting.stage, waiting.progress) == (Stage.RUNNING, {"succeeded": 2, "waitingForVersion": 1})
    assert probes.ground.record().phase is Phase.SUCCEEDED
    assert probes.results()["probe-2"] == OK
    assert probes.ground.record().attempts[0].proving is None


def test_a_device_that_never_reports_fails_once_its_time_is_over_and_not_before(probes: Probes) -> None:
    probes.behave(probe_2="neverReports", probe_4="stuck")
    probes.shadow.delete_thing_shadow(thingName="probe-4")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)

    probes.ground.advance(6 * 3600 - 60)
    probes.ground.run(rollout)
    just_before = probes.ground.record().phase
    probes.ground.advance(120)
    probes.ground.run(rollout)

    assert just_before is Phase.PROGRESSING
    assert probes.ground.record().phase is Phase.FAILED
    assert probes.results() == {
        "probe-0": OK,
        "probe-2": ("failed", "version", "reports 2.4.0, an older version; declared is 2.4.1"),
        "probe-4": ("failed", "version", "reports no version; declared is 2.4.1"),
    }


def test_the_time_to_report_counts_from_the_first_look_that_finds_the_session_ended(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.advance(24 * 3600)  # no cron for a day

    probes.ground.run(rollout)

    assert probes.ground.record().attempts[0].progress == {"succeeded": 2, "waitingForVersion": 1}


def test_a_device_seen_to_go_back_to_the_version_before_is_told_as_rolled_back(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)
    probes.report(0, "2.4.0")

    probes.report(2, "2.4.1")  # the last one to be waited for: now all are asked once more
    probes.ground.run(rollout)
    told = probes.drift()
    probes.ground.advance(7 * 3600)
    probes.ground.run(rollout)

    assert told == {"devices.version": {"rolledBack": {"devices": 1, "reported": {probes.ground.euis[0]: "2.4.0"}}}}
    assert probes.results()["probe-0"] == ("failed", "version", "went back to 2.4.0; declared is 2.4.1")
    assert probes.results()["probe-2"] == OK


def test_a_device_that_went_back_and_came_up_again_succeeds(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)
    probes.report(0, "2.4.0")
    probes.report(2, "2.4.1")
    probes.ground.run(rollout)

    probes.report(0, "2.4.1")
    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.SUCCEEDED


def test_older_newer_and_strange_versions_are_told_apart(probes: Probes) -> None:
    for number in (0, 2, 4):
        probes.behave(**{f"probe_{number}": "neverReports"})
    rollout = probes.canary(within="1h")
    probes.to_the_end_of_the_session(rollout)
    for number, version in ((0, "2.4.1-rc.2"), (2, "3.0"), (4, "build 7")):
        probes.report(number, version)

    probes.ground.run(rollout)
    told = probes.drift()["devices.version"]
    probes.ground.advance(3600 + 60)
    probes.ground.run(rollout)

    assert {kind: list(seen["reported"].values()) for kind, seen in told.items()} == {
        "older": ["2.4.1-rc.2"], "newer": ["3.0"], "unknown": ["build 7"],
    }  # fmt: skip
    assert {name: detail.partition(";")[0] for name, (_, _, detail) in probes.results().items()} == {
        "probe-0": "reports 2.4.1-rc.2, an older version",
        "probe-2": "reports 3.0, a newer version",
        "probe-4": "reports build 7, which cannot be compared",
    }


def test_a_false_missing_frag_is_a_success_when_the_new_version_is_reported(probes: Probes) -> None:
    probes.associate(0, behaviour="falseMissingFrag")
    rollout = probes.canary()

    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.SUCCEEDED
    said = "reports 2.4.1, although its transfer said missingFragments"
    assert probes.results()["probe-0"] == ("succeeded", "", said)


def test_a_false_missing_frag_whose_report_comes_late_is_waited_for(probes: Probes) -> None:
    probes.associate(0, behaviour="falseMissingFrag")
    probes.behave(probe_0="late")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)

    probes.ground.run(rollout)
    waiting = probes.ground.record().attempts[0].progress
    probes.ground.advance(25 * 3600)
    probes.ground.run(rollout)

    assert waiting == {"succeeded": 2, "waitingForVersion": 1}
    assert probes.ground.record().phase is Phase.SUCCEEDED


def test_a_missing_frag_that_was_true_keeps_its_reason_for_a_retry(probes: Probes) -> None:
    lossy = {"devEui": probes.ground.euis[0], "rfRegion": "EU868", "thing": "probe-0", "loss": 0.9}
    probes.ground.fleet(devices=[lossy])
    rollout = probes.canary(within="1h")
    probes.to_the_end_of_the_session(rollout)

    probes.ground.run(rollout)
    probes.ground.advance(3600 + 60)
    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.FAILED
    assert probes.results()["probe-0"] == ("failed", "missingFragments", "reports 2.4.0, an older version")


def test_a_failure_that_is_never_false_is_not_waited_for(probes: Probes) -> None:
    probes.associate(0, behaviour="notEnoughMemory")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)

    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.FAILED
    assert probes.results()["probe-0"][:2] == ("failed", "noMemory")


def test_a_device_without_a_thing_is_told_by_name_and_fails_once_its_time_is_over(probes: Probes) -> None:
    probes.ground.wireless.disassociate_wireless_device_from_thing(Id=_id(probes, 0))
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)

    probes.ground.run(rollout)
    told = probes.drift()
    before = probes.ground.record().phase
    probes.ground.advance(6 * 3600 + 60)
    probes.ground.run(rollout)

    assert told == {"devices.withoutThing": {"devices": 1, "some": [probes.ground.euis[0]]}}
    assert (before, probes.ground.record().phase) == (Phase.PROGRESSING, Phase.FAILED)
    said = "no thing is associated with it, so it reports no version; declared is 2.4.1"
    assert probes.results()["probe-0"] == ("failed", "version", said)


def test_a_thing_that_is_associated_in_time_has_its_report_counted(probes: Probes) -> None:
    device = _id(probes, 0)
    probes.ground.wireless.disassociate_wireless_device_from_thing(Id=device)
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)
    probes.report(0, "2.4.1")

    arn = probes.iot.describe_thing(thingName="probe-0")["thingArn"]
    probes.ground.wireless.associate_wireless_device_with_thing(Id=device, ThingArn=arn)
    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.SUCCEEDED
    assert all(e.closed_at is not None for e in probes.ground.record().drift)


def test_before_a_device_is_given_up_its_thing_is_looked_for_anew(probes: Probes) -> None:
    probes.behave(probe_0="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)
    probes.iot.create_thing(thingName="probe-0b", attributePayload={"attributes": {"firmwareVersion": "2.4.1"}})
    probes.things[0] = "probe-0b"
    probes.report(0, "2.4.1")
    probes.associate(0)

    probes.ground.advance(6 * 3600 + 60)
    probes.ground.run(rollout)

    assert probes.ground.record().phase is Phase.SUCCEEDED


def test_only_who_has_not_reported_is_asked_again_and_a_thing_is_looked_for_once(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="30h")
    probes.to_the_end_of_the_session(rollout)
    during = probes.reads()
    probes.ground.run(rollout)
    first = probes.reads()

    probes.ground.run(rollout)
    quiet = probes.ground.transport()
    probes.ground.run(rollout, transport=quiet)

    assert during == {}
    assert first["GetWirelessDevice"] == 3
    assert quiet.stats.by_operation["iot-data:GetThingShadow"] == 1
    assert "iotwireless:GetWirelessDevice" not in quiet.stats.by_operation
    assert quiet.stats.writes == 0


def test_without_a_version_to_be_proved_no_thing_is_looked_for(probes: Probes) -> None:
    probes.ground.drive(declared())

    assert probes.ground.record().phase is Phase.SUCCEEDED
    assert probes.reads() == {}


def test_waves_follow_one_another_once_the_versions_of_each_are_reported(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    waves = declared().strategy.waves
    confirm = VersionConfirm(version=SHADOW, within="12h")
    rollout = declared(strategy=Strategy(waves=waves, gate=Gate(min_success_percent=90), confirm=confirm))

    probes.ground.drive(rollout)
    held = probes.ground.made()
    probes.report(2, "2.4.1")
    probes.ground.drive(rollout)

    assert len(held) == 1
    assert len(probes.ground.made()) == 2
    assert probes.ground.record().phase is Phase.SUCCEEDED


def test_single_devices_are_proved_by_their_things_too(probes: Probes) -> None:
    base = single_devices(probes.ground)
    confirm = VersionConfirm(version=SHADOW, within="6h")
    rollout = replace(base, strategy=Strategy(waves=base.strategy.waves, confirm=confirm))

    probes.ground.drive(rollout)

    assert probes.ground.record().phase is Phase.SUCCEEDED
    assert probes.reads()["GetThingShadow"] == 2


def test_where_groups_alone_list_their_members_the_version_settles_what_an_old_success_hides(probes: Probes) -> None:
    probes.ground.server.world.apply_settings({"listByTaskIncludesGroupMembers": False})
    probes.ground.drive(probes.canary(cleanup="never"), rounds=3)
    assert probes.ground.record().phase is Phase.SUCCEEDED
    firmware = pushed(probes.ground, "2.5.0", bytes(range(255, -1, -1)) * 12)
    probes.ground.fleet(images={firmware.sha256: "2.5.0"})

    probes.ground.drive(probes.canary(firmware=firmware, cleanup="never"), rounds=4)

    assert probes.ground.record().phase is Phase.SUCCEEDED
    told = {r.detail for r in probes.ground.record().attempts[-1].results}
    assert told == {"reports 2.5.0, although its transfer said timeout"}


def test_new_content_does_not_wait_for_versions_of_the_old(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="48h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)
    probes.behave(probe_2="normal")
    firmware = pushed(probes.ground, "2.5.0", bytes(range(255, -1, -1)) * 12)
    probes.ground.fleet(images={firmware.sha256: "2.5.0"})

    probes.ground.drive(probes.canary(firmware=firmware))

    assert (probes.ground.record().phase, probes.ground.record().version) == (Phase.SUCCEEDED, "2.5.0")


def test_a_lost_journal_does_not_turn_a_wait_into_a_verdict(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.ground.run(rollout)
    for file in probes.ground.folder.glob("journal.db*"):
        file.unlink()

    probes.ground.run(rollout)
    again = probes.ground.record().attempts[0]
    probes.ground.advance(6 * 3600 + 60)
    probes.ground.run(rollout)

    assert (again.stage, again.progress) == (Stage.RUNNING, {"succeeded": 2, "waitingForVersion": 1})
    assert probes.ground.record().phase is Phase.FAILED


def test_an_image_whose_version_nobody_told_calls_itself_by_its_digest(probes: Probes) -> None:
    firmware = pushed(probes.ground, "2.5.0", bytes(range(255, -1, -1)) * 12)
    rollout = probes.canary(within="1h", firmware=firmware)
    probes.to_the_end_of_the_session(rollout)

    probes.ground.run(rollout)

    assert set(probes.drift()["devices.version"]) == {"unknown"}


def _id(probes: Probes, number: int) -> str:
    asked = {"IdentifierType": "DevEui", "Identifier": probes.ground.euis[number]}
    return str(probes.ground.wireless.get_wireless_device(**asked)["Id"])
