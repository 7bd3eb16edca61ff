"""Windows, freezes, approvals and downgrades hold a wave's start; an image that differed holds its successor."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from otactl.backends.fuota.config import FuotaConfig
from otactl.model import (
    Approval,
    Cause,
    Device,
    DeviceResult,
    DriftEntry,
    DriftPolicy,
    DriftStatus,
    Gate,
    Ignore,
    Observation,
    Outcome,
    Reason,
    Requires,
    Retry,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    UnitPhase,
    Verdict,
    Wave,
    Window,
)
from otactl.model.actions import CreateUnit
from otactl.planning.assess import assess
from otactl.planning.context import PlanContext
from otactl.planning.membership import ANY_DEVICES, approval_digest, named_devices
from otactl.planning.start_context import StartContext
from otactl.planning.wave_context import AttemptContext
from otactl.planning.wave_holds import closed, gate_hold, going_back, latest_start, unapproved
from tests.support.attempts import BEFORE, NAMES, SHAPES, decided, judged, made, many
from tests.support.builders import (
    ENVIRONMENT,
    FACTS_IMAGE,
    FACTS_ROLE,
    NOW,
    empty,
    of_start,
    of_wave,
    record_of,
    rollout,
    seen,
    unit_of,
)
from tests.support.windows import ALWAYS, NIGHT, allow, at, deny

LEAD = timedelta(minutes=31)
NOON_FREEZE = deny("0 12 * * *", "3h")
BRIEF = allow("0 12 * * *", "5m")  # shorter than a session, which takes 9 min 1 s
SHORT = allow("0 12 * * *", "1h")
RETRY = Retry(attempts=3, on=("missingFragments",), raise_redundancy_percent=20)
NO_LENGTH = FuotaConfig(rf_region=None, role="arn:aws:iam::123456789012:role/fuota")


def situation(
    declared: Rollout, *, freezes: tuple[Window, ...] = (), observed: Observation | None = None
) -> PlanContext:
    return PlanContext(
        rollout=declared,
        environment=replace(ENVIRONMENT, freezes=freezes),
        record=empty(declared),
        seen=observed or Observation(),
        now=NOW,
    )


def starting(context: PlanContext, start: datetime, **changes: object) -> StartContext:
    """The first wave's unit, to be started at a moment."""
    return dataclasses.replace(of_start(context, **changes), start_at=start, lead=LEAD)


@pytest.mark.parametrize(
    ("windows", "freezes", "start", "reason", "until"),
    [
        ((), (), "03-01T12:00", None, None),
        ((NIGHT,), (), "03-01T23:00", None, None),
        ((NIGHT,), (), "03-01T12:00", "window_is_closed", "03-01T21:29"),
        ((NIGHT,), (), "03-01T04:55", "window_ends_too_soon", "03-01T21:29"),
        ((allow("0 22 * * *", "7h", "finish"),), (), "03-01T04:55", None, None),
        ((BRIEF,), (), "03-01T12:00", "window_is_too_short", None),
        ((), (NOON_FREEZE,), "03-01T12:00", "freeze_is_on", "03-01T14:29"),
        ((), (NOON_FREEZE,), "03-01T11:55", "freeze_begins_too_soon", "03-01T14:29"),
        ((NOON_FREEZE,), (), "03-01T12:00", "deny_window_is_on", "03-01T14:29"),
        ((allow("0 10 * * *", "9h"),), (NOON_FREEZE,), "03-01T12:00", "freeze_is_on", "03-01T14:29"),
        ((), (ALWAYS,), "03-01T12:00", "freeze_is_on", None),
    ],
)
def test_a_start_outside_the_windows_or_in_a_freeze_waits_until_its_lead_before_the_next_permitted_one(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: str, reason: str | None, until: str | None
) -> None:
    context = situation(rollout(windows=windows), freezes=freezes)
    ctx = starting(context, at(start))

    holds = closed(ctx)

    expected = [] if reason is None else [(reason, at(until) if until else None, until is None)]
    assert [(h.reason, h.until, h.stalled) for h in holds] == expected
    assert all(h.message.startswith(f"{ctx.declared.unit_id}: ") for h in holds)


