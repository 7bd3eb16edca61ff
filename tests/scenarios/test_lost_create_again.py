"""A create that starts devices and got no answer is sent again only if it would be created now."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.model import Device, Gate, Phase, Retry, Rollout, Strategy, Suspend, Targets, VersionConfirm, Wave
from tests.support.fuota_probes import SHADOW
from tests.support.fuota_stage import FuotaStage
from tests.support.ota_stage import OtaStage, gateway
from tests.support.wave_fleets import FuotaWaveFleet

NEVER = {"service": "iot", "operation": "CreateOTAUpdate", "effect": "timeoutBeforeCommit"}


def of(*names: str, **strategy: object) -> Rollout:
    """One wave of some things."""
    waves = (Wave(name="all", targets=Targets(things=tuple(Device(id=name) for name in names))),)
    return gateway(strategy=Strategy(waves=waves, **{"gate": Gate(min_success_percent=50), **strategy}))


def test_it_is_not_sent_again_to_a_thing_that_reports_a_newer_version_since(ota_stage: OtaStage) -> None:
    rollout = of("gw-1", confirm=VersionConfirm(version=SHADOW, within="2h"))
    ota_stage.server.world.faults.replace([NEVER])
    ota_stage.run(rollout)
    ota_stage.server.world.faults.replace([])
    ota_stage.fleet(things=[{"name": "gw-1", "firmwareVersion": "3.0.0"}])
    ota_stage.advance(300)

    (hold,) = ota_stage.run(rollout).rollouts[0].holds
    report = ota_stage.cron(rollout, rounds=4)

    assert hold.reason == "change_not_visible_yet"
    assert [h.reason for h in report.rollouts[0].holds] == ["downgrade_not_allowed"]
    assert ota_stage.created() == []


def test_a_retry_is_not_sent_again_to_a_thing_that_was_removed_from_the_manifest(ota_stage: OtaStage) -> None:
    again = Retry(attempts=2, on=("download",), backoff="2h")
    ota_stage.behave(gw_1="failsDownload")
    ota_stage.cron(of("gw-1", "gw-2", retry=again), rounds=3)
    ota_stage.server.world.faults.replace([NEVER])
    ota_stage.advance(7200)
    ota_stage.run(of("gw-1", "gw-2", retry=again))
    ota_stage.server.world.faults.replace([])
    assert [a.retry_targets for a in ota_stage.remembered().attempts] == [(), ("device:gw-1",)]
    ota_stage.behave()

    ota_stage.cron(of("gw-2", retry=again), rounds=6)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    assert ota_stage.installs()["gw-1"] == 0
    assert len(ota_stage.created()) == 1


def test_a_retry_that_was_withdrawn_does_not_return_for_a_device_that_was_removed(fuota_stage: FuotaStage) -> None:
    fleet = FuotaWaveFleet(fuota_stage)
    fleet.behave(fails=(0,))
    tried = {"retry": Retry(attempts=2, on=("integrity",)), "gate": Gate(min_success_percent=50)}
    both = fleet.rollout(Wave(name="all", targets=fleet.devices(0, 1)), **tried)
    fleet.run(both)
    fuota_stage.advance(3600)
    fleet.run(both)
    fuota_stage.advance(130)
    fleet.run(replace(both, suspend=Suspend(reason="waits", owner="ada")))
    assert [(len(a.retry_targets), a.withdrawn) for a in fleet.record.attempts] == [(0, False), (1, True)]
    fleet.behave()
    started = len(fuota_stage.writes("StartFuotaTask"))

    fleet.cron(fleet.rollout(Wave(name="all", targets=fleet.devices(1)), **tried), rounds=5)

    assert fleet.record.phase is Phase.SUCCEEDED
    assert len(fuota_stage.writes("StartFuotaTask")) == started
    assert len(fuota_stage.images()) == 1
