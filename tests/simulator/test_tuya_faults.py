"""Faults of Tuya's gateway, met by the project's own transport."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import TuyaAccess
from otactl.backends.tuya.schemas import (
    FIRMWARES,
    JOBS_BY_FIRMWARE,
    MADE_JOB,
    MODULE_VERSIONS,
    TASKS_BY_JOB,
    UNFINISHED_TASKS,
    single_of,
)
from otactl.errors import StalledError, TransientError
from otactl.model import Environment
from tests.support.builders import SOURCE
from tests.support.simulator.stage import SimulatorStage
from tests.support.simulator.tuya_client import FIRMWARE, KEY, PRODUCT, SECRET, TuyaRequests

CREATE, READ = "CreateOTAStaticUpgradeJob", "QueryOTAFirmware"


@pytest.fixture
def tuya_requests(stage: SimulatorStage) -> TuyaRequests:
    """A gateway with a product, a package and two devices."""
    found = TuyaRequests(stage)
    found.populate()
    return found


@pytest.fixture
def sender(tuya_requests: TuyaRequests) -> Iterator[TuyaClient]:
    """The transport, with the gateway's time."""
    with transport(tuya_requests) as found:
        yield found


def transport(tuya_requests: TuyaRequests, **changes: object) -> TuyaClient:
    """A transport to the gateway."""
    access = TuyaAccess(endpoint=f"{tuya_requests.stage.url}/", access_key_id_env="ID", access_key_secret_env="SECRET")
    environment = Environment(
        name="e",
        owner="acme",
        account="123456789012",
        region="eu-west-1",
        source=SOURCE,
        access={"tuya": access},
        call_rates={"tuya:*": 1e6},
    )
    given: dict[str, object] = {"now": tuya_requests.stage.now, "environ": {"ID": KEY, "SECRET": SECRET}, **changes}
    return TuyaClient(environment, sleep=lambda _s: None, seed=1, **given)


def fault(tuya_requests: TuyaRequests, **rule: object) -> None:
    """Put one fault in force."""
    tuya_requests.stage.post("faults", rules=[{"service": "tuya", **rule}])


def jobs(tuya_requests: TuyaRequests) -> int:
    """How many batches there are."""
    return len(tuya_requests.state()["jobs"])


