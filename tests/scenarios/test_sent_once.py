"""No device is sent what it has: devices tell it by their version, records by what they sent, over real HTTP."""

from __future__ import annotations

import msgspec
import pytest

from otactl.model import Device, Phase, Rollout, Strategy, Targets, VersionConfirm, VersionProof, Wave
from otactl.reconcile.reconciler import RunReport
from tests.support.fuota_probes import SHADOW, Probes
from tests.support.fuota_stage import DIGEST, FuotaStage, pushed, single_devices
from tests.support.ota_stage import THINGS, OtaStage, block, gateway
from tests.support.tuya_stage import TuyaStage, plugs

CONFIRM = VersionConfirm(version=SHADOW, within="2h")


def holds(report: RunReport) -> list[str]:
    return [h.reason for r in report.rollouts for h in r.holds]


def wave(*names: str) -> Strategy:
    return Strategy(waves=(Wave(name="all", targets=Targets(things=tuple(Device(id=n) for n in names))),))


def confirmed(name: str, *names: str, proof: VersionProof = SHADOW) -> Rollout:
    waves = wave(*names).waves
    return gateway(name=name, strategy=Strategy(waves=waves, confirm=VersionConfirm(version=proof, within="2h")))


def lose_the_journal(fuota_stage: FuotaStage) -> None:
    (fuota_stage.folder / "journal.db").unlink()


@pytest.mark.parametrize("proof", [SHADOW, VersionProof(index_query="shadow.reported.firmware.version:2.4.1")])
def test_things_that_report_the_version_are_not_sent_it_again_when_the_journal_is_lost(
    ota_stage: OtaStage, proof: VersionProof
) -> None:
    ota_stage.fleet(images={DIGEST: "2.4.1"})
    ota_stage.cron(confirmed("gateway", "gw-1", "gw-2"), rounds=3)
    lose_the_journal(ota_stage)

    ota_stage.cron(confirmed("gateway", "gw-1", "gw-2", "gw-3", proof=proof), rounds=3)

    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert {r.device: r.detail for r in record.attempts[0].results} == {
        "gw-1": "had it already",
        "gw-2": "had it already",
        "gw-3": "",
    }
    assert ota_stage.installs() == {"gw-1": 1, "gw-2": 1, "gw-3": 1, "gw-4": 0, "gw-5": 0}
    assert record.drift == ()


def test_a_thing_group_whose_things_all_report_the_version_passes_without_an_update(ota_stage: OtaStage) -> None:
    ota_stage.fleet(images={DIGEST: "2.4.1"})
    ota_stage.cron(confirmed("gateway", "gw-3", "gw-4", "gw-5"), rounds=3)
    made = ota_stage.created()
    waves = (Wave(name="all", targets=Targets(thing_groups=("gateways",))),)

    ota_stage.run(gateway(name="again", strategy=Strategy(waves=waves, confirm=CONFIRM)))

    assert ota_stage.record("again").phase is Phase.SUCCEEDED
    assert ota_stage.created() == made


def test_two_rollouts_that_swap_their_names_are_held_until_the_manifest_says_what_is_meant(
    ota_stage: OtaStage,
) -> None:
    newer = pushed(ota_stage, "2.5.0", b"new" * 900)
    one, two = gateway(name="one", strategy=wave("gw-1")), gateway(name="two", strategy=wave("gw-2"), firmware=newer)
    ota_stage.cron(one, two, rounds=3)
    swapped = (gateway(name="two", strategy=wave("gw-1")), gateway(name="one", strategy=wave("gw-2"), firmware=newer))

    assert holds(ota_stage.run(*swapped)) == ["content_was_sent_already"] * 2
    assert ota_stage.most_installs_of_one_image() == 1

    back = gateway(name="two", strategy=wave("gw-2"))  # gw-2 goes back to what one sent to others
    ota_stage.cron(back, rounds=3)
    assert ota_stage.installs()["gw-2"] == 2


def test_a_renamed_rollout_goes_on_where_it_stood_while_its_update_runs(ota_stage: OtaStage) -> None:
    ota_stage.behave(gw_1="late")
    ota_stage.run(gateway(strategy=wave("gw-1", "gw-2")))
    ota_stage.advance(130)

    for _ in range(4):
        ota_stage.run(gateway(name="edge", renamed_from="gateway", strategy=wave("gw-1", "gw-2")), covers=True)
        ota_stage.advance(24 * 3600)

    record = ota_stage.remembered("edge")
    assert (record.phase, record.previous_names) == (Phase.SUCCEEDED, ("gateway",))
    assert len(ota_stage.created()) == 1
    assert [e.field for e in record.drift] == []
    assert ota_stage.remembered().renamed_to == "edge"


def test_probes_that_report_the_version_are_spared_before_a_session(fuota_stage: FuotaStage) -> None:
    probes = Probes(fuota_stage)
    probes.report(0, "2.4.1")
    singles = single_devices(fuota_stage)
    at = msgspec.structs.replace(singles, strategy=msgspec.structs.replace(singles.strategy, confirm=CONFIRM))

    fuota_stage.drive(at, rounds=4)

    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert sorted(r.detail for r in record.attempts[0].results) == ["", "had it already"]
    assert len(fuota_stage.images()) == 1
    assert record.drift == ()


