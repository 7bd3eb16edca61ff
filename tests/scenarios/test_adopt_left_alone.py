"""`otactl adopt` over real HTTP: what is in doubt is left alone, each with its reason and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.adopting import Adopting, batch_by_hand, task_by_hand, update_by_hand
from tests.support.fuota_stage import BUCKET, GROUPS, IMAGE, KEY, FuotaStage, declared
from tests.support.ota_stage import OTA_ROLE_ARN, THINGS, OtaStage, gateway
from tests.support.tuya_stage import PLUGS, PRODUCT, TuyaStage, package

THIRD = "5b2c7d8e-0f1a-4b3c-9d4e-5f6a7b8c9d0e"


def test_fuota_tasks_in_doubt_are_listed_each_with_its_reason(
    fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(fuota_stage, tmp_path, monkeypatch)
    fuota_stage.fleet(groups=[{"name": "third", "id": THIRD, "rfRegion": "EU868", "devices": fuota_stage.euis[:1]}])
    open_ = task_by_hand(fuota_stage, "not started", start=False)
    old = task_by_hand(fuota_stage, "probe-2.4.0")
    fuota_stage.advance(7200)
    nameless = task_by_hand(fuota_stage, "spring")
    fuota_stage.advance(7200)
    fuota_stage.run(declared())
    fuota_stage.advance(60)
    fuota_stage.run(declared())

    found = here.adopt()

    left = here.left(found)
    assert (left[open_], left[old]) == (["unit_is_not_started"], ["version_is_not_known", "newer_unit_followed"])
    assert left[nameless] == ["version_is_not_known"]
    ours = next(each for each in found["leftAlone"] if each["unit"] not in (open_, old, nameless))
    assert [reason["code"] for reason in ours["reasons"]] == ["unit_has_our_marks"]
    assert found["adopted"] == []


def test_a_version_is_read_from_the_name_of_the_image_and_an_image_without_a_checksum_is_hashed(
    fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(fuota_stage, tmp_path, monkeypatch)
    fuota_stage.s3.put_object(Bucket=BUCKET, Key="by-hand/probe-2.4.1.bin", Body=IMAGE)
    monkeypatch.setattr("tests.support.adopting.KEY", "by-hand/probe-2.4.1.bin")
    task_by_hand(fuota_stage)
    fuota_stage.advance(4000)

    (unit,) = here.adopt()["adopted"]

    assert unit["version"] == "2.4.1"
    assert "firmware.version 2.4.1 is from the image's name" in unit["notes"]


def test_an_image_that_was_written_after_the_session_started_is_not_taken_for_what_was_sent(
    fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_by_hand(fuota_stage)  # at noon, and the image was put into S3 just now
    fuota_stage.advance(4000)
    here = Adopting(fuota_stage, tmp_path, monkeypatch)

    found = here.adopt(f"--unit {task} --version {task}=2.4.1", code=1)

    assert here.left(found) == {task: ["image_is_not_known"]}
    assert "was written at" in found["leftAlone"][0]["reasons"][0]["message"]


def test_two_tasks_on_the_air_at_one_group_are_not_adopted(
    fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(fuota_stage, tmp_path, monkeypatch)
    first, second = task_by_hand(fuota_stage, "probe"), task_by_hand(fuota_stage, "probe", *GROUPS)

    found = here.adopt(f"--version {first}=2.4.1 --version {second}=2.4.1")

    assert here.left(found) == {first: ["units_overlap"], second: ["units_overlap"]}


def test_ota_updates_in_doubt_are_listed_each_with_its_reason(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    canceled = update_by_hand(ota_stage, "canceled", THINGS[:1])
    ota_stage.advance(30)
    ota_stage.iot.cancel_job(jobId=f"AFR_OTA-{canceled}", force=True)
    place = {"s3Location": {"bucket": BUCKET, "key": KEY}}
    signed = {"customCodeSigning": {"hashAlgorithm": "SHA256", "signatureAlgorithm": "ECDSA"}}
    signed["customCodeSigning"] |= {  # type: ignore[operator]
        "signature": {"inlineDocument": b"s"},
        "certificateChain": {"certificateName": "/c"},
    }
    files = [{"fileName": f"/{n}", "fileVersion": "1", "fileLocation": place, "codeSigning": signed} for n in "ab"]
    things = [f"arn:aws:iot:eu-west-1:123456789012:thing/{THINGS[1]}"]
    ota_stage.iot.create_ota_update(otaUpdateId="two", targets=things, files=files, roleArn=OTA_ROLE_ARN)
    ota_stage.run(gateway())
    ota_stage.advance(30)
    ours = next(update for update in ota_stage.updates() if update not in ("two", canceled))

    found = here.adopt("--unit absent --unit two --unit canceled --unit " + ours, code=1)

    assert here.left(found) == {
        canceled: ["unit_was_canceled"],
        "two": ["image_is_not_known"],
        ours: ["unit_has_our_marks"],
        "absent": ["unit_is_not_found"],
    }
    assert all(reason["fix"] for each in found["leftAlone"] for reason in each["reasons"])


def test_tuya_batches_in_doubt_are_listed_each_with_its_reason(
    tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(tuya_stage, tmp_path, monkeypatch)
    tuya_stage.behave(plug_3="offline")
    placeless, canceled = batch_by_hand(tuya_stage, *PLUGS[:2]), batch_by_hand(tuya_stage, PLUGS[2])
    tuya_stage.by_hand("CancelOTATaskByJob", JobId=canceled, CancelQueuedTask=True, CancelNotifiedTask=True)
    tuya_stage.cloud(firmwares=[package(firmwareId="1009", destVersion="2.4.2", sign="0" * 32, signMethod="MD5")])
    made = tuya_stage.by_hand(
        "CreateOTAStaticUpgradeJob", FirmwareId="1009", TargetSelection="SPECIFIC", TargetDeviceName=[PLUGS[3]]
    )
    other = str(made["data"]["jobId"])
    tuya_stage.advance(60)

    found = here.adopt(f"--within {PRODUCT} --image {other}=s3://{BUCKET}/{KEY}")

    assert here.left(found) == {
        placeless: ["image_place_is_not_known"],
        canceled: ["unit_was_canceled"],
        other: ["image_is_not_known"],
    }


def test_a_service_that_lists_by_product_says_what_it_needs(
    tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(tuya_stage, tmp_path, monkeypatch)

    found = here.adopt("--service tuya")

    (note,) = found["notRead"]
    assert (note["service"], note["reason"]) == ("tuya", "")
    assert "--within" in note["message"]


def test_a_service_that_refuses_is_reported_and_the_others_are_read(
    ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    update_by_hand(ota_stage)
    ota_stage.advance(30)
    ota_stage.fault(service="iotwireless", operation="ListFuotaTasks", probability=1, effect="error500")
    monkeypatch.setattr("otactl.backends.transport.call_policy.CallPolicy.backoff", lambda *_given: None)

    found = here.adopt()

    assert [each["unit"] for each in found["adopted"]] == ["Gateway_Spring"]
    assert [(each["service"], bool(each["reason"])) for each in found["notRead"]] == [("fuota", True)]


def test_wrong_credentials_adopt_nothing(ota_stage: OtaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Adopting(ota_stage, tmp_path, monkeypatch)
    place = here.folder / "rollouts/environments/prod-eu.yaml"
    place.write_text(place.read_text().replace("123456789012", "210987654321"))

    ran = here.otactl("adopt prod-eu")

    assert ran.exit_code == 1
    assert "these credentials are of account 123456789012, environment prod-eu is 210987654321" in ran.output
