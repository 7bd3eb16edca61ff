"""`otactl adopt` over real HTTP: what runs or has run without otactl becomes rollouts, and nothing is sent twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from otactl.journal import SqlJournal
from otactl.model import Phase, Stage
from tests.support.adopting import Adopting, batch_by_hand, task_by_hand, update_by_hand
from tests.support.fuota_stage import BUCKET, KEY, FuotaStage, pushed
from tests.support.ota_stage import OtaStage
from tests.support.tuya_stage import PRODUCT, TuyaStage, package

Started = tuple[Adopting, str, str]
"""A folder, the id of a unit that another actor started, and the name of the rollout it becomes."""
Start = Callable[[], Started]


@pytest.fixture(params=["fuota", "otaUpdate", "tuya"])
def start(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """What starts a unit by hand at each service."""
    stages = {"fuota": "fuota_stage", "otaUpdate": "ota_stage", "tuya": "tuya_stage"}
    stage: Any = request.getfixturevalue(stages[request.param])

    def started() -> Started:
        here = Adopting(stage, tmp_path, monkeypatch)
        if request.param == "fuota":
            unit, name = task_by_hand(stage), "probe-2-4-1-spring"
        elif request.param == "otaUpdate":
            unit, name = update_by_hand(stage), "gateway-spring"
        else:
            unit, name = batch_by_hand(stage), "plug-2-4-1"
        stage.advance(30)
        return here, unit, name

    return started


def words(here: Adopting, unit: str) -> str:
    """What the command needs to know beside the environment, by service."""
    if isinstance(here.stage, TuyaStage):
        return f"--within {PRODUCT} --image {unit}=s3://{BUCKET}/{KEY}"
    return "" if isinstance(here.stage, OtaStage) else f"--version {unit}=2.4.1"


def test_a_unit_that_runs_is_a_rollout_that_sends_nothing_and_is_judged_at_its_end(start: Start) -> None:
    here, unit, name = start()

    found = here.adopt(words(here, unit))

    assert [(each["unit"], each["rollout"], each["phase"]) for each in found["adopted"]] == [
        (unit, name, "Progressing")
    ]
    assert found["leftAlone"] == []
    here.sends_nothing()
    here.stage.advance(2 * 3600)
    here.sends_nothing()
    record = here.record(name)
    assert (record.phase, record.attempts[0].vendor_id) == (Phase.SUCCEEDED, unit)
    assert not [entry for entry in record.drift if entry.open]


def test_a_unit_that_has_ended_is_a_rollout_that_is_done(start: Start) -> None:
    here, unit, name = start()
    here.stage.advance(2 * 3600)

    found = here.adopt(words(here, unit))

    assert [(each["phase"], each["version"]) for each in found["adopted"]] == [("Succeeded", "2.4.1")]
    assert {result.outcome for result in here.record(name).attempts[0].results} == {"succeeded"}
    here.sends_nothing()


def test_the_next_version_of_an_adopted_rollout_is_sent_as_every_other(start: Start) -> None:
    here, unit, name = start()
    here.stage.advance(2 * 3600)
    here.adopt(words(here, unit))
    newer = pushed(here.stage, "2.5.0", b"newer" * 500)
    if isinstance(here.stage, TuyaStage):
        content = package(firmwareId="1002", destVersion="2.5.0", sign=newer.sha256, size=newer.size_bytes)
        here.stage.cloud(firmwares=[content])
    text = here.manifest(name).read_text()
    for field, value in (("version", "2.5.0"), ("image", newer.image), ("sha256", newer.sha256)):
        text = re.sub(rf"{field}: .*", f'{field}: "{value}"', text, count=1)
    here.manifest(name).write_text(re.sub("sizeBytes: .*", f"sizeBytes: {newer.size_bytes}", text))
    before = len(here.stage.server.world.requests)

    (planned,) = here.planned()["rollouts"]
    ran = here.otactl("reconcile rollouts")

    assert [step["action"] for step in planned["next"]] == ["createUnit"]
    assert ran.exit_code == 0, ran.output
    created = {"CreateFuotaTask", "CreateOTAUpdate", "CreateOTAStaticUpgradeJob"} & set(here.written(before))
    assert len(created) == 1
    new = here.record(name).attempts[-1]
    assert (new.adopted, new.vendor_id not in (None, unit), new.number) == (False, True, 1)


def test_history_says_what_was_adopted_and_by_whom(ota_stage: OtaStage, tmp_path: Path, monkeypatch: Any) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)

    here.adopt("--actor ada")

    first = here.history("gateway-spring")[0]
    assert (first.kind, first.data["unit"], first.actor) == ("adopted", "Gateway_Spring", "ada")
    assert first.message == "adopted Gateway_Spring of AWS IoT Core, which another actor created"


def test_an_edit_by_hand_of_an_adopted_unit_is_drift_and_is_corrected_at_that_unit(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    ota_stage.behave(gw_1="offline")
    update_by_hand(ota_stage)
    ota_stage.advance(130)
    here.adopt()
    job = "AFR_OTA-Gateway_Spring"
    ota_stage.iot.update_job(jobId=job, jobExecutionsRolloutConfig={"maximumPerMinute": 7})

    ran = here.otactl("reconcile rollouts")

    assert ran.exit_code == 0, ran.output
    (corrected,) = [r for r in ota_stage.carried_out("UpdateJob") if "jobExecutionsRolloutConfig" in r["parameters"]][
        1:
    ]
    assert corrected["parameters"]["jobId"] == job
    fields = {entry.field: entry.observed for entry in here.record("gateway-spring").drift}
    assert fields["awsJobExecutionsRolloutConfig"] == {"maximumPerMinute": 7}


def test_a_unit_is_adopted_once_and_a_second_run_changes_nothing(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)
    here.adopt()
    text, events = here.manifest("gateway-spring").read_text(), here.history("gateway-spring")

    again = here.adopt()
    named = here.adopt("--unit Gateway_Spring")

    assert (again["adopted"], again["leftAlone"], named["adopted"]) == ([], [], [])
    assert (here.manifest("gateway-spring").read_text(), here.history("gateway-spring")) == (text, events)


def test_a_dry_run_shows_what_would_be_adopted_and_writes_nothing(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)

    found = here.adopt("--dry-run")

    assert [each["file"] for each in found["adopted"]] == ["rollouts/gateway-spring.yaml"]
    assert not here.manifest("gateway-spring").exists()
    assert here.record("gateway-spring").attempts == ()


def test_a_file_that_is_there_is_never_overwritten(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)
    here.manifest("gateway-spring").write_text("mine: true\n")

    found = here.adopt()

    assert [each["file"] for each in found["adopted"]] == ["rollouts/gateway-spring-2.yaml"]
    assert here.manifest("gateway-spring").read_text() == "mine: true\n"


def test_an_adoption_that_is_stopped_before_its_manifests_have_names_sends_nothing_and_is_completed(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)
    with monkeypatch.context() as broken:
        broken.setattr("os.link", lambda *_names: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        stopped = here.otactl("adopt prod-eu")
    assert (stopped.exit_code, "No space left on device; adopt again" in stopped.output) == (1, True)
    assert list(here.folder.glob("rollouts/*.yaml")) == []
    here.sends_nothing()

    listed = here.adopt()
    found = here.adopt("--unit Gateway_Spring")

    assert here.left(listed) == {"Gateway_Spring": ["manifest_is_missing"]}
    assert [(each["rollout"], each["restored"]) for each in found["adopted"]] == [("gateway-spring", True)]
    here.sends_nothing()
    assert here.record("gateway-spring").attempts[0].stage is Stage.RUNNING


def test_a_run_that_holds_the_environment_is_not_written_over(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)
    with SqlJournal(here.folder / ".otactl/journal.db") as journal:
        journal.acquire("prod-eu", "another-host/7", datetime.now(UTC))

        ran = here.otactl("adopt prod-eu")

    assert (ran.exit_code, "another-host/7" in ran.output) == (1, True), ran.output
    assert not here.manifest("gateway-spring").exists()


def test_without_a_journal_nothing_is_read(
    fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(fuota_stage, tmp_path, monkeypatch)
    (here.folder / ".otactl/journal.db").unlink()

    ran = here.otactl("adopt prod-eu")

    assert ran.exit_code == 1
    assert "otactl journal init" in ran.output
