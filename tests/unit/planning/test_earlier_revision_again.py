"""Content that is declared again after other content, and new content after a unit that was lost."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import (
    Attempt,
    DeviceResult,
    DriftEntry,
    DriftPolicy,
    Ignore,
    Observation,
    Outcome,
    Phase,
    Reason,
    Record,
    Retry,
    Rollout,
    Source,
    Stage,
    TargetFacts,
    Unit,
    UnitPhase,
    Verdict,
    WaveRecord,
)
from otactl.model.actions import CreateUnit
from otactl.planning.assess import Assessment, assess
from otactl.planning.sent_content import SentContents
from otactl.verdicts.deadlines import SETTLE
from tests.support.attempts import BEFORE, NAMES, SHAPES, decided, judged, made, many
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE, NOW

NO_ONE = (Reason.CANCELED,) * 3
ALL = tuple(f"device:{n}" for n in NAMES)


def of_other_content(attempt: Attempt, number: int = 1) -> Attempt:
    return msgspec.structs.replace(attempt, generation="other", unit_id=f"other-{number}", vendor_id=f"w-{number}")


def history(kind: str, *attempts: Attempt, **changes: object) -> tuple[Rollout, Record]:
    """A wave's attempts, those of other content where that is said, with the members the newest left behind."""
    declared, record = many(kind, *attempts)
    reported = tuple(
        old if old.generation == "other" else new for old, new in zip(attempts, record.attempts, strict=True)
    )
    wave = msgspec.structs.replace(record.waves[0], attempts=reported, **changes)
    return declared, record.with_wave(wave)


def made_now(look: Assessment) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The devices of the unit that is made: all of them, and those of a part of the wave."""
    (action,) = look.plan.actions
    assert isinstance(action, CreateUnit)
    return action.unit.members, action.unit.only


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize(
    ("first", "then", "members", "only"),
    [
        (judged(*NO_ONE), of_other_content(judged(*NO_ONE)), ALL, ()),
        (judged(*NO_ONE), of_other_content(judged(None, None, None)), ALL, ()),
        (judged(None, None, None), of_other_content(judged(None, None, None)), ALL, ()),
        (judged(None, Reason.CANCELED, None), of_other_content(judged(*NO_ONE)), ("device:b",), ("device:b",)),
        (judged(None, Reason.CANCELED, None), of_other_content(judged(None, Reason.CANCELED, None)), ALL, ()),
    ],
    ids=["neither began", "the other was sent", "put over", "started, the other was not", "started, and put over"],
)
def test_content_declared_again_reaches_those_who_did_not_get_it_or_lost_it_since(
    kind: str, first: Attempt, then: Attempt, members: tuple[str, ...], only: tuple[str, ...]
) -> None:
    declared, record = history(kind, first, then, members=("device:z",))

    assert made_now(decided(kind, declared, record)) == (members, only)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_wave_that_passed_stays_passed_when_other_content_reached_no_one(kind: str) -> None:
    verdict = Verdict(passed=True, succeeded=3, failed=0, total=3, needed_percent=90, at=BEFORE)
    first = msgspec.structs.replace(judged(None, None, None), canceled_by_us=False, withdrawn=False)
    declared, record = history(
        kind, first, of_other_content(judged(*NO_ONE)), verdict=verdict, released=True, verdict_generation="?"
    )
    wave = msgspec.structs.replace(record.waves[0], verdict_generation=declared.generation)

    found = decided(kind, declared, record.with_wave(wave))

    assert found.plan.actions == ()
    assert found.record.phase is Phase.SUCCEEDED
    assert decided(kind, declared, found.record).record == found.record


@pytest.mark.parametrize("kind", SHAPES)
def test_new_content_waits_until_a_lost_unit_is_gone_for_certain_or_its_loss_is_accepted(kind: str) -> None:
    lost = of_other_content(made(stage=Stage.RUNNING, missing_since=NOW - SETTLE))
    declared, record = history(kind, lost)
    facts = tuple(TargetFacts(key=k, exists=True, vendor_id=k[7:]) for k in ALL)
    bare = Observation(targets=facts, image=FACTS_IMAGE, role=FACTS_ROLE)
    shown = msgspec.structs.replace(
        bare, units=(Unit(unit_id=lost.unit_id, vendor_id=lost.vendor_id or "", phase=UnitPhase.DELETING),)
    )

    def look(known: Record, seen: Observation, minutes: float, of: Rollout = declared) -> Assessment:
        return assess(ENVIRONMENT, of, known, seen, SHAPES[kind][0], (), NOW + timedelta(minutes=minutes))

    first = look(record, bare, 0)
    late = look(first.record, bare, 3)
    still = look(first.record, shown, 3)

    assert [(h.reason, h.stalled) for h in first.plan.holds] == [("previous_revision_running", False)]
    assert "spec.drift.ignore" in first.plan.holds[0].message
    assert made_now(late) == (ALL, ())
    assert [h.reason for h in still.plan.holds] == ["previous_revision_running"]
    accepted = msgspec.structs.replace(
        declared, drift=DriftPolicy(ignore=(Ignore(field="unit", reason="known"),)), source=Source(file="a", digest="e")
    )
    assert any(isinstance(e, DriftEntry) and e.field == "unit" for e in first.record.drift)
    assert made_now(look(first.record, bare, 0.1, accepted)) == (ALL, ())


@pytest.mark.parametrize("others", [("b",), ("b", "c")])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_retry_leaves_out_whom_another_rollout_sent_the_content_meanwhile(kind: str, others: tuple[str, ...]) -> None:
    results = tuple(
        DeviceResult(device=n, outcome=Outcome.FAILED, reason=Reason.TIMEOUT)
        if n in "bc"
        else DeviceResult(device=n, outcome=Outcome.SUCCEEDED)
        for n in NAMES
    )
    declared, record = many(kind, made(stage=Stage.ENDED, ended_at=BEFORE, results=results))
    retry = Retry(on=("timeout",), attempts=2)
    declared = msgspec.structs.replace(declared, strategy=msgspec.structs.replace(declared.strategy, retry=retry))
    sent = Attempt(
        number=1,
        generation="g2",
        unit_id="other-1",
        vendor_id="w",
        stage=Stage.DELETED,
        start_at=NOW,
        start_sent_at=NOW,
        image_sha256=declared.firmware.sha256,
        devices=others,
    )
    beside = Record(environment="prod-eu", name="other", backend=kind, waves=(WaveRecord(name="w", attempts=(sent,)),))
    facts = tuple(TargetFacts(key=k, exists=True, vendor_id=k[7:]) for k in ALL)
    seen = Observation(targets=facts, image=FACTS_IMAGE, role=FACTS_ROLE)
    sendings = SentContents({"probe": record, "other": beside})

    plan = assess(ENVIRONMENT, declared, record, seen, SHAPES[kind][0], (), NOW, sendings=sendings).plan

    if others == ("b",):
        (action,) = plan.actions
        assert isinstance(action, CreateUnit)
        assert action.unit.only == ("device:c",)
        assert "not b, which rollout other (other-1) sent this content last" in action.reason
    else:
        assert [h.reason for h in plan.holds] == ["content_was_sent_already"]
