"""What becomes of an attempt that ended while other content was declared, once its own is declared again."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import (
    Abort,
    Attempt,
    DeviceResult,
    Outcome,
    Reason,
    Rollout,
    Stage,
    VersionConfirm,
    VersionProof,
    WaveRecord,
)
from otactl.verdicts.hurried_results import reopened, without_claims
from tests.support.builders import NOW, rollout

TOOK = (DeviceResult(device="a", outcome=Outcome.SUCCEEDED),)
CONFIRM = VersionConfirm(version=VersionProof(attribute="v"))


def declared(confirm: Any = CONFIRM) -> Rollout:
    at = rollout()
    return replace(at, strategy=replace(at.strategy, confirm=confirm))


def wave(at: Rollout, *later: Attempt, **shown: Any) -> WaveRecord:
    facts: dict[str, Any] = {"stage": Stage.ENDED, "ended_at": NOW, "results": TOOK, "hurried": True, "unproved": True}
    first = Attempt(number=1, generation=at.generation, unit_id="one", **(facts | shown))
    return WaveRecord(name="canary", attempts=(first, *later))


def other(stage: Stage, **shown: Any) -> Attempt:
    return Attempt(number=1, generation="another", unit_id="two", stage=stage, **shown)


def test_an_attempt_that_was_not_waited_for_runs_again() -> None:
    at = declared()

    (first,) = reopened(wave(at), at).attempts

    assert (first.stage, first.ended_at) == (Stage.RUNNING, None)


@pytest.mark.parametrize(
    ("later", "shown", "confirm"),
    [
        ((), {"hurried": False}, None),
        ((), {"stage": Stage.DELETED}, None),
        ((), {}, "transfer"),
        ((other(Stage.OPEN),), {}, None),
        ((other(Stage.ENDED, start_at=NOW),), {}, None),
    ],
    ids=["waited for", "deleted", "proved by transfer", "other content is there", "other content was sent"],
)
def test_no_other_attempt_runs_again(later: tuple[Attempt, ...], shown: dict[str, Any], confirm: Any) -> None:
    at = declared(confirm or CONFIRM)
    known = wave(at, *later, **shown)

    assert reopened(known, at) == known


@pytest.mark.parametrize("shown", [{"abort": Abort(reason="bad batch")}, {"removed": True}], ids=["aborted", "removed"])
def test_nothing_runs_again_while_its_content_is_given_up(shown: dict[str, Any]) -> None:
    at = replace(declared(), **shown)
    known = wave(at)

    assert reopened(known, at) == known


def test_other_content_that_reached_no_one_does_not_matter() -> None:
    at = declared()

    assert reopened(wave(at, other(Stage.SUPERSEDED)), at).attempts[0].stage is Stage.RUNNING


def test_a_success_without_proof_is_none_once_its_unit_is_deleted() -> None:
    at = declared()

    (first,) = without_claims(wave(at, stage=Stage.DELETED), at).attempts

    assert [(r.outcome, r.reason) for r in first.results] == [(Outcome.FAILED, Reason.VERSION)]
    assert first.unproved is False


@pytest.mark.parametrize("shown", [{"unproved": False}, {"stage": Stage.ENDED}], ids=["proved", "unit is there"])
def test_a_success_that_a_version_proved_or_may_prove_stays(shown: dict[str, Any]) -> None:
    at = declared()
    known = wave(at, **({"stage": Stage.DELETED} | shown))

    assert without_claims(known, at) == known