def test_a_whole_batch_by_the_projects_own_transport(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    (package,) = sender.rows(FIRMWARES, {"ProductKey": PRODUCT, "DestVersion": "2.0"})
    asked = tuya_requests.specific("d0", "d1", NeedPush=True)
    job = single_of(MADE_JOB, sender.send(sender.prepare(CREATE, asked))).job_id
    (unfinished,) = sender.rows(UNFINISHED_TASKS, {"ProductKey": PRODUCT, "DeviceName": "d1"})
    tuya_requests.stage.advance(3600)
    done = sender.rows(TASKS_BY_JOB, {"JobId": job})
    (version,) = sender.rows(MODULE_VERSIONS, {"ProductKey": PRODUCT, "DeviceName": "d1"})

    assert (package.firmware_id, package.status, unfinished.job_id) == (FIRMWARE, 1, job)
    assert [(task.task_status, task.progress) for task in done] == [("SUCCEEDED", 100)] * 2
    assert version.module_version == "2.0"
    assert tuya_requests.installs() == {"d0": {"f00d": 1}, "d1": {"f00d": 1}}


def test_a_list_of_many_pages_is_read_whole(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    tuya_requests.populate(*({} for _ in range(200)))
    job = tuya_requests.batch(*(f"d{n}" for n in range(200)))
    assert len({task.device_name for task in sender.rows(TASKS_BY_JOB, {"JobId": job})}) == 200


def test_a_throttled_request_uses_no_nonce_up_and_is_not_carried_out(
    tuya_requests: TuyaRequests, sender: TuyaClient
) -> None:
    fault(tuya_requests, operation=CREATE, effect="throttle", count=2)
    sender.call(CREATE, tuya_requests.specific("d0"), repeatable=False)
    assert (jobs(tuya_requests), sender.stats.throttled) == (1, 2)


def test_an_error_500_leaves_a_write_in_doubt(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    fault(tuya_requests, operation=CREATE, effect="error500")
    with pytest.raises(TransientError) as caught:
        sender.call(CREATE, tuya_requests.specific("d0"), repeatable=False)
    assert (caught.value.committed, jobs(tuya_requests)) == (None, 0)


@pytest.mark.parametrize(("effect", "made"), [("timeoutBeforeCommit", 0), ("timeoutAfterCommit", 1)])
def test_a_lost_answer_tells_nothing_of_what_was_done(
    tuya_requests: TuyaRequests, sender: TuyaClient, effect: str, made: int
) -> None:
    fault(tuya_requests, operation=CREATE, effect=effect)
    with pytest.raises(TransientError) as caught:
        sender.call(CREATE, tuya_requests.specific("d0"), repeatable=False)
    assert (caught.value.committed, jobs(tuya_requests)) == (None, made)


def test_a_lost_read_is_read_again(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    fault(tuya_requests, operation=READ, effect="timeoutAfterCommit", count=3)
    assert sender.call(READ, {"FirmwareId": FIRMWARE}, repeatable=True)["success"] is True


def test_a_late_request_is_carried_out_when_it_comes_in(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    fault(tuya_requests, operation=CREATE, effect="late", seconds=600, count=1)
    with pytest.raises(TransientError) as caught:
        sender.call(CREATE, tuya_requests.specific("d0"), repeatable=False)
    assert (caught.value.committed, jobs(tuya_requests)) == (None, 0)
    tuya_requests.stage.advance(590)
    assert jobs(tuya_requests) == 0
    tuya_requests.stage.advance(20)
    assert jobs(tuya_requests) == 1
    came, arrived = tuya_requests.stage.requests()[-2:]
    assert [(r["fault"], r["status"]) for r in (came, arrived)] == [("late", 0), ("lateArrival", 0)]
    assert came["parameters"] == arrived["parameters"]


def test_a_late_request_is_of_the_moment_it_came_in_however_far_the_clock_jumps(
    tuya_requests: TuyaRequests, sender: TuyaClient
) -> None:
    before = tuya_requests.stage.now()
    fault(tuya_requests, operation=CREATE, effect="late", seconds=600, count=1)
    with pytest.raises(TransientError):
        sender.call(CREATE, tuya_requests.specific("d0"), repeatable=False)
    tuya_requests.stage.advance(86400)
    (job,) = tuya_requests.state()["jobs"]
    assert datetime.fromisoformat(job["createdAt"]) - before == timedelta(seconds=600)
    assert job["status"] == "COMPLETED"


def test_a_request_later_than_the_window_is_refused_by_nobodys_hand(
    tuya_requests: TuyaRequests, sender: TuyaClient
) -> None:
    fault(tuya_requests, operation=CREATE, effect="late", seconds=902, count=1)
    with pytest.raises(TransientError):
        sender.call(CREATE, tuya_requests.specific("d0"), repeatable=False)
    tuya_requests.stage.advance(3600)
    assert jobs(tuya_requests) == 0
    assert tuya_requests.stage.requests()[-1]["errorCode"] == "InvalidTimeStamp.Expired"


def test_what_was_signed_early_leaves_the_window_early(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    prepared = sender.prepare(CREATE, tuya_requests.specific("d0"))
    tuya_requests.stage.advance(600)
    fault(tuya_requests, operation=CREATE, effect="late", seconds=400, count=1)
    with pytest.raises(TransientError):
        sender.send(prepared)
    tuya_requests.stage.advance(401)
    assert jobs(tuya_requests) == 0


def test_late_is_for_this_gateway_alone(tuya_requests: TuyaRequests) -> None:
    status, _ = tuya_requests.stage.ask("POST", "faults", b'{"rules": [{"service": "iot", "effect": "late"}]}')
    assert status == 400


def test_a_stale_list_lags_behind(tuya_requests: TuyaRequests, sender: TuyaClient) -> None:
    job = tuya_requests.batch("d0")
    fault(tuya_requests, operation="*", effect="staleRead")
    asked = {"ProductKey": PRODUCT, "DeviceName": "d0"}
    assert sender.rows(JOBS_BY_FIRMWARE, {"FirmwareId": FIRMWARE}) == ()
    assert sender.rows(UNFINISHED_TASKS, asked) == ()
    assert sender.rows(TASKS_BY_JOB, {"JobId": job}) == ()
    tuya_requests.stage.advance(61)
    assert [task.task_status for task in sender.rows(TASKS_BY_JOB, {"JobId": job})] == ["NOTIFIED"]
    assert [row.module_version for row in sender.rows(MODULE_VERSIONS, asked)] == ["1.0"]
    tuya_requests.stage.settings(tuyaStaleSeconds=0)
    assert [row.module_version for row in sender.rows(MODULE_VERSIONS, asked)] == ["2.0"]


def test_a_read_by_a_clock_that_is_hours_off_is_signed_by_the_gateways(tuya_requests: TuyaRequests) -> None:
    with transport(tuya_requests, now=lambda: tuya_requests.stage.now() - timedelta(hours=5)) as late:
        assert late.call(READ, {"FirmwareId": FIRMWARE}, repeatable=True)["success"] is True
        assert single_of(MADE_JOB, late.call(CREATE, tuya_requests.specific("d0"), repeatable=False)).job_id


def test_a_nonce_that_is_not_new_stalls(tuya_requests: TuyaRequests) -> None:
    with transport(tuya_requests, nonce=lambda: "always the same") as sender:
        sender.call(READ, {"FirmwareId": FIRMWARE}, repeatable=True)
        with pytest.raises(StalledError) as caught:
            sender.call(READ, {"FirmwareId": FIRMWARE}, repeatable=True)
    assert caught.value.reason == "NonceUsed"


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("environ", "reason"),
    [({"ID": KEY, "SECRET": "an0ther"}, "SignatureRefused"), ({"ID": "AK2", "SECRET": SECRET}, "AccessKeyUnknown")],
)
def test_a_wrong_key_stalls_and_is_not_shown(
    tuya_requests: TuyaRequests, environ: dict[str, str], reason: str, status: int
) -> None:
    tuya_requests.stage.settings(tuyaFailureStatus=status)
    with transport(tuya_requests, environ=environ) as sender, pytest.raises(StalledError) as caught:
        sender.call(READ, {"FirmwareId": FIRMWARE}, repeatable=True)
    assert caught.value.reason == reason
    assert "AK" not in str(caught.value)
    assert environ["SECRET"] not in str(caught.value)


def test_a_gateway_that_answers_xml_is_reported_in_one_line(tuya_requests: TuyaRequests) -> None:
    with transport(tuya_requests, common={"Format": "XML"}) as sender, pytest.raises(StalledError) as caught:
        sender.call(READ, {"FirmwareId": FIRMWARE}, repeatable=True)
    assert caught.value.reason == "AnswerInvalid"
    assert "is XML" in str(caught.value)
