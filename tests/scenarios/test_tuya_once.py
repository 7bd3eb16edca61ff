"""What would have sent an image twice, over replaced bytes, or against someone's will: each a way that did once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.backends.tuya import batching
from otactl.model import Device, Phase, Rollout, Stage, Strategy, Targets, Wave
from tests.support.fuota_stage import edited
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, block, package, plugs

CREATE = {"service": "tuya", "operation": "CreateOTAStaticUpgradeJob"}


def holds(report) -> list[str]:
    return [h.reason for h in report.rollouts[0].holds]


def asked(tuya_stage: TuyaStage, operation: str) -> list[dict[str, object]]:
    return [r["parameters"] for r in tuya_stage.server.world.requests if r["operation"] == operation]


def offline(*names: str) -> dict[str, str]:
    return {p.replace("-", "_"): "offline" for p in names}


def one(name: str, *devices: str, **changes: object) -> Rollout:
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=d) for d in devices)))
    return plugs(name=name, strategy=Strategy(waves=(wave,)), **changes)


def newer(declared: Rollout, tuya_stage: TuyaStage) -> Rollout:
    """Other content, with its package."""
    tuya_stage.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    return edited(declared, firmware=replace(declared.firmware, version="2.5.0"))


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices."""
    monkeypatch.setattr(batching, "MOST_NAMES", 2)


def throttled_fleet(tuya_stage: TuyaStage, **behaviours: str) -> None:
    """The canary passes; one of the fleet's two batches is not made."""
    tuya_stage.run()
    tuya_stage.advance(600)
    tuya_stage.behave(**behaviours)
    tuya_stage.cloud(
        devices=[{"productKey": PRODUCT, "deviceName": p, "versions": {"default": "2.4.1"}} for p in PLUGS[:2]]
    )
    tuya_stage.server.world.faults.replace([{**CREATE, "nth": 1, "effect": "throttle"}])
    tuya_stage.run()
    tuya_stage.server.world.faults.replace([])


@pytest.mark.usefixtures("twos")
def test_a_part_made_alone_because_the_other_has_the_version_is_not_made_again(tuya_stage: TuyaStage) -> None:
    done = [{"productKey": PRODUCT, "deviceName": p, "versions": {"default": "2.4.1"}} for p in PLUGS[2:4]]
    tuya_stage.cloud(devices=[*done, {"productKey": PRODUCT, "deviceName": "plug-5", "behaviour": "failsFlash"}])

    tuya_stage.cron()

    assert sum("plug-5" in p["TargetDeviceName"] for p in asked(tuya_stage, "CreateOTAStaticUpgradeJob")) == 1


@pytest.mark.parametrize("kind", ["ALL", "SPECIFIC"])
def test_an_ambiguous_create_holds_and_is_never_followed_by_a_third(tuya_stage: TuyaStage, kind: str) -> None:
    whole = plugs(
        backend=block(targetSelection="ALL"), strategy=Strategy(waves=(Wave(name="all"),), allow_downgrade=True)
    )
    declared = whole if kind == "ALL" else plugs()
    tuya_stage.behave(**offline(*PLUGS))
    tuya_stage.fault(**CREATE, nth=1, effect="timeoutAfterCommit")
    tuya_stage.run(declared)
    tuya_stage.server.world.faults.replace([])
    (intent,) = tuya_stage.record("plug").intents
    tuya_stage.by_hand(intent.call.operation, **intent.call.parameters)

    first = tuya_stage.run(declared)
    for _ in range(8):
        tuya_stage.advance(400)
        tuya_stage.run(declared)

    assert holds(first) == ["lost_create_is_ambiguous"]
    assert len(tuya_stage.batches()) == 2


