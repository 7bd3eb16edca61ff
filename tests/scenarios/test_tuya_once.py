"""What would have sent an image twice, over replaced bytes, or against somebody's will: each a way that did once."""

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


def asked(gate: TuyaStage, operation: str) -> list[dict[str, object]]:
    return [r["parameters"] for r in gate.server.world.requests if r["operation"] == operation]


def offline(*names: str) -> dict[str, str]:
    return {p.replace("-", "_"): "offline" for p in names}


def one(name: str, *devices: str, **changes: object) -> Rollout:
    wave = Wave(name="all", targets=Targets(devices=tuple(Device(id=d) for d in devices)))
    return plugs(name=name, strategy=Strategy(waves=(wave,)), **changes)


def newer(declared: Rollout, gate: TuyaStage) -> Rollout:
    """Other content, with its package."""
    gate.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    return edited(declared, firmware=replace(declared.firmware, version="2.5.0"))


@pytest.fixture
def twos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two devices."""
    monkeypatch.setattr(batching, "MOST_NAMES", 2)


def throttled_fleet(gate: TuyaStage, **behaviours: str) -> None:
    """The canary passes; one of the fleet's two batches is not made."""
    gate.run()
    gate.advance(600)
    gate.behave(**behaviours)
    gate.cloud(devices=[{"productKey": PRODUCT, "deviceName": p, "versions": {"default": "2.4.1"}} for p in PLUGS[:2]])
    gate.server.world.faults.replace([{**CREATE, "nth": 1, "effect": "throttle"}])
    gate.run()
    gate.server.world.faults.replace([])


@pytest.mark.usefixtures("twos")
def test_a_part_made_alone_because_the_other_has_the_version_is_not_made_again(gate: TuyaStage) -> None:
    done = [{"productKey": PRODUCT, "deviceName": p, "versions": {"default": "2.4.1"}} for p in PLUGS[2:4]]
    gate.cloud(devices=[*done, {"productKey": PRODUCT, "deviceName": "plug-5", "behaviour": "failsFlash"}])

    gate.cron()

    assert sum("plug-5" in p["TargetDeviceName"] for p in asked(gate, "CreateOTAStaticUpgradeJob")) == 1


@pytest.mark.parametrize("kind", ["ALL", "SPECIFIC"])
def test_an_ambiguous_create_holds_and_is_never_followed_by_a_third(gate: TuyaStage, kind: str) -> None:
    whole = plugs(
        backend=block(targetSelection="ALL"), strategy=Strategy(waves=(Wave(name="all"),), allow_downgrade=True)
    )
    declared = whole if kind == "ALL" else plugs()
    gate.behave(**offline(*PLUGS))
    gate.fault(**CREATE, nth=1, effect="timeoutAfterCommit")
    gate.run(declared)
    gate.server.world.faults.replace([])
    (intent,) = gate.record("plug").intents
    gate.by_hand(intent.call.operation, **intent.call.parameters)

    first = gate.run(declared)
    for _ in range(8):
        gate.advance(400)
        gate.run(declared)

    assert holds(first) == ["lost_create_is_ambiguous"]
    assert len(gate.batches()) == 2


def test_tasks_are_not_confirmed_over_a_package_that_was_replaced(gate: TuyaStage) -> None:
    waits = plugs(backend=block(needConfirm=True))
    gate.run(waits)
    gate.advance(300)
    gate.cloud(firmwares=[package(sign="ab" * 32)])
    gate.run(waits)

    gate.cron(edited(waits, backend=block(needConfirm=True, confirmWaves=["canary"])), rounds=3)

    assert asked(gate, "ConfirmOTATask") == []


@pytest.mark.usefixtures("twos")
def test_the_rest_of_a_wave_is_not_made_after_somebody_canceled_a_part_of_it(gate: TuyaStage) -> None:
    throttled_fleet(gate, **offline(*PLUGS[2:]))
    gate.by_hand("CancelOTATaskByJob", JobId=gate.batches()[-1]["jobId"], CancelQueuedTask=True)
    gate.advance(120)

    report = gate.run()

    assert holds(report) == ["drift_is_open"]
    assert len(gate.batches()) == 2


@pytest.mark.usefixtures("twos")
def test_the_rest_of_a_wave_is_not_made_when_its_gate_cannot_be_met_any_more(gate: TuyaStage) -> None:
    throttled_fleet(gate, plug_3="failsFlash", plug_4="failsFlash", plug_5="failsFlash", plug_6="failsFlash")
    gate.advance(600)

    report = gate.run()

    assert holds(report) == ["success_rate_is_too_low"]
    assert len(gate.batches()) == 2


