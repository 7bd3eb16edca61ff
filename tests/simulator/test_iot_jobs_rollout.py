"""How a job reaches its things: pace, membership, abort, timeouts, retries, completion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.simulator.iot_fleet import Floor, abort, arn, names
from tests.support.simulator.stage import SimulatorStage


@pytest.fixture
def floor(stage: SimulatorStage) -> Floor:
    return Floor(stage)


def exponential(base: int, factor: float, **criteria: int) -> dict[str, Any]:
    """A roll-out configuration with an exponential rate."""
    rate = {"baseRatePerMinute": base, "incrementFactor": factor, "rateIncreaseCriteria": criteria}
    return {"jobExecutionsRolloutConfig": {"exponentialRate": rate}}


def notified(floor: Floor, minutes: int) -> list[int]:
    """How many things were notified by the beginning of each minute."""
    found = []
    for _ in range(minutes):
        found.append(sum(floor.counts().values()))
        floor.stage.advance(60)
    return found


def test_without_a_rate_everyone_is_notified_at_once(floor: Floor) -> None:
    floor.things(*names(30), group="g", behaviour="offline")
    floor.job()
    assert floor.counts() == {"Queued": 30}
    assert floor.shown()["isConcurrent"] is False


def test_at_most_1000_things_are_notified_a_minute(floor: Floor) -> None:
    floor.things(*names(2100), group="g", behaviour="offline")
    floor.job(**exponential(900, 5, numberOfNotifiedThings=1))
    assert notified(floor, 3) == [900, 1900, 2100]


def test_a_constant_rate_notifies_so_many_a_minute(floor: Floor) -> None:
    floor.things(*names(7), group="g", behaviour="offline")
    floor.job(jobExecutionsRolloutConfig={"maximumPerMinute": 3})
    assert floor.shown()["isConcurrent"] is True
    assert floor.shown()["jobProcessDetails"]["processingTargets"] == [arn("thinggroup/g")]
    assert notified(floor, 3) == [3, 6, 7]
    assert floor.shown()["isConcurrent"] is False
    assert "processingTargets" not in floor.shown()["jobProcessDetails"]


def test_an_exponential_rate_grows_with_who_was_notified(floor: Floor) -> None:
    floor.things(*names(40), group="g", behaviour="offline")
    floor.job(**exponential(2, 2, numberOfNotifiedThings=4))
    # 2 a minute until 4 were notified, then 4, 8, ...: 4//4=1 step at minute 2, 8//4=2 at minute 3, 16//4=4 at minute 4
    assert notified(floor, 5) == [2, 4, 8, 16, 40]


def test_an_exponential_rate_grows_with_who_succeeded(floor: Floor) -> None:
    floor.things(*names(5), group="g", behaviour="normal", seconds=30)
    floor.things(*names(40, "o"), group="g", behaviour="offline")
    floor.job(**exponential(3, 2, numberOfSucceededThings=3))
    # 3 succeeded by minute 1, 5 by minute 2: one step from then on, the offline ones add none
    assert notified(floor, 4) == [3, 9, 15, 21]


def test_a_rate_changed_by_update_job_holds_from_the_next_minute(floor: Floor) -> None:
    floor.things(*names(20), group="g", behaviour="offline")
    floor.job(jobExecutionsRolloutConfig={"maximumPerMinute": 2})
    assert notified(floor, 2) == [2, 4]
    floor.iot.update_job(jobId="j", jobExecutionsRolloutConfig={"maximumPerMinute": 5})
    assert notified(floor, 2) == [6, 11]


def test_each_thing_gets_a_job_once_however_often_it_is_targeted(floor: Floor) -> None:
    floor.things("t", "u", group="g", behaviour="offline")
    floor.things("t", group="h", behaviour="offline")
    floor.job("j", "thing/t", "thinggroup/g", "thinggroup/h")
    assert floor.statuses() == {"t": "QUEUED", "u": "QUEUED"}


def test_a_snapshot_job_ignores_who_joins_later_and_completes(floor: Floor) -> None:
    floor.things("t", group="g")
    floor.job()
    floor.things("u", group="g")
    floor.stage.advance(60)
    assert floor.statuses() == {"t": "SUCCEEDED"}
    shown = floor.shown()
    assert (shown["status"], shown["completedAt"]) == ("COMPLETED", floor.stage.now())


def test_a_snapshot_job_completes_whatever_became_of_its_things(floor: Floor) -> None:
    floor.things("a", group="g", behaviour="failsDownload")
    floor.things("b", group="g", behaviour="rejects")
    floor.job()
    floor.stage.advance(60)
    assert (floor.shown()["status"], floor.counts()) == ("COMPLETED", {"Failed": 1, "Rejected": 1})


def test_a_snapshot_job_of_an_empty_group_completes_at_once(floor: Floor) -> None:
    floor.things(group="g")
    floor.job()
    assert floor.shown()["status"] == "COMPLETED"


def test_a_continuous_job_takes_who_joins_at_once_and_never_completes(floor: Floor) -> None:
    floor.things("t", group="g")
    floor.things("u", "v")
    floor.job(targetSelection="CONTINUOUS", jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    floor.stage.advance(3600)
    for thing in ("u", "v"):
        floor.iot.add_thing_to_thing_group(thingGroupName="g", thingName=thing)
    assert floor.statuses() == {"t": "SUCCEEDED", "u": "IN_PROGRESS", "v": "IN_PROGRESS"}
    floor.stage.advance(3600)
    assert (floor.shown()["status"], floor.counts()) == ("IN_PROGRESS", {"Succeeded": 3})


def busy(floor: Floor) -> None:
    """Two jobs with everything that moves by the clock, on a mixed fleet."""
    mixed = ("normal", "late", "failsDownload", "stuck", "rollsBack", "quietSuccess", "offline", "rejects")
    for number, behaviour in enumerate(mixed):
        floor.things(*names(5, behaviour), group="g", behaviour=behaviour, seconds=7 + 13 * number)
    retries = {"criteriaList": [{"failureType": "ALL", "numberOfRetries": 1}]}
    rate = exponential(2, 1.5, numberOfSucceededThings=2)
    floor.job("a", timeoutConfig={"inProgressTimeoutInMinutes": 9}, jobExecutionsRetryConfig=retries, **rate)
    floor.job("b", jobExecutionsRolloutConfig={"maximumPerMinute": 3}, **abort("ALL", 60, 12))


def test_one_jump_of_the_clock_does_what_many_small_steps_do(stage: SimulatorStage) -> None:
    floor = Floor(stage)

    def after(step: float, total: float) -> Any:
        stage.reset()
        busy(floor)
        began = stage.now()
        for _ in range(int(total / step)):
            stage.advance(step)
        held = floor.held()
        times = [
            (job["id"], e["thing"], e["number"], e["status"], _offset(e["updatedAt"], began))
            for job in held["jobs"]
            for e in job["executions"]
        ]
        things = [(t["name"], t["installs"]) for t in held["things"]]
        return times, things, [(job["id"], job["status"], job["counts"]) for job in held["jobs"]]

    assert after(100_000, 100_000) == after(250, 100_000)


def _offset(moment: str, began: Any) -> float:
    """Seconds since the beginning, as two runs start at different times."""
    return round((type(began).fromisoformat(moment) - began).total_seconds(), 3)


def test_5000_things_are_rolled_out_in_one_jump(floor: Floor) -> None:
    floor.things(*names(5000), group="g")
    floor.job()
    floor.stage.advance(86_400)
    assert (floor.shown()["status"], floor.counts()) == ("COMPLETED", {"Succeeded": 5000})