def test_tasks_are_not_confirmed_over_a_package_that_was_replaced(tuya_stage: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True))
    tuya_stage.run(waits)
    tuya_stage.advance(300)
    tuya_stage.cloud(firmwares=[package(sign="ab" * 32)])
    tuya_stage.run(waits)

    tuya_stage.cron(edited(waits, backend=block(needConfirm=True, confirmWaves=["canary"])), rounds=3)

    assert asked(tuya_stage, "ConfirmOTATask") == []


@pytest.mark.usefixtures("twos")
def test_the_rest_of_a_wave_is_not_made_after_someone_canceled_a_part_of_it(tuya_stage: TuyaStage) -> None:
    throttled_fleet(tuya_stage, **offline(*PLUGS[2:]))
    tuya_stage.by_hand("CancelOTATaskByJob", JobId=tuya_stage.batches()[-1]["jobId"], CancelQueuedTask=True)
    tuya_stage.advance(120)

    report = tuya_stage.run()

    assert holds(report) == ["drift_is_open"]
    assert len(tuya_stage.batches()) == 2


@pytest.mark.usefixtures("twos")
def test_the_rest_of_a_wave_is_not_made_when_its_gate_cannot_be_met_any_more(tuya_stage: TuyaStage) -> None:
    throttled_fleet(tuya_stage, plug_3="failsFlash", plug_4="failsFlash", plug_5="failsFlash", plug_6="failsFlash")
    tuya_stage.advance(600)

    report = tuya_stage.run()

    assert holds(report) == ["success_rate_is_too_low"]
    assert len(tuya_stage.batches()) == 2


def test_a_create_that_may_still_arrive_holds_its_devices_for_other_rollouts(tuya_stage: TuyaStage) -> None:
    first = one("plug", "plug-1")
    other = newer(one("zz", "plug-1", resend=True), tuya_stage)
    tuya_stage.server.world.faults.replace([{**CREATE, "nth": 1, "effect": "late", "seconds": 600}])
    tuya_stage.run(first)
    tuya_stage.advance(60)

    held = tuya_stage.run(first, other)
    for _ in range(3):
        tuya_stage.advance(300)
        tuya_stage.run(first, other)

    assert [h.reason for r in held.rollouts if r.name == "zz" for h in r.holds] == ["target_is_busy"]
    assert asked(tuya_stage, "CreateOTAStaticUpgradeJob")[0]["FirmwareId"] == "1001"


