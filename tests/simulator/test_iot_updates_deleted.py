"""Deleting OTA updates: what goes with them, what stays, what is refused, and when an id is free again."""

from __future__ import annotations

import pytest

from tests.support.simulator.ota_updates import Ota, arn
from tests.support.simulator.stage import SimulatorStage, refusal


@pytest.fixture
def ota(stage: SimulatorStage) -> Ota:
    return Ota(stage)


def delete(ota: Ota, name: str = "u1", **flags: bool) -> None:
    """Ask for a deletion."""
    ota.iot.delete_ota_update(otaUpdateId=name, **flags)


def jobs(ota: Ota) -> list[str]:
    """The ids of the jobs that are there."""
    return [job["jobId"] for job in ota.iot.list_jobs()["jobs"]]


def test_a_deletion_takes_its_time_and_takes_the_tags_along(ota: Ota) -> None:
    ota.made(tags=[{"Key": "team", "Value": "soil"}])
    delete(ota, forceDeleteAWSJob=True)
    assert ota.status() == "DELETE_IN_PROGRESS"
    ota.stage.advance(5)

    assert refusal(ota.iot.get_ota_update, otaUpdateId="u1").code == "ResourceNotFoundException"
    ota.made()
    assert ota.iot.list_tags_for_resource(resourceArn=arn("otaupdate/u1"))["tags"] == []


@pytest.mark.parametrize("seconds", [0, 2])
def test_an_update_being_created_cannot_be_deleted(ota: Ota, seconds: float) -> None:
    ota.create()
    ota.stage.advance(seconds)

    assert refusal(delete, ota=ota)[:2] == (400, "InvalidRequestException")


def test_a_job_that_has_not_ended_keeps_its_update_unless_forced(ota: Ota) -> None:
    ota.made()
    reported = refusal(delete, ota=ota)
    assert reported[:2] == (400, "InvalidRequestException")
    assert "job AFR_OTA-u1 is IN_PROGRESS" in reported.message
    assert ota.status() == "CREATE_COMPLETE"
    delete(ota, forceDeleteAWSJob=True)


@pytest.mark.parametrize("ended", ["canceled", "gone"])
def test_a_job_that_ended_lets_its_update_go(ota: Ota, ended: str) -> None:
    ota.made()
    if ended == "canceled":
        ota.iot.cancel_job(jobId="AFR_OTA-u1")
    else:
        ota.iot.delete_job(jobId="AFR_OTA-u1", force=True)
        ota.stage.advance(60)
    delete(ota)
    ota.stage.advance(5)

    assert ota.names() == []


@pytest.mark.parametrize(("switch", "left"), [(True, []), (False, ["AFR_OTA-u1"])])
def test_whether_the_job_goes_too_is_a_switch(ota: Ota, switch: bool, left: list[str]) -> None:
    ota.stage.settings(deleteUpdateDeletesJob=switch)
    ota.made()
    delete(ota, forceDeleteAWSJob=True)
    ota.stage.advance(60)

    assert jobs(ota) == left


def test_a_job_that_stayed_spoils_the_next_creation_with_its_id(ota: Ota) -> None:
    ota.stage.settings(deleteUpdateDeletesJob=False)
    ota.made()
    delete(ota, forceDeleteAWSJob=True)
    ota.stage.advance(60)

    assert ota.failure()[0] == "ResourceAlreadyExistsException"


def test_an_id_is_free_again_once_update_and_job_are_gone(ota: Ota) -> None:
    ota.made()
    delete(ota, forceDeleteAWSJob=True)
    ota.stage.advance(60)

    assert ota.made()["otaUpdateStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(("flag", "left"), [(True, 0), (False, 1)])
def test_the_service_made_stream_goes_when_asked(ota: Ota, flag: bool, left: int) -> None:
    ota.made()
    delete(ota, forceDeleteAWSJob=True, deleteStream=flag)
    ota.stage.advance(60)

    assert len(ota.streams()) == left


def test_a_second_deletion_is_a_conflict(ota: Ota) -> None:
    ota.made()
    delete(ota, forceDeleteAWSJob=True)

    assert refusal(delete, ota=ota, forceDeleteAWSJob=True)[:2] == (409, "VersionConflictException")


def test_what_is_not_there_cannot_be_deleted(ota: Ota) -> None:
    assert refusal(delete, ota=ota, name="other")[:2] == (404, "ResourceNotFoundException")


def test_a_deletion_that_failed_says_why_and_can_be_repeated(ota: Ota) -> None:
    ota.stage.settings(otaDeleteFails=True)
    ota.made()
    delete(ota, forceDeleteAWSJob=True)
    ota.stage.advance(5)
    assert ota.get()["errorInfo"]["code"] == "InternalFailureException"
    assert ota.names(otaUpdateStatus="DELETE_FAILED") == ["u1"]

    ota.stage.settings(otaDeleteFails=False)
    delete(ota, forceDeleteAWSJob=True)
    assert "errorInfo" not in ota.get()
    ota.stage.advance(60)
    assert (ota.names(), jobs(ota)) == ([], [])


def test_too_many_jobs_being_deleted_fail_the_deletion(ota: Ota) -> None:
    ota.stage.settings(jobDeleteSeconds=3600)
    for number in range(11):
        ota.create(f"u{number}")
    ota.stage.advance(5)
    for number in range(11):
        delete(ota, f"u{number}", forceDeleteAWSJob=True)
    ota.stage.advance(5)

    assert ota.names() == ["u10"]
    assert ota.get("u10")["errorInfo"]["code"] == "LimitExceededException"


def test_a_stale_list_still_shows_what_is_gone(ota: Ota) -> None:
    ota.made()
    delete(ota, forceDeleteAWSJob=True)
    ota.stage.advance(5)
    ota.stage.post("faults", rules=[{"service": "iot", "operation": "ListOTAUpdates", "effect": "staleRead", "nth": 1}])

    assert ota.names() == ["u1"]
    assert ota.names() == []
