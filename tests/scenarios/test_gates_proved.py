"""Gates over units that run, with proof by version: no transfer is a success until its device reports the version."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Abort, Gate, Phase, Reason, Rollout, Stage, Suspend, VersionConfirm, VersionProof, Wave, Window
from tests.support.fuota_stage import INDEXED, lose_journal, pushed
from tests.support.tuya_stage import PRODUCT, package
from tests.support.wave_fleets import WaveFleet, holds, wave_fleet

NEW, OLD = "2.4.1", "2.4.0"
PLAIN = Gate(min_success_percent=50, silence_after="6h")
SURE = Gate(min_success_percent=50, silence_after="6h", confidence=0.55)
"""Of four devices of six it passes with 2 failures or fewer, and fails with 3 or more."""
PROOFS = {"otaUpdate": VersionProof(shadow="reported.firmware.version"), "tuya": VersionProof(module="default")}
pytestmark = pytest.mark.sampled(3)
GATES = pytest.mark.parametrize("gate", [PLAIN, SURE], ids=["silenceAfter", "confidence"])


@pytest.fixture(params=PROOFS)
def fleet(request: pytest.FixtureRequest) -> WaveFleet:
    """Six devices; one of the canaries never connects, so that its unit never ends."""
    made = wave_fleet(request, request.param)
    made.behave(silent=(3,))
    return made


@pytest.fixture
def ota_fleet(request: pytest.FixtureRequest) -> WaveFleet:
    """The same, all of them well."""
    return wave_fleet(request, "otaUpdate")


def declared(fleet: WaveFleet, gate: Gate, within: str = "24h") -> Rollout:
    waves = (Wave(name="canary", targets=fleet.devices(0, 1, 2, 3)), Wave(name="fleet", targets=fleet.devices(4, 5)))
    return fleet.rollout(*waves, gate=gate, confirm=VersionConfirm(version=PROOFS[fleet.kind], within=within))


def catch_up(fleet: WaveFleet) -> None:
    """Let devices do what they were to do by now, before they are changed."""
    for service in fleet.stage.server.world.services.values():
        service.advance()


def report(fleet: WaveFleet, version: str, *indices: int) -> None:
    """Let devices report a version, whatever they took."""
    catch_up(fleet)
    names = [fleet.names[i] for i in indices]
    if fleet.kind == "tuya":
        devices = [{"productKey": PRODUCT, "deviceName": n, "versions": {"default": version}} for n in names]
        fleet.stage.fleet(tuya={"devices": devices})
    else:
        fleet.stage.fleet(things=[{"name": n, "firmwareVersion": version} for n in names])


def took(fleet: WaveFleet, rollout: Rollout, *unproved: int) -> None:
    """Send the first wave; each device that connects takes the image, some of them report the old version after it."""
    fleet.cron(rollout, rounds=1)
    report(fleet, OLD, *unproved)


def at_the_deadline(fleet: WaveFleet, rollout: Rollout) -> list[str]:
    fleet.cron(rollout, rounds=2)
    fleet.stage.advance(6 * 3600)
    return holds(fleet.cron(rollout, rounds=2))


@GATES
def test_transfers_that_no_version_proves_pass_no_wave_and_the_wave_ends(fleet: WaveFleet, gate: Gate) -> None:
    rollout = declared(fleet, gate)
    took(fleet, rollout, 0, 1, 2)

    before = holds(fleet.cron(rollout, rounds=3))
    (attempt,) = fleet.record.attempts
    after = at_the_deadline(fleet, rollout)

    shown = "versionNotRead" if gate is PLAIN else "waitingForVersion"
    assert (before, attempt.stage, attempt.progress[shown]) == ([], Stage.RUNNING, 3)
    assert after == (["success_rate_is_too_low"] if gate is PLAIN else ["evidence_is_too_weak"])
    assert fleet.makes() == 1


@GATES
def test_versions_pass_a_wave_that_still_runs_and_the_next_one_is_sent(fleet: WaveFleet, gate: Gate) -> None:
    rollout = declared(fleet, gate)
    took(fleet, rollout, 0, 1, 2)
    fleet.cron(rollout, rounds=2)
    made = fleet.makes()
    report(fleet, NEW, 0, 2)

    at_the_deadline(fleet, rollout)
    fleet.cron(rollout, rounds=3)

    verdict = fleet.record.wave("canary").verdict
    assert made == 1
    assert (verdict.passed, verdict.succeeded, verdict.unanswered) == (True, 2, 2)
    assert fleet.record.wave("fleet").verdict.passed
    assert fleet.makes() == 2


def test_a_version_that_comes_late_turns_the_verdict(fleet: WaveFleet) -> None:
    rollout = declared(fleet, PLAIN)
    took(fleet, rollout, 0, 1, 2)
    failed = at_the_deadline(fleet, rollout)
    report(fleet, NEW, 0, 1)

    fleet.cron(rollout, rounds=4)

    assert failed == ["success_rate_is_too_low"]
    assert fleet.record.phase is Phase.SUCCEEDED
    assert fleet.makes() == 2


def test_a_device_that_took_the_image_just_before_the_deadline_may_report_as_long_again(fleet: WaveFleet) -> None:
    fleet.behave(silent=(0, 1, 3))
    rollout = declared(fleet, PLAIN)
    fleet.cron(rollout, rounds=1)
    fleet.stage.advance(5 * 3600)
    catch_up(fleet)
    fleet.behave(silent=(3,))
    fleet.cron(rollout, rounds=2)
    report(fleet, OLD, 0, 1)

    fleet.stage.advance(3600)
    waits = holds(fleet.cron(rollout, rounds=2))
    fleet.stage.advance(5 * 3600)
    over = holds(fleet.cron(rollout, rounds=2))

    assert (waits, over) == ([], ["success_rate_is_too_low"])


HELD = Suspend(reason="storm", owner="ada")


def test_what_a_suspension_stopped_is_proved_before_the_rest_follows(fleet: WaveFleet) -> None:
    rollout = declared(fleet, PLAIN, within="2h")
    took(fleet, rollout, 0, 1, 2)
    fleet.cron(replace(rollout, suspend=HELD), rounds=3)

    waits = holds(fleet.cron(rollout, rounds=2))
    fleet.stage.advance(2 * 3600)
    over = holds(fleet.cron(rollout, rounds=2))

    assert (waits, over) == (["withdrawn_devices_wait"], ["success_rate_is_too_low"])
    assert fleet.makes() == 1


def test_the_rest_of_a_stopped_wave_follows_once_the_others_are_proved(fleet: WaveFleet) -> None:
    rollout = declared(fleet, PLAIN)
    took(fleet, rollout, 0, 1, 2)
    fleet.cron(replace(rollout, suspend=HELD), rounds=3)
    fleet.behave()
    report(fleet, NEW, 0, 1, 2)

    fleet.cron(rollout, rounds=8)

    assert fleet.record.phase is Phase.SUCCEEDED
    assert [len(a.results) for a in fleet.record.wave("canary").attempts] == [4, 1]


def test_an_abort_ends_what_it_stopped_at_once_and_takes_no_claim_for_a_success(fleet: WaveFleet) -> None:
    rollout = declared(fleet, PLAIN)
    took(fleet, rollout, 0, 1, 2)
    fleet.cron(replace(rollout, abort=Abort(reason="bad batch")), rounds=3)

    (attempt,) = fleet.record.attempts
    found = {r.device: (r.outcome.value, r.reason) for r in attempt.results}
    fleet.behave()
    fleet.cron(rollout, rounds=4)

    assert attempt.stage is not Stage.RUNNING
    assert [found[fleet.names[n]] for n in (0, 1, 2)] == [("failed", Reason.VERSION)] * 3
    assert not fleet.record.wave("canary").verdict.passed


@pytest.mark.parametrize("silent", [(3,), ()], ids=["running", "ended"])
def test_a_unit_that_is_found_without_a_journal_is_proved_too(ota_fleet: WaveFleet, silent: tuple[int, ...]) -> None:
    ota_fleet.behave(silent=silent)
    rollout = declared(ota_fleet, PLAIN)
    took(ota_fleet, rollout, 0, 1, 2)
    lose_journal(ota_fleet.stage.folder)

    ota_fleet.cron(rollout, rounds=3)
    (attempt,) = ota_fleet.record.attempts

    shown = "versionNotRead" if silent else "waitingForVersion"
    assert (attempt.found_by_tags, attempt.stage, attempt.progress[shown]) == (True, Stage.RUNNING, 3)
    assert ota_fleet.record.wave("canary").verdict is None


def test_versions_that_cannot_be_read_decide_no_wave(ota_fleet: WaveFleet) -> None:
    ota_fleet.behave(silent=(3,))
    rollout = declared(ota_fleet, PLAIN)
    unread = VersionConfirm(version=VersionProof(index_query="thingName:gw-*"))
    rollout = replace(rollout, strategy=replace(rollout.strategy, confirm=unread))
    ota_fleet.stage.fleet(indexing={"thingIndexingConfiguration": {"thingIndexingMode": "OFF"}})
    took(ota_fleet, rollout)
    at_the_deadline(ota_fleet, rollout)

    (hold,) = ota_fleet.cron(rollout, rounds=1).rollouts[0].holds

    assert hold.reason == "devices_are_overdue"
    assert "the versions its devices report cannot be read" in hold.message
    assert (ota_fleet.record.wave("canary").verdict, ota_fleet.makes()) == (None, 1)


def other_content(fleet: WaveFleet, rollout: Rollout) -> Rollout:
    """Return the rollout with newer firmware, which no window lets start for half a day."""
    newer = pushed(fleet.stage, "2.5.0", b"x" * 4096)
    if fleet.kind == "tuya":
        found = package(firmwareId="1002", destVersion="2.5.0", name="newer", sign=newer.sha256, size=4096)
        fleet.stage.cloud(firmwares=[found])
    hour = (fleet.stage.server.world.clock.now().hour + 12) % 24
    shut = Window(schedule=f"0 {hour} * * *", duration="1h", time_zone="UTC", kind="allow", overrun="finish")
    return replace(rollout, firmware=newer, windows=(shut,))


def with_transfers(rollout: Rollout) -> Rollout:
    return replace(rollout, strategy=replace(rollout.strategy, confirm="transfer"))


@pytest.mark.parametrize("proof", ["version", "transfer"])
@pytest.mark.parametrize("passes", [1, 3], ids=["unitIsThere", "unitWasDeleted"])
def test_transfers_prove_nothing_after_other_content_was_declared(fleet: WaveFleet, passes: int, proof: str) -> None:
    fleet.behave()
    rollout = declared(fleet, PLAIN)
    took(fleet, rollout, 0, 1, 2, 3)
    fleet.cron(rollout, rounds=1)
    newer = other_content(fleet, rollout)
    fleet.cron(newer if proof == "version" else with_transfers(newer), rounds=passes)

    fleet.cron(rollout, rounds=2)
    fleet.stage.advance(24 * 3600)
    over = holds(fleet.cron(rollout, rounds=2))

    assert over == ["success_rate_is_too_low"]
    assert fleet.record.wave("canary").verdict.succeeded == 0
    assert fleet.makes() == 1


def test_versions_that_come_after_the_content_is_declared_again_count(request: pytest.FixtureRequest) -> None:
    fleet = wave_fleet(request, "tuya")
    rollout = declared(fleet, PLAIN)
    took(fleet, rollout, 0, 1, 2, 3)
    fleet.cron(rollout, rounds=1)
    fleet.cron(other_content(fleet, rollout), rounds=1)
    fleet.cron(rollout, rounds=2)
    waits = fleet.record.attempts[0].stage
    report(fleet, NEW, 0, 1, 2, 3)

    fleet.cron(rollout, rounds=4)

    assert waits is Stage.RUNNING
    assert fleet.record.phase is Phase.SUCCEEDED
    assert set(fleet.stage.installs().values()) == {1}


def test_versions_are_read_when_other_content_ends_a_unit(fleet: WaveFleet) -> None:
    fleet.behave()
    rollout = declared(fleet, PLAIN)
    took(fleet, rollout, 3)
    fleet.cron(rollout, rounds=1)
    fleet.cron(other_content(fleet, rollout), rounds=3)

    fleet.cron(rollout, rounds=3)

    verdict = fleet.record.wave("canary").verdict
    assert (verdict.passed, verdict.succeeded) == (True, 3)


def test_a_version_that_is_lost_in_the_soak_of_a_running_unit_turns_the_verdict(fleet: WaveFleet) -> None:
    rollout = declared(fleet, replace(PLAIN, soak="12h"))
    took(fleet, rollout)
    soaks = at_the_deadline(fleet, rollout)
    report(fleet, OLD, 0, 1, 2)

    lost = holds(fleet.cron(rollout, rounds=1))
    fleet.stage.advance(12 * 3600)
    fleet.cron(rollout, rounds=2)

    assert (soaks, lost) == (["soak_is_running"], ["success_rate_is_too_low"])
    assert fleet.makes() == 1


def test_a_device_that_went_back_before_the_others_reported_passes_no_wave(fleet: WaveFleet) -> None:
    rollout = declared(fleet, replace(SURE, silence_after="48h"))
    took(fleet, rollout, 1, 2)
    fleet.cron(rollout, rounds=2)
    before = fleet.record.attempts[0].claims.confirmed
    report(fleet, OLD, 0)
    report(fleet, NEW, 1)

    fleet.cron(rollout, rounds=2)

    assert (before, fleet.record.attempts[0].claims.confirmed) == ((fleet.names[0],), (fleet.names[1],))
    assert (fleet.record.wave("canary").verdict, fleet.makes()) == (None, 1)


def test_at_the_deadline_a_transfer_without_proof_weighs_as_a_version_that_is_missing(fleet: WaveFleet) -> None:
    rollout = declared(fleet, replace(PLAIN, min_success_percent=90, weights={"timeout": 0.0}))
    took(fleet, rollout, 1, 2)

    assert at_the_deadline(fleet, rollout) == ["success_rate_is_too_low"]
    assert fleet.makes() == 1


@pytest.mark.parametrize("silent", [(3,), ()], ids=["running", "ended"])
def test_a_soak_does_not_end_while_versions_cannot_be_read(ota_fleet: WaveFleet, silent: tuple[int, ...]) -> None:
    ota_fleet.behave(silent=silent)
    rollout = declared(ota_fleet, replace(PLAIN, soak="12h"))
    asked = VersionConfirm(version=VersionProof(index_query="thingName:gw-*"))
    rollout = replace(rollout, strategy=replace(rollout.strategy, confirm=asked))
    ota_fleet.stage.fleet(indexing=INDEXED)
    took(ota_fleet, rollout)
    soaks = at_the_deadline(ota_fleet, rollout)
    ota_fleet.stage.fleet(indexing={"thingIndexingConfiguration": {"thingIndexingMode": "OFF"}})
    ota_fleet.cron(rollout, rounds=1)
    ota_fleet.stage.advance(12 * 3600)

    (hold,) = ota_fleet.cron(rollout, rounds=2).rollouts[0].holds
    made = ota_fleet.makes()
    ota_fleet.stage.fleet(indexing=INDEXED)
    ota_fleet.cron(rollout, rounds=3)

    assert (soaks, hold.reason, made) == (["soak_is_running"], "devices_are_overdue", 1)
    assert "the versions its devices report cannot be read" in hold.message
    assert ota_fleet.makes() == 2