@pytest.mark.parametrize(
    ("only", "tries", "held"),
    [
        ((), 3, []),  # a whole wave has its first length, whatever its number of tries
        (("device:a",), 1, []),
        (("device:a",), 3, ["window_is_too_short"]),  # the third try sends more redundancy
    ],
)
def test_the_session_of_a_retry_is_as_long_as_its_redundancy_makes_it(
    only: tuple[str, ...], tries: int, held: list[str]
) -> None:
    base = rollout(windows=(allow("0 12 * * *", "10m"),))
    context = situation(replace(base, strategy=replace(base.strategy, retry=RETRY)))

    assert [h.reason for h in closed(starting(context, NOW, only=only, tries=tries))] == held


def test_only_the_start_of_a_session_of_unknown_length_is_held_to_the_windows() -> None:
    context = situation(rollout(backend=NO_LENGTH, windows=(BRIEF,)))

    assert closed(starting(context, NOW + timedelta(minutes=4))) == ()
    assert [h.reason for h in closed(starting(context, NOW + timedelta(minutes=5)))] == ["window_is_closed"]


@pytest.mark.parametrize(
    ("windows", "freezes", "start", "latest"),
    [
        ((), (), "03-01T12:00", None),
        ((NIGHT,), (), "03-01T23:00", "03-02T04:59:59"),
        ((NIGHT,), (), "03-01T12:00", None),
        ((), (deny("0 15 * * *", "1h"),), "03-01T12:00", "03-01T14:59:59"),
        ((SHORT,), (deny("30 12 * * *", "1h"),), "03-01T12:00", "03-01T12:29:59"),
        ((SHORT,), (deny("0 15 * * *", "1h"),), "03-01T12:00", "03-01T12:59:59"),
    ],
)
def test_a_start_may_be_sent_until_its_window_closes_or_a_freeze_begins(
    windows: tuple[Window, ...], freezes: tuple[Window, ...], start: str, latest: str | None
) -> None:
    found = latest_start(starting(situation(rollout(windows=windows), freezes=freezes), at(start)))

    assert found == (at(latest) if latest else None)


SINGLE = rollout(
    strategy=Strategy(
        waves=(
            Wave(
                name="canary",
                targets=Targets(wireless_devices=(Device(id="d-1"), Device(id="d-2"))),
                requires=Requires(approval="owners"),
            ),
        ),
        gate=Gate(min_success_percent=90),
    )
)
GROUPED = replace(
    SINGLE,
    strategy=replace(
        SINGLE.strategy, waves=(replace(SINGLE.strategy.waves[0], targets=Targets(multicast_groups=("g1",))),)
    ),
)


def approval(declared: Rollout, **changes: object) -> Approval:
    digest = approval_digest(declared, declared.strategy.waves[0])
    return replace(Approval(wave="canary", role="owners", by="ada", digest=digest, at=NOW), **changes)


@pytest.mark.parametrize(
    ("approvals", "reason", "names"),
    [
        ([], "approval_is_missing", "needs the approval of owners"),
        ([{}], None, ""),
        ([{"role": "security"}], "approval_is_missing", "needs the approval of owners"),
        ([{"wave": "fleet"}], "approval_is_missing", "needs the approval of owners"),
        ([{"digest": "0" * 64}], "approval_is_outdated", "the approval by ada was of something else"),
        ([{"digest": "0" * 64}, {"digest": "1" * 64, "by": "bob"}], "approval_is_outdated", "the approval by bob"),
        ([{"digest": "0" * 64}, {}], None, ""),
    ],
)
def test_a_wave_waits_for_an_approval_of_its_role_and_of_what_is_declared_now(
    approvals: list[dict[str, object]], reason: str | None, names: str
) -> None:
    declared = replace(SINGLE, approvals=tuple(approval(SINGLE, **each) for each in approvals))

    holds = unapproved(of_wave(situation(declared)))

    assert [h.reason for h in holds] == ([reason] if reason else [])
    assert all(names in h.message and "otactl approve rollouts/a.yaml --wave canary" in h.message for h in holds)


def test_the_command_that_approves_works_when_it_is_copied() -> None:
    odd = replace(SINGLE, source=replace(SINGLE.source, file="roll outs/a & b.yaml"))

    (hold,) = unapproved(of_wave(situation(odd)))

    command = "otactl approve 'roll outs/a & b.yaml' --wave canary --role owners --by WHO"
    assert hold.message.endswith(f"; {command}")


