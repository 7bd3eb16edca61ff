"""Rollouts as their manifests change: what is next is what is sent, an edit is an update where that is possible."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import msgspec
import pytest

from otactl.backends.fuota.backend import FuotaBackend
from otactl.model import Gate, Phase, Rollout, Strategy, Suspend
from otactl.planning.assess import assess
from otactl.reconcile.observe import observe_rollout
from otactl.state.intents import recorded
from tests.support.fuota_stage import FuotaStage, declared, environment

EXTRA = "91cd3f21-6c8d-4b66-9d4f-2e3a4b5c6d03"


def changed(**fields: object) -> Rollout:
    """The rollout with another backend block; a change of content gives another generation."""
    base = declared()
    return declared(backend=msgspec.structs.replace(base.backend, **fields))


@pytest.fixture
def opened(fuota_stage: FuotaStage) -> FuotaStage:
    """A canary task made and filled, its start held by a device that is not ready."""
    fuota_stage.deafen()
    fuota_stage.run()
    fuota_stage.advance(180)
    return fuota_stage


def writes(fuota_stage: FuotaStage) -> list[tuple[str, object]]:
    """Every write the service carried out, in order."""
    logged = fuota_stage.server.world.requests
    carried_out = [r for r in logged if r["service"] == "iotwireless" and r["status"] in (201, 204)]
    return [(str(r["operation"]), r["parameters"]) for r in carried_out]


def test_content_declared_again_before_the_start_is_an_update_of_the_same_task(opened: FuotaStage) -> None:
    task = opened.task()["Id"]

    opened.run(changed(redundancy_percent=40))

    assert opened.task()["Id"] == task
    assert opened.task()["RedundancyPercent"] == 40
    attempts = opened.record().attempts
    assert [(a.number, a.stage.value) for a in attempts] == [(1, "open")]
    assert attempts[0].generation == changed(redundancy_percent=40).generation
    assert opened.record().drift == ()
    tags = {
        t["Key"]: t["Value"] for t in opened.wireless.list_tags_for_resource(ResourceArn=opened.task()["Arn"])["Tags"]
    }
    assert tags["otactl:generation"] == changed(redundancy_percent=40).generation
    assert opened.task()["Name"].endswith(attempts[0].unit_id)


def test_a_field_that_is_not_declared_any_more_needs_another_task(opened: FuotaStage) -> None:
    before = opened.task()["Id"]

    opened.run(changed(description=None))
    opened.advance(180)
    opened.run(changed(description=None))

    listed = opened.wireless.list_fuota_tasks()["FuotaTaskList"]
    assert [t["Id"] for t in listed] != [before]
    (now,) = [opened.wireless.get_fuota_task(Id=t["Id"]) for t in listed]
    assert "Description" not in now
    assert [a.stage.value for a in opened.record().attempts] == ["superseded", "open"]
    opened.deafen(False)
    opened.drive(changed(description=None))
    assert opened.record().phase is Phase.SUCCEEDED


def test_content_declared_again_after_the_start_ends_the_session_and_makes_another_task(
    fuota_stage: FuotaStage,
) -> None:
    fuota_stage.run()
    assert fuota_stage.task()["Status"] == "FuotaSession_Waiting"

    fuota_stage.drive(changed(redundancy_percent=40))

    record = fuota_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert [a.stage.value for a in record.waves[0].attempts] == ["superseded", "deleted"]
    assert len(fuota_stage.made()) == 3
    assert record.drift == ()


def test_a_gate_that_is_not_reached_fails_the_wave_and_nothing_follows(fuota_stage: FuotaStage) -> None:
    fuota_stage.fleet(devices=[{"devEui": fuota_stage.euis[0], "rfRegion": "EU868", "behaviour": "notEnoughMemory"}])

    report = fuota_stage.drive()

    assert report.rollouts[0].phase == "Failed"
    assert [h.reason for h in report.rollouts[0].holds] == ["success_rate_is_too_low"]
    assert len(fuota_stage.made()) == 1
    verdict = fuota_stage.record().waves[0].verdict
    assert verdict is not None
    assert (verdict.passed, verdict.succeeded, verdict.failed, verdict.total) == (False, 2, 1, 3)
    assert {r.reason.value for r in fuota_stage.record().attempts[0].results if r.reason} == {"noMemory"}


def test_a_gate_lowered_by_pull_request_lets_the_next_wave_go(fuota_stage: FuotaStage) -> None:
    fuota_stage.fleet(devices=[{"devEui": fuota_stage.euis[0], "rfRegion": "EU868", "behaviour": "notEnoughMemory"}])
    fuota_stage.drive()
    waves = declared().strategy.waves

    fuota_stage.drive(declared(strategy=Strategy(waves=waves, gate=Gate(min_success_percent=60))))

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(fuota_stage.made()) == 2


def test_cleanup_never_keeps_the_done_tasks(fuota_stage: FuotaStage) -> None:
    fuota_stage.drive(declared(cleanup="never"))

    assert fuota_stage.record().phase is Phase.SUCCEEDED
    statuses = [
        fuota_stage.wireless.get_fuota_task(Id=t["Id"])["Status"]
        for t in fuota_stage.wireless.list_fuota_tasks()["FuotaTaskList"]
    ]
    assert statuses == ["FuotaDone", "FuotaDone"]
    assert fuota_stage.writes("DeleteFuotaTask") == []


def test_a_suspended_rollout_makes_nothing_and_goes_on_when_resumed(fuota_stage: FuotaStage) -> None:
    held = declared(suspend=Suspend(reason="customer asked", owner="ada"))

    report = fuota_stage.run(held)

    assert (report.rollouts[0].phase, fuota_stage.made()) == ("Suspended", [])
    assert "customer asked (held by ada)" in report.rollouts[0].holds[0].message
    fuota_stage.drive()
    assert fuota_stage.record().phase is Phase.SUCCEEDED


def test_a_finished_rollout_is_not_read_again(fuota_stage: FuotaStage) -> None:
    fuota_stage.drive()
    before = len(fuota_stage.server.world.requests)

    fuota_stage.run()

    asked = [str(r["operation"]) for r in fuota_stage.server.world.requests[before:]]
    assert sorted(asked) == ["GetCallerIdentity", "ListFuotaTasks"]


def test_the_calls_a_plan_shows_are_the_calls_that_are_sent(fuota_stage: FuotaStage) -> None:
    """Step by step, to the end: plan, note its calls, reconcile one step, compare with what the service saw."""
    fuota_stage.deafen()
    shown: list[tuple[str, object]] = []
    for _ in range(40):
        wire = fuota_stage.transport()
        here = environment(journal_id=fuota_stage.journal().identity().id)
        backend = FuotaBackend(here, wire)
        stored = fuota_stage.journal().load("prod-eu", "probe").record
        seen = observe_rollout(backend, declared(), stored, backend.survey())
        look = assess(here, declared(), stored, seen, backend, (), wire.now())
        calls = [c for a in look.plan.actions for c in backend.lower(a, seen)]
        before = len(writes(fuota_stage))
        one_step(fuota_stage)
        sent = writes(fuota_stage)[before:]
        expected = [(c.operation, recorded(c).parameters) for c in calls]
        assert [o for o, _ in sent] == [o for o, _ in expected]
        assert [plain(p) for _, p in sent] == [plain(p) for _, p in expected]
        shown += expected
        if not calls:
            fuota_stage.deafen(False)
            fuota_stage.advance(3600)
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert len(shown) == 8


def one_step(fuota_stage: FuotaStage) -> None:
    """One pass only: the second one's first read ends the run."""
    identities = 0

    def once(service: str, operation: str, send):
        nonlocal identities
        identities += operation == "ListFuotaTasks"
        if identities > 1:
            raise StopHereError
        return send()

    fuota_stage.run(transport=fuota_stage.transport(around=once))


