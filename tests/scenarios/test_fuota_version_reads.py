"""The things behind wireless devices: whose version is asked for, how often, and what is reported of who has none."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Phase, Strategy, VersionConfirm
from tests.support.fuota_probes import SHADOW, Probes
from tests.support.fuota_stage import FuotaStage, declared, single_devices


@pytest.fixture
def probes(fuota_stage: FuotaStage) -> Probes:
    return Probes(fuota_stage)


def test_a_device_without_a_thing_is_reported_by_name_and_fails_once_its_time_is_over(probes: Probes) -> None:
    probes.stage.wireless.disassociate_wireless_device_from_thing(Id=probes.device(0))
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)

    probes.stage.run(rollout)
    reported = probes.drift()
    before = probes.stage.record().phase
    probes.stage.advance(6 * 3600 + 60)
    probes.stage.run(rollout)

    assert reported == {"devices.withoutThing": {"devices": 1, "some": [probes.stage.euis[0]]}}
    assert (before, probes.stage.record().phase) == (Phase.PROGRESSING, Phase.FAILED)
    said = "no thing is associated with it, so it reports no version; declared is 2.4.1"
    assert probes.results()["probe-0"] == ("failed", "version", said)


def test_a_thing_that_is_associated_in_time_has_its_report_counted(probes: Probes) -> None:
    device = probes.device(0)
    probes.stage.wireless.disassociate_wireless_device_from_thing(Id=device)
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    probes.report(0, "2.4.1")

    arn = probes.iot.describe_thing(thingName="probe-0")["thingArn"]
    probes.stage.wireless.associate_wireless_device_with_thing(Id=device, ThingArn=arn)
    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.SUCCEEDED
    assert all(e.closed_at is not None for e in probes.stage.record().drift)


def test_before_a_device_is_given_up_its_thing_is_looked_for_again(probes: Probes) -> None:
    probes.behave(probe_0="neverReports")
    rollout = probes.canary(within="6h")
    probes.to_the_end_of_the_session(rollout)
    probes.stage.run(rollout)
    probes.iot.create_thing(thingName="probe-0b", attributePayload={"attributes": {"firmwareVersion": "2.4.1"}})
    probes.things[0] = "probe-0b"
    probes.report(0, "2.4.1")
    probes.associate(0)

    probes.stage.advance(6 * 3600 + 60)
    probes.stage.run(rollout)

    assert probes.stage.record().phase is Phase.SUCCEEDED


def test_only_who_has_not_reported_is_asked_again_and_a_thing_is_looked_for_once(probes: Probes) -> None:
    probes.behave(probe_2="neverReports")
    rollout = probes.canary(within="30h")
    probes.stage.run(rollout)
    started = probes.reads()
    probes.to_the_end_of_the_session(rollout)
    during = probes.reads()
    probes.stage.run(rollout)
    first = probes.reads()

    probes.stage.run(rollout)
    quiet = probes.stage.transport()
    probes.stage.run(rollout, transport=quiet)

    assert started == {"GetThingShadow": 9, "GetWirelessDevice": 3}  # before it is made, filled and started
    assert during == started
    assert first["GetWirelessDevice"] == 3 + 3
    assert quiet.stats.by_operation["iot-data:GetThingShadow"] == 1
    assert "iotwireless:GetWirelessDevice" not in quiet.stats.by_operation
    assert quiet.stats.writes == 0


def test_without_a_version_to_be_proved_no_thing_is_looked_for(probes: Probes) -> None:
    probes.stage.drive(declared())

    assert probes.stage.record().phase is Phase.SUCCEEDED
    assert probes.reads() == {}


def test_single_devices_are_proved_by_their_things_too(probes: Probes) -> None:
    base = single_devices(probes.stage)
    confirm = VersionConfirm(version=SHADOW, within="6h")
    rollout = replace(base, strategy=Strategy(waves=base.strategy.waves, confirm=confirm))

    probes.stage.drive(rollout)

    assert probes.stage.record().phase is Phase.SUCCEEDED
    assert probes.reads()["GetThingShadow"] == 3 * 2 + 2  # before it is made, filled and started, and to prove it