@pytest.mark.parametrize(
    ("devices", "observed", "held"),
    [
        ("2:old", Observation(offline=True), []),  # groups were not read
        ("2:old", Observation(expected=True), []),
        (ANY_DEVICES, Observation(targets=(TargetFacts(key="group:g1", exists=True, members=("d-9",)),)), []),
        ("2:old", Observation(), ["checks_are_incomplete"]),
    ],
)
def test_an_approval_of_groups_is_compared_with_their_devices_only_where_these_can_be_read(
    devices: str, observed: Observation, held: list[str]
) -> None:
    declared = replace(GROUPED, approvals=(approval(GROUPED, devices=devices),))

    assert [h.reason for h in unapproved(of_wave(situation(declared, observed=observed)))] == held


def test_a_wave_that_requires_no_approval_needs_none() -> None:
    assert unapproved(of_wave(situation(rollout()))) == ()


def single(name: str, version: str) -> TargetFacts:
    return TargetFacts(key=f"device:{name}", exists=True, vendor_id=name, version=version)


@pytest.mark.parametrize(
    ("versions", "says"),
    [
        ((), None),
        (("",), None),  # what was not read is not newer
        (("2.4.0", "2.4.1"), None),
        (("2.4.0", "2.10.0"), "1 device reports a newer version than 2.4.1 (d-1: 2.10.0); set"),
        (("3.0.0", "2.5.0"), "2 devices report a newer version than 2.4.1 (d-0: 3.0.0, …); set"),
    ],
)
def test_devices_that_report_a_newer_version_hold_the_wave_and_the_first_is_named(
    versions: tuple[str, ...], says: str | None
) -> None:
    targets = tuple(single(f"d-{n}", version) for n, version in enumerate(versions))
    context = situation(SINGLE, observed=Observation(targets=targets))
    allowed = replace(SINGLE, strategy=replace(SINGLE.strategy, allow_downgrade=True))

    holds = going_back(of_wave(context))

    assert [(h.reason, h.stalled) for h in holds] == ([("downgrade_not_allowed", True)] if says else [])
    assert all(h.message.startswith(says or "") for h in holds)
    assert going_back(of_wave(replace(context, rollout=allowed))) == ()


def entry(unit_id: str, **changes: object) -> DriftEntry:
    found = DriftEntry(
        subject=unit_id,
        field="image.sha256",
        desired="ab",
        observed="cd",
        cause=Cause.IMAGE_BYTES,
        first_seen=NOW,
        last_seen=NOW,
        status=DriftStatus.WAITING,
    )
    return replace(found, **changes)


ACCEPTED = DriftPolicy(ignore=(Ignore(field="image.sha256", reason="signed again"),))
EXPIRED = DriftPolicy(ignore=(Ignore(field="image.sha256", reason="signed again", until=NOW),))


@pytest.mark.parametrize(
    ("drift", "changes", "reason"),
    [
        (DriftPolicy(), {}, "image_differed_at_session"),
        (ACCEPTED, {}, "waiting_for_devices"),
        (EXPIRED, {}, "image_differed_at_session"),
        (DriftPolicy(), {"closed_at": NOW}, "waiting_for_devices"),
        (DriftPolicy(), {"subject": "another"}, "waiting_for_devices"),
        (DriftPolicy(), {"cause": Cause.ROLE}, "waiting_for_devices"),
    ],
)
def test_a_wave_whose_image_differed_at_its_session_waits_for_a_person_until_that_is_accepted(
    drift: DriftPolicy, changes: dict[str, object], reason: str
) -> None:
    declared = rollout(drift=drift)
    unit = unit_of(declared, phase=UnitPhase.ENDED)
    record = record_of(declared, unit, Stage.ENDED, start_at=NOW, ended_at=NOW)
    record = replace(record, drift=(entry(unit.unit_id, **changes),))
    context = of_wave(PlanContext(rollout=declared, environment=ENVIRONMENT, record=record, seen=seen(unit), now=NOW))
    assert isinstance(context, AttemptContext)

    hold = gate_hold(context)

    assert hold.reason == reason
    assert hold.stalled is (reason == "image_differed_at_session")