class StopHereError(Exception):
    """The step is over."""


def plain(parameters: object) -> object:
    """Times to the second and blobs as text, as both the log and the plan may show them; the plan is a moment older."""
    if isinstance(parameters, dict):
        if set(parameters) == {"base64"}:
            return base64.b64decode(parameters["base64"]).decode()
        return {k: "a time" if k == "StartTime" else plain(v) for k, v in parameters.items()}
    if isinstance(parameters, list):
        return [plain(v) for v in parameters]
    if isinstance(parameters, datetime):
        return parameters.astimezone(UTC).isoformat()
    return parameters


def test_a_group_declared_after_its_waves_start_is_not_put_in_and_gets_a_wave_at_the_end(
    fuota_stage: FuotaStage,
) -> None:
    device = {"devEui": "70b3d57ed00000f1", "rfRegion": "EU868"}
    extra = {"id": EXTRA, "name": "extra", "rfRegion": "EU868", "devices": [device["devEui"]]}
    fuota_stage.fleet(devices=[device], groups=[extra])
    fuota_stage.run()
    fuota_stage.advance(180)
    waves = declared().strategy.waves
    targets = msgspec.structs.replace(waves[0].targets, multicast_groups=(*waves[0].targets.multicast_groups, EXTRA))
    more = declared(strategy=Strategy(waves=(msgspec.structs.replace(waves[0], targets=targets), waves[1])))

    fuota_stage.run(more)
    before = len(fuota_stage.writes("AssociateMulticastGroupWithFuotaTask"))
    fuota_stage.drive(more)

    assert before == 1
    assert fuota_stage.record().phase is Phase.SUCCEEDED
    assert [w.name for w in fuota_stage.record().waves] == [waves[0].name, waves[1].name, "top-up"]
    assert [w.members for w in fuota_stage.record().waves][2] == (f"group:{EXTRA}",)
    assert len(fuota_stage.writes("AssociateMulticastGroupWithFuotaTask")) == 3