def test_a_create_that_may_still_arrive_holds_its_devices_for_other_rollouts(gate: TuyaStage) -> None:
    first = one("plug", "plug-1")
    other = newer(one("zz", "plug-1", resend=True), gate)
    gate.server.world.faults.replace([{**CREATE, "nth": 1, "effect": "late", "seconds": 600}])
    gate.run(first)
    gate.advance(60)

    held = gate.run(first, other)
    for _ in range(3):
        gate.advance(300)
        gate.run(first, other)

    assert [h.reason for r in held.rollouts if r.name == "zz" for h in r.holds] == ["target_is_busy"]
    assert asked(gate, "CreateOTAStaticUpgradeJob")[0]["FirmwareId"] == "1001"


def test_one_read_that_does_not_show_a_batch_is_not_its_end(gate: TuyaStage) -> None:
    gate.behave(**offline(*PLUGS))
    gate.run()
    gate.advance(600)
    store = gate.server.world.services["tuya"]._store
    job = store.jobs.pop(gate.batches()[0]["jobId"])
    once = gate.run()
    store.jobs[job.id] = job
    gate.behave()

    gate.cron()

    assert holds(once) == ["change_not_visible_yet"]
    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert not any(e.kind == "stage" and "lost" in e.message for e in gate.journal().history("prod-eu", "plug"))


def test_a_batch_that_was_lost_counts_again_when_it_is_seen(gate: TuyaStage) -> None:
    gate.behave(**offline(*PLUGS))
    gate.run()
    store = gate.server.world.services["tuya"]._store
    job = store.jobs.pop(gate.batches()[0]["jobId"])
    gate.cron(rounds=3)
    lost = gate.record("plug").attempts[0].stage
    store.jobs[job.id] = job
    gate.behave()

    gate.cron()

    assert lost is Stage.LOST
    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert len(gate.batches()) == 2


@pytest.mark.usefixtures("twos")
def test_our_own_cancel_that_came_through_in_part_is_not_told_as_somebodys(gate: TuyaStage) -> None:
    gate.behave(**offline(*PLUGS[2:]))
    gate.cron(rounds=2)
    other = newer(plugs(), gate)
    rules = [{"service": "tuya", "operation": "CancelOTATaskByJob", "effect": "throttle", "nth": n} for n in (1, 3, 4)]
    gate.server.world.faults.replace([*rules, {**rules[0], "nth": 5}, {**rules[0], "nth": 6}])
    gate.run(other)
    gate.server.world.faults.replace([])
    gate.behave()

    gate.cron()

    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert not any("canceled by somebody" in str(e.observed) for e in gate.record("plug").drift)


@pytest.mark.parametrize("shown", ["CANCELED", "COMPLETED"])
def test_what_a_device_has_begun_is_not_canceled_again_and_again(gate: TuyaStage, shown: str) -> None:
    gate.server.world.apply_settings({"tuyaCanceledBatch": shown})
    gate.behave(plug_1="offline", plug_2="neverReports")
    patient = plugs(backend=block(timeoutInMinutes=None))
    gate.run(patient)
    gate.advance(200)

    report = gate.cron(newer(patient, gate), rounds=4)

    assert len(asked(gate, "CancelOTATaskByJob")) == 1
    assert holds(report) == ["previous_revision_running"]


@pytest.mark.usefixtures("twos")
def test_a_plan_shows_the_rest_of_a_wave_once(gate: TuyaStage) -> None:
    from tests.support.builders import ENVIRONMENT

    throttled_fleet(gate)
    from otactl.backends.registry import backends_for
    from otactl.backends.tuya.definition import TuyaShape
    from otactl.planning.assess import as_seen, assess
    from otactl.planning.outlook import outlook

    transport = gate.transport()
    backend = backends_for(gate.environment(), transport)["tuya"]
    record, now = gate.record("plug"), transport.now()
    seen = backend.observe(*as_seen(plugs(), record), backend.survey())
    look = assess(ENVIRONMENT, plugs(), record, seen, TuyaShape(), (), now)

    assert len(look.plan.actions) == 1
    assert outlook(ENVIRONMENT, plugs(), look, TuyaShape(), TuyaShape().lower, (), now).rungs == ()


@pytest.mark.parametrize("third", ["plug-2", "plug-3"])
def test_going_back_to_earlier_content_is_for_the_devices_declared_now(gate: TuyaStage, third: str) -> None:
    gate.behave(**offline(*PLUGS))
    first = one("plug", "plug-1", "plug-2")
    other = newer(first, gate)
    gate.run(first)
    gate.advance(300)
    for _ in range(2):
        gate.run(other)
        gate.advance(300)
    gate.behave()
    gate.run(other)

    gate.cron(one("plug", "plug-1", third), rounds=6)

    assert gate.record("plug").phase is Phase.SUCCEEDED
    assert not any("of 0 devices" in e.message for e in gate.journal().history("prod-eu", "plug"))