@pytest.mark.parametrize(("joined", "held"), [((), []), (("d",), ["approval_is_outdated"])])
def test_a_group_that_grew_while_its_wave_was_suspended_is_not_sent_to_under_the_approval_of_before(
    joined: tuple[str, ...], held: list[str]
) -> None:
    wave = Wave(name="all", targets=Targets(thing_groups=("g",)), requires=Requires(approval="lead"))
    stopped = judged(*[Reason.CANCELED] * 3, members=("thingGroup:g",), devices=NAMES)
    declared, record = many("otaUpdate", stopped)
    declared = replace(declared, strategy=Strategy(waves=(wave,)))
    given = Approval(
        wave="all",
        role="lead",
        by="ada",
        digest=approval_digest(declared, wave),
        at=BEFORE,
        devices=named_devices(NAMES),
    )
    record = record.with_wave(replace(record.waves[0], members=("thingGroup:g",)))
    inside = (*NAMES, *joined)
    group = TargetFacts(key="thingGroup:g", exists=True, requested=len(inside), ready=len(inside), members=inside)
    shown = Observation(targets=(group,), devices=inside, image=FACTS_IMAGE, role=FACTS_ROLE)

    approved = replace(declared, approvals=(given,))
    plan = assess(ENVIRONMENT, approved, record, shown, SHAPES["otaUpdate"][0], (), NOW).plan

    assert [h.reason for h in plan.holds] == held
    assert [a.unit.members for a in plan.actions if isinstance(a, CreateUnit)] == ([] if held else [("thingGroup:g",)])


@pytest.mark.parametrize(
    ("reason", "retried", "advice"),
    [
        (Reason.MISSING_FRAGMENTS, False, "or let strategy.retry send them again; change spec.firmware"),
        (Reason.MISSING_FRAGMENTS, True, "or send smaller fragments; change spec.firmware"),
        (Reason.INTEGRITY, False, ""),
    ],
)
def test_a_wave_that_failed_for_lack_of_fragments_says_what_helps_against_that(
    reason: Reason, advice: str, *, retried: bool
) -> None:
    base = rollout()
    retry = Retry(attempts=2, on=("timeout",)) if retried else None
    declared = rollout(strategy=replace(base.strategy, retry=retry))
    unit = unit_of(declared, phase=UnitPhase.ENDED)
    results = (DeviceResult(device="d1", outcome=Outcome.FAILED, reason=reason),)
    record = record_of(declared, unit, Stage.ENDED, start_at=NOW, ended_at=NOW, results=results)
    verdict = Verdict(passed=False, succeeded=0, failed=1, total=1, needed_percent=90, at=NOW)
    wave = replace(record.waves[0], verdict=verdict, verdict_generation=declared.generation)
    context = of_wave(
        PlanContext(rollout=declared, environment=ENVIRONMENT, record=record.with_wave(wave), seen=seen(unit), now=NOW)
    )
    assert isinstance(context, AttemptContext)

    hold = gate_hold(context)

    assert ("1 device lacked fragments: raise the redundancy" in hold.message) is bool(advice)
    assert advice in hold.message


@pytest.mark.parametrize("kind", sorted(SHAPES))
@pytest.mark.parametrize(("opens", "expected"), [("0 0 * * *", ["window_is_closed"]), ("0 8 * * *", [])])
def test_a_wave_whose_creation_starts_it_names_a_closed_window_beside_the_missing_approval(
    kind: str, opens: str, expected: list[str]
) -> None:
    declared, record = many(kind)
    waves = tuple(replace(w, requires=Requires(approval="owners")) for w in declared.strategy.waves)
    window = Window(kind="allow", schedule=opens, duration="6h", time_zone="UTC")
    declared = replace(declared, strategy=replace(declared.strategy, waves=waves), windows=(window,))

    plan = decided(kind, declared, record).plan

    assert [h.reason for h in plan.holds] == ["approval_is_missing", *expected]


@pytest.mark.parametrize(
    ("kind", "command"), [("otaUpdate", "aws iot cancel-job --job-id AFR_OTA-v-1"), ("tuya", "cancel batch v-1")]
)
def test_a_wave_that_waits_for_another_one_names_the_command_that_ends_it(kind: str, command: str) -> None:
    declared, record = many(kind, made())
    first = Wave(name="first", targets=Targets(things=(Device(id="d"),)))
    waves = (first, *declared.strategy.waves)

    plan = decided(kind, replace(declared, strategy=replace(declared.strategy, waves=waves)), record).plan

    (hold,) = plan.holds
    assert hold.reason == "another_wave_in_progress"
    assert f"; to stop waiting: {command}" in hold.message
