"""A manifest goes back to an earlier revision after another one reached only some of the devices."""

from __future__ import annotations

from msgspec.structs import replace

from otactl.model import Phase, Rollout
from tests.support.fuota_stage import pushed
from tests.support.ota_stage import THINGS, OtaStage, one_wave


def at_rest(ota_stage: OtaStage, *names: str) -> None:
    ota_stage.fleet(things=[{"name": n, "behaviour": "offline" if n in names else "normal"} for n in THINGS])


def interrupted(ota_stage: OtaStage) -> Rollout:
    """Five gateways have the first revision; a second one reached gw-1 alone, and the others are offline."""
    first = one_wave(allow_downgrade=True)
    second = replace(first, firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))
    ota_stage.cron(first, rounds=4)
    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    at_rest(ota_stage, *THINGS[1:])
    ota_stage.cron(second, rounds=3, minutes=2)
    return first


def test_only_what_the_other_revision_reached_is_sent_again(ota_stage: OtaStage) -> None:
    first = interrupted(ota_stage)

    ota_stage.cron(first, rounds=2)
    at_rest(ota_stage)
    ota_stage.cron(first, rounds=4)

    record = ota_stage.remembered()
    assert record.phase is Phase.SUCCEEDED
    assert ota_stage.installs() == {**dict.fromkeys(THINGS, 1), "gw-1": 3}
    assert ota_stage.most_installs_of_one_image() == 2
    assert record.waves[0].verdict.total == len(THINGS)


def test_it_is_sent_to_all_where_the_manifest_says_so(ota_stage: OtaStage) -> None:
    first = replace(interrupted(ota_stage), resend=True)

    ota_stage.cron(first, rounds=2)
    at_rest(ota_stage)
    ota_stage.cron(first, rounds=4)

    assert ota_stage.installs() == {**dict.fromkeys(THINGS, 2), "gw-1": 3}


def test_a_thing_that_may_have_started_the_other_revision_is_sent_it_again(ota_stage: OtaStage) -> None:
    first = one_wave(allow_downgrade=True)
    second = replace(first, firmware=pushed(ota_stage, "2.5.0", b"newer" * 500))
    ota_stage.cron(first, rounds=4)
    ota_stage.fleet(things=[{"name": n, "behaviour": "stuck" if n == "gw-1" else "offline"} for n in THINGS])
    ota_stage.cron(second, rounds=2, minutes=2)
    (update,) = ota_stage.updates()
    ota_stage.iot.cancel_job(jobId=f"AFR_OTA-{update}", force=True)
    ota_stage.advance(300)
    ota_stage.run(second)

    at_rest(ota_stage)
    ota_stage.cron(first, rounds=6)

    assert ota_stage.remembered().phase is Phase.SUCCEEDED
    images = {t["name"]: t["installs"].get(first.firmware.sha256) for t in ota_stage.stored("iot")["things"]}
    assert images["gw-1"] == 2