def test_a_multicast_group_whose_devices_all_report_the_version_passes_without_a_task(fuota_stage: FuotaStage) -> None:
    probes = Probes(fuota_stage)
    for number in (0, 2, 4):
        probes.report(number, "2.4.1")

    fuota_stage.run(probes.canary())

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert fuota_stage.made() == []
    assert probes.reads()["GetThingShadow"] == 3


def test_a_copy_of_a_rollout_is_not_sent_to_plugs_that_have_it_and_held_for_those_that_failed(
    tuya_stage: TuyaStage,
) -> None:
    canary = Strategy(waves=plugs().strategy.waves[:1])
    tuya_stage.behave(plug_2="failsFlash")
    for _ in range(2):
        tuya_stage.run(plugs(strategy=canary))
        tuya_stage.advance(600)

    held = tuya_stage.run(plugs(name="copy", strategy=canary))
    assert holds(held) == ["content_was_sent_already"]
    assert "(plug-2): plug-canary-1-" in held.rollouts[0].holds[0].message

    tuya_stage.run(plugs(name="copy", strategy=canary, resend=True))
    assert [b["TargetDeviceName"] for b in asked(tuya_stage)] == [["plug-1", "plug-2"], ["plug-2"]]


def asked(tuya_stage: TuyaStage) -> list[dict[str, object]]:
    """What each batch was asked for."""
    return [r["parameters"] for r in tuya_stage.server.world.requests if r["operation"] == "CreateOTAStaticUpgradeJob"]


def test_a_thing_that_joins_a_group_after_its_wave_passed_is_reported_and_sent_the_content_alone(
    ota_stage: OtaStage,
) -> None:
    ota_stage.cron(rounds=4)
    quiet = ota_stage.transport()
    ota_stage.run(gateway(), transport=quiet)
    names = (*THINGS[2:], "gw-6")
    ota_stage.fleet(
        things=[{"name": "gw-6", "behaviour": "", "firmwareVersion": "2.4.0"}],
        thingGroups=[{"name": "gateways", "things": list(names)}],
    )

    first = ota_stage.run(gateway())
    reported = ota_stage.open_drift()
    ota_stage.cron(rounds=3)

    assert quiet.stats.by_operation["iot:ListThingsInThingGroup"] == 1
    assert quiet.stats.writes == 0
    assert len(first.rollouts[0].actions) == 1
    assert reported == {}
    assert [e.subject for e in ota_stage.journal().history("prod-eu", "gateway") if e.kind == "joined"] == ["fleet"]
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.remembered().wave("top-up").members == ("device:gw-6",)
    assert ota_stage.installs() == dict.fromkeys((*THINGS, "gw-6"), 1)
    assert not ota_stage.open_drift()


def test_devices_that_another_environment_of_the_account_sent_the_content_to_are_held(fuota_stage: FuotaStage) -> None:
    fuota_stage.drive(single_devices(fuota_stage), rounds=4)
    there = msgspec.structs.replace(single_devices(fuota_stage), environment="staging")

    report = fuota_stage.run(there, name="staging")

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert holds(report) == ["content_was_sent_already"]
    assert "of environment prod-eu sent this content last" in report.rollouts[0].holds[0].message
    assert len(fuota_stage.made()) == 1


def test_a_thing_that_an_update_without_an_end_has_updated_is_not_sent_it_by_another_rollout(
    ota_stage: OtaStage,
) -> None:
    group = Strategy(waves=(Wave(name="all", targets=Targets(thing_groups=("gateways",))),))
    endless = gateway(name="endless", backend=block(targetSelection="CONTINUOUS"), strategy=group)
    ota_stage.cron(endless, rounds=3)

    report = ota_stage.cron(endless, gateway(name="again", strategy=wave("gw-2", "gw-3")), rounds=3)

    assert holds(report) == ["content_was_sent_already"]
    (shown,) = (h.message for r in report.rollouts for h in r.holds)
    assert "gw-3" in shown
    assert "gw-2" not in shown
    assert ota_stage.installs() == {"gw-1": 0, "gw-2": 0, "gw-3": 1, "gw-4": 1, "gw-5": 1}


def test_a_wave_that_was_split_off_and_reports_the_version_passes_and_holds_nothing(ota_stage: OtaStage) -> None:
    ota_stage.fleet(images={DIGEST: "2.4.1"})
    whole = confirmed("gateway", "gw-1", "gw-2", "gw-3")
    ota_stage.cron(whole, rounds=3)
    first, last = wave("gw-1", "gw-2").waves[0], wave("gw-3").waves[0]
    waves = (first, msgspec.structs.replace(last, name="last"))
    divided = msgspec.structs.replace(whole, strategy=msgspec.structs.replace(whole.strategy, waves=waves))

    report = ota_stage.cron(divided, rounds=3)

    assert holds(report) == []
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert len(ota_stage.created()) == 1