def test_one_read_that_does_not_show_a_batch_is_not_its_end(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    tuya_stage.run()
    tuya_stage.advance(600)
    store = tuya_stage.server.world.services["tuya"]._store
    job = store.jobs.pop(tuya_stage.batches()[0]["jobId"])
    once = tuya_stage.run()
    store.jobs[job.id] = job
    tuya_stage.behave()

    tuya_stage.cron()

    assert holds(once) == ["change_not_visible_yet"]
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert not any(e.kind == "stage" and "lost" in e.message for e in tuya_stage.journal().history("prod-eu", "plug"))


def test_a_batch_that_was_lost_counts_again_when_it_is_seen(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    tuya_stage.run()
    store = tuya_stage.server.world.services["tuya"]._store
    job = store.jobs.pop(tuya_stage.batches()[0]["jobId"])
    tuya_stage.cron(rounds=3)
    lost = tuya_stage.record("plug").attempts[0].stage
    store.jobs[job.id] = job
    tuya_stage.behave()

    tuya_stage.cron()

    assert lost is Stage.LOST
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert len(tuya_stage.batches()) == 2


@pytest.mark.usefixtures("twos")
def test_our_own_cancel_that_came_through_in_part_is_not_reported_as_another_actors(tuya_stage: TuyaStage) -> None:
    tuya_stage.behave(**offline(*PLUGS[2:]))
    tuya_stage.cron(rounds=2)
    other = newer(plugs(), tuya_stage)
    rules = [{"service": "tuya", "operation": "CancelOTATaskByJob", "effect": "throttle", "nth": n} for n in (1, 3, 4)]
    tuya_stage.server.world.faults.replace([*rules, {**rules[0], "nth": 5}, {**rules[0], "nth": 6}])
    tuya_stage.run(other)
    tuya_stage.server.world.faults.replace([])
    tuya_stage.behave()

    tuya_stage.cron()

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert not any("canceled by another actor" in str(e.observed) for e in tuya_stage.record("plug").drift)


@pytest.mark.parametrize("shown", ["CANCELED", "COMPLETED"])
def test_our_own_cancel_without_an_answer_is_not_reported_as_another_actors(tuya_stage: TuyaStage, shown: str) -> None:
    tuya_stage.server.world.apply_settings({"tuyaCanceledBatch": shown})
    tuya_stage.behave(**offline(*PLUGS))
    tuya_stage.cron(rounds=2)
    other = newer(plugs(), tuya_stage)
    lost = {"service": "tuya", "operation": "CancelOTATaskByJob", "effect": "timeoutAfterCommit"}
    tuya_stage.server.world.faults.replace([lost])
    tuya_stage.run(other)
    tuya_stage.server.world.faults.replace([])
    tuya_stage.behave()

    tuya_stage.cron(other, rounds=8)

    record = tuya_stage.record("plug")
    assert (record.phase, record.version) == (Phase.SUCCEEDED, other.firmware.version)
    assert [a.canceled_by_us for a in record.attempts if a.generation != other.generation] == [True]
    assert [e.field for e in record.drift] == []


@pytest.mark.parametrize("shown", ["CANCELED", "COMPLETED"])
def test_what_a_device_has_started_is_not_canceled_again_and_again(tuya_stage: TuyaStage, shown: str) -> None:
    tuya_stage.server.world.apply_settings({"tuyaCanceledBatch": shown})
    tuya_stage.behave(plug_1="offline", plug_2="neverReports")
    patient = plugs(backend=block(timeoutInMinutes=None))
    tuya_stage.run(patient)
    tuya_stage.advance(200)

    report = tuya_stage.cron(newer(patient, tuya_stage), rounds=4)

    assert len(asked(tuya_stage, "CancelOTATaskByJob")) == 1
    assert holds(report) == ["previous_revision_running"]


@pytest.mark.usefixtures("twos")
def test_a_plan_shows_the_rest_of_a_wave_once(tuya_stage: TuyaStage) -> None:
    from tests.support.builders import ENVIRONMENT

    throttled_fleet(tuya_stage)
    from otactl.backends.registry import backends_for
    from otactl.backends.tuya.definition import TuyaShape
    from otactl.planning.assess import as_seen, assess
    from otactl.planning.outlook import outlook
    from otactl.reconcile.observe import observe_rollout

    transport = tuya_stage.transport()
    backend = backends_for(tuya_stage.environment(), transport)["tuya"]
    record, now = tuya_stage.record("plug"), transport.now()
    seen = observe_rollout(backend, *as_seen(plugs(), record), backend.survey())
    look = assess(ENVIRONMENT, plugs(), record, seen, TuyaShape(), (), now)

    assert len(look.plan.actions) == 1
    assert outlook(ENVIRONMENT, plugs(), look, TuyaShape(), TuyaShape().lower, (), now).steps == ()


@pytest.mark.parametrize("third", ["plug-2", "plug-3"])
def test_going_back_to_earlier_content_is_for_the_devices_declared_now(tuya_stage: TuyaStage, third: str) -> None:
    tuya_stage.behave(**offline(*PLUGS))
    first = one("plug", "plug-1", "plug-2")
    other = newer(first, tuya_stage)
    tuya_stage.run(first)
    tuya_stage.advance(300)
    for _ in range(2):
        tuya_stage.run(other)
        tuya_stage.advance(300)
    tuya_stage.behave()
    tuya_stage.run(other)

    tuya_stage.cron(one("plug", "plug-1", third), rounds=6)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert not any("of 0 devices" in e.message for e in tuya_stage.journal().history("prod-eu", "plug"))
