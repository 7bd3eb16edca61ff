"""A create without an answer beside a batch of a journal that was lost: same package, same devices."""

from __future__ import annotations

import pytest
from msgspec.structs import replace as changed

from otactl.model import Abort, Phase, Rollout, Stage
from tests.support.fuota_stage import lose_journal
from tests.support.tuya_manifests import lose_the_create, one, reports
from tests.support.tuya_stage import PACKAGE, TuyaStage, package

TWO = ("plug-1", "plug-2")
DECLARED = one("plug", *TWO)


def two_batches(tuya_stage: TuyaStage, *, second: str) -> None:
    """A batch of the lost journal has succeeded; the devices are sent the image again, and no answer comes."""
    tuya_stage.run(DECLARED)
    tuya_stage.advance(600)
    tuya_stage.run(DECLARED)
    lose_journal(tuya_stage.folder)
    reports(tuya_stage, "2.4.0", *TWO)  # the image is older again: the new journal has to send it
    tuya_stage.behaviours(plug_1=second)
    lose_the_create(tuya_stage, DECLARED, "timeoutAfterCommit")


def holds(tuya_stage: TuyaStage) -> dict[str, str]:
    return {h.reason: h.message for h in tuya_stage.record("plug").holds}


def test_two_ended_batches_with_equal_results_are_one_outcome_once_no_late_copy_can_arrive(
    tuya_stage: TuyaStage,
) -> None:
    two_batches(tuya_stage, second="")
    tuya_stage.advance(600)
    tuya_stage.run(DECLARED)
    early = tuya_stage.record("plug")

    tuya_stage.cron(DECLARED, rounds=2)

    assert [a.stage for a in early.attempts] == [Stage.DECLARED]
    assert "lost_create_is_ambiguous" not in {h.reason for h in early.holds}
    assert (tuya_stage.record("plug").phase, len(tuya_stage.batches())) == (Phase.SUCCEEDED, 2)


def test_two_ended_batches_with_other_results_are_sent_after_on_request_alone(tuya_stage: TuyaStage) -> None:
    two_batches(tuya_stage, second="failsFlash")
    tuya_stage.cron(DECLARED, rounds=6)
    held, batches = holds(tuya_stage), len(tuya_stage.batches())
    tuya_stage.behaviours()

    tuya_stage.cron(changed(DECLARED, resend=True), rounds=4)

    assert batches == 2
    assert "set strategy.resend: true" in held["lost_create_is_ambiguous"]
    assert "cancel those" not in held["lost_create_is_ambiguous"]
    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert tuya_stage.installs() == {**tuya_stage.installs(), "plug-1": 2, "plug-2": 2}


def test_a_request_to_send_again_drops_no_create_while_a_batch_that_may_be_it_runs(tuya_stage: TuyaStage) -> None:
    two_batches(tuya_stage, second="offline")

    tuya_stage.cron(changed(DECLARED, resend=True), rounds=6)

    assert "cancel those that are not yours, or wait" in holds(tuya_stage)["lost_create_is_ambiguous"]
    assert len(tuya_stage.batches()) == 2


def newer(tuya_stage: TuyaStage) -> Rollout:
    tuya_stage.cloud(firmwares=[package(firmwareId="1002", destVersion="2.5.0", name="newer")])
    return changed(DECLARED, firmware=changed(DECLARED.firmware, version="2.5.0"))


def test_another_revision_follows_two_ended_batches_with_other_results(tuya_stage: TuyaStage) -> None:
    two_batches(tuya_stage, second="failsFlash")
    tuya_stage.cron(DECLARED, rounds=3)
    tuya_stage.behaviours()
    declared = newer(tuya_stage)

    tuya_stage.cron(declared, rounds=4)

    assert tuya_stage.record("plug").phase is Phase.SUCCEEDED
    assert [b["firmwareId"] for b in tuya_stage.batches()] == [PACKAGE, PACKAGE, "1002"]


def test_an_abort_ends_two_ended_batches_with_other_results_and_its_end_sends_nothing(tuya_stage: TuyaStage) -> None:
    two_batches(tuya_stage, second="failsFlash")
    tuya_stage.cron(DECLARED, rounds=3)

    tuya_stage.cron(changed(DECLARED, abort=Abort(reason="stop")), rounds=3)
    aborted = tuya_stage.record("plug")
    tuya_stage.cron(DECLARED, rounds=3)

    assert (aborted.phase, aborted.intents) == (Phase.ABORTED, ())
    assert "accept the loss" in holds(tuya_stage)["unit_was_deleted"]
    assert len(tuya_stage.batches()) == 2


@pytest.mark.parametrize("second", ["failsFlash", "offline"])
def test_a_rollout_removed_from_git_with_two_batches_that_may_be_its_own_names_them_until_they_have_ended(
    tuya_stage: TuyaStage, second: str
) -> None:
    two_batches(tuya_stage, second=second)
    tuya_stage.cron(DECLARED, rounds=2)

    tuya_stage.cron(one("zz", "plug-6"), rounds=4, covers=True)

    record = tuya_stage.record("plug")
    named = [all(str(b["jobId"]) in h.message for b in tuya_stage.batches()[:2]) for h in record.holds]
    assert (record.phase, named) == ((Phase.ORPHANED, [True]) if second == "offline" else (Phase.REMOVED, []))
