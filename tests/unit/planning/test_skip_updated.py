"""A wave, or a retry, whose devices all report the version is judged without a unit: a table of when."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import (
    Abort,
    Intent,
    Observation,
    Outcome,
    Reason,
    RecordedCall,
    Stage,
    Suspend,
    TargetFacts,
    Verdict,
    WaveRecord,
)
from otactl.planning.context import PlanContext
from otactl.planning.skip_updated import concluded
from otactl.planning.wave_context import RolloutContext, of_rollout
from tests.support.attempts import NAMES, SHAPES, judged, made, many
from tests.support.builders import ENVIRONMENT, NOW

UPDATED = tuple(
    TargetFacts(key=f"device:{n}", exists=True, vendor_id=n, updated=True, names={n: f"eui-{n}"}) for n in NAMES
)
CREATE = RecordedCall(service="iot", operation="CreateOTAUpdate", parameters={})
RAN = replace(judged(None, None, None), canceled_by_us=False, withdrawn=False)
ELSE = replace(made(), generation="f" * 64)


def context(*attempts: object, targets: tuple[TargetFacts, ...] = UPDATED, **declared: object) -> RolloutContext:
    rollout, record = many("otaUpdate", *attempts)  # type: ignore[arg-type]
    seen = Observation(targets=targets)
    at = PlanContext(rollout=replace(rollout, **declared), environment=ENVIRONMENT, record=record, seen=seen, now=NOW)
    return of_rollout(at, SHAPES["otaUpdate"][0])


def test_a_wave_whose_devices_all_have_the_version_passes_without_a_unit() -> None:
    record, events = concluded(context())

    (attempt,) = record.waves[0].attempts
    assert (attempt.stage, attempt.vendor_id, attempt.devices) == (Stage.ENDED, None, NAMES)
    assert [(r.device, r.name, r.outcome) for r in attempt.results] == [
        (n, f"eui-{n}", Outcome.SUCCEEDED) for n in NAMES
    ]
    assert record.waves[0].verdict is not None
    assert record.waves[0].verdict.passed
    assert [e.kind for e in events] == ["spared", "verdict"]
    assert "3 devices have 2.4.1 already" in events[0].message


NOT_ALL = (*UPDATED[:2], replace(UPDATED[2], updated=False))


@pytest.mark.parametrize(
    "ctx",
    [
        context(targets=NOT_ALL),
        context(targets=UPDATED[:2]),
        context(suspend=Suspend(reason="r", owner="o")),
        context(abort=Abort(reason="r")),
        context(made(stage=Stage.RUNNING)),
        context(made(stage=Stage.SCHEDULED)),
        context(RAN),
    ],
    ids=["one has not", "one is unknown", "suspended", "aborted", "running", "scheduled", "judged"],
)
def test_a_wave_is_not_skipped(ctx: RolloutContext) -> None:
    record, events = concluded(ctx)

    assert (record, events) == (ctx.at.record, ())


def test_a_create_that_may_have_been_carried_out_keeps_its_wave() -> None:
    ctx = context(made(stage=Stage.DECLARED, vendor_id=None, start_at=None))
    unit = ctx.at.record.waves[0].attempts[0].unit_id
    pending = Intent(action="createUnit", unit_id=unit, key="k", call=CREATE, at=NOW)

    assert concluded(ctx.with_record(replace(ctx.at.record, intents=(pending,))))[1] == ()
    assert [e.kind for e in concluded(ctx)[1]] == ["spared", "verdict"]


@pytest.mark.parametrize(
    ("attempt", "skipped"),
    [
        (made(stage=Stage.DECLARED, vendor_id=None, start_at=None), True),
        (made(stage=Stage.SUPERSEDED, start_at=None), True),
        (made(stage=Stage.LOST, start_at=None), True),
        (made(stage=Stage.LOST), False),
        (made(stage=Stage.FAILED, start_at=None), False),
    ],
    ids=["declared", "deleted before its start", "lost before its start", "lost after it", "failed"],
)
def test_what_an_attempt_before_allows(attempt: object, skipped: bool) -> None:
    assert bool(concluded(context(attempt))[1]) is skipped


def test_a_live_unit_of_another_revision_is_not_passed_over() -> None:
    ctx = context()
    for stage, skipped in ((Stage.OPEN, False), (Stage.DELETED, True)):
        other = replace(ELSE, stage=stage)
        wave = replace(ctx.at.record.waves[0], attempts=(other,))
        assert bool(concluded(ctx.with_record(ctx.at.record.with_wave(wave)))[1]) is skipped


def test_a_reason_of_a_failure_stays_where_a_retry_is_not_declared() -> None:
    ctx = context(replace(judged(Reason.OFFLINE, None, None), canceled_by_us=False, withdrawn=False))

    assert concluded(ctx)[0] == ctx.at.record


@pytest.mark.parametrize(("passed", "skipped"), [(True, True), (False, False)])
def test_a_wave_is_skipped_beside_one_that_has_passed_and_still_runs(passed: bool, skipped: bool) -> None:
    ctx = context()
    rollout = ctx.at.rollout
    before = replace(made(), generation=rollout.generation, unit_id="before")
    verdict = Verdict(passed=passed, succeeded=3, failed=0, total=3, needed_percent=90, at=NOW)
    first = WaveRecord(
        name="first", attempts=(before,), verdict=verdict, verdict_generation=rollout.generation, released=passed
    )

    found = concluded(ctx.with_record(replace(ctx.at.record, waves=(first, *ctx.at.record.waves))))

    assert bool(found[1]) is skipped
