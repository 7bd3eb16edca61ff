"""What is left of a rollout without manifest, and of one whose environment moved, is reported and not guessed."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.registry import read_config
from otactl.backends.tuya.definition import TuyaShape
from otactl.drift import unit_home
from otactl.drift.ledger import fold
from otactl.model import (
    Attempt,
    Cause,
    DriftPolicy,
    Environment,
    Intent,
    Listed,
    Observation,
    Phase,
    Record,
    RecordedCall,
    Stage,
    Survey,
    Unit,
    UnitPhase,
    WaveRecord,
)
from otactl.model.actions import DeleteUnit, Finding
from otactl.model.unreadable_manifests import UnreadableManifest, UnreadableManifests
from otactl.planning import removed_rollout as removed
from otactl.planning.assess import Assessment
from otactl.planning.environment import environment_record
from otactl.planning.target_conflicts import busy, holders
from otactl.ports import Stored
from otactl.reconcile.preview import preview
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.rollout_states import removed_states
from otactl.report import drift as ledger_report
from otactl.report.plan import left_over
from otactl.verdicts.deadlines import SETTLE
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, empty, look, record_of, rollout, seen, unit_of
from tests.support.in_memory_cloud import Cloud, Memory, run
from tests.support.windows import deny

END = "aws iotwireless delete-fuota-task --id t-1"
RUNNING = {"start_at": NOW - timedelta(hours=1), "started_by_us": True}


def left(stage: Stage = Stage.RUNNING, **changes: object) -> Record:
    """The record of a rollout as its last look left it."""
    declared = rollout()
    record = record_of(declared, unit_of(declared), stage, **({"start_at": None} | changes))
    return msgspec.structs.replace(record, declaration=msgspec.json.encode(declared).decode())


def looked(record: Record, *units: Unit, after: timedelta = timedelta()) -> Assessment:
    declared = removed.declared(record, read_config)
    assert declared is not None
    return removed.look_at(ENVIRONMENT, declared, record, Observation(units=units), SHAPE, NOW + after)


def pending(record: Record, at_start: bool = False) -> Record:
    """The same with a create that has no answer."""
    (wave,) = record.waves
    attempt = msgspec.structs.replace(wave.attempts[0], stage=Stage.DECLARED, vendor_id=None)
    call = RecordedCall(service="s", operation="o", parameters={})
    start = NOW if at_start else None
    intent = Intent(action="createUnit", unit_id=attempt.unit_id, key="k", call=call, at=NOW, start_at=start)
    waves = (msgspec.structs.replace(wave, attempts=(attempt,)),)
    return msgspec.structs.replace(record, waves=waves, intents=(intent,))


def test_a_look_keeps_what_looking_on_without_a_manifest_takes_and_no_longer_than_that() -> None:
    declared = rollout()
    shown = unit_of(declared, phase=UnitPhase.RUNNING)

    started = look(declared, empty(declared), seen(shown)).record
    idle = look(declared, empty(declared), seen(image=None, role=None, unreadable=("no",))).record

    found = removed.declared(started, read_config)
    assert found is not None
    assert (found.removed, msgspec.structs.replace(found, removed=False)) == (True, declared)
    assert (idle.declaration, removed.declared(idle, read_config)) == ("", None)


def test_a_declaration_of_another_version_is_not_guessed_at() -> None:
    assert removed.declared(msgspec.structs.replace(left(), declaration='{"newer": 1}'), read_config) is None


@pytest.mark.parametrize("phase", [UnitPhase.OPEN, UnitPhase.SCHEDULED, UnitPhase.RUNNING])
def test_a_unit_that_is_there_is_an_orphan_reported_with_its_command_and_nothing_is_sent(phase: UnitPhase) -> None:
    result = looked(left(**RUNNING), unit_of(rollout(), phase=phase))

    assert result.plan.actions == ()
    (hold,) = result.plan.holds
    assert hold.reason == "manifest_removed"
    assert END in hold.message
    (entry,) = result.record.drift
    assert (entry.cause, entry.observed) == (Cause.ORPHAN, f"present; to remove it: {END}")
    assert result.record.phase is Phase.ORPHANED
    assert any(END in c.message for c in result.record.conditions)


@pytest.mark.parametrize("starts", [False, True])
def test_a_create_without_an_answer_is_let_go_after_its_settle_time_and_two_looks(starts: bool) -> None:
    record = pending(left(), starts)

    first = looked(record)
    between = looked(first.record, after=SETTLE - timedelta(seconds=1))
    gone = looked(between.record, after=timedelta(minutes=16) + SETTLE)

    for reported in (first, between):
        assert "may have been created" in reported.plan.holds[0].message
        assert reported.record.intents != ()
    assert gone.record.intents == ()
    assert [a.stage for a in gone.record.attempts] == [Stage.SUPERSEDED]
    assert (gone.plan.holds, gone.record.phase, gone.record.declaration) == ((), Phase.REMOVED, "")
    assert [c.type for c in gone.record.conditions if c.status] == []
    assert not removed.unsettled(gone.record, Survey(account="1"), SHAPE.capabilities)


def test_what_came_of_a_create_without_an_answer_is_adopted() -> None:
    result = looked(pending(left()), unit_of(rollout()))

    assert [(a.stage, a.vendor_id) for a in result.record.attempts] == [(Stage.OPEN, "t-1")]
    assert END in result.plan.holds[0].message


def test_a_unit_that_one_look_misses_is_not_gone_and_one_that_is_lost_is_looked_at_when_listed() -> None:
    first = looked(left(**RUNNING))
    second = looked(first.record, after=SETTLE)

    assert (first.record.phase, [a.stage for a in first.record.attempts]) == (Phase.ORPHANED, [Stage.RUNNING])
    assert [e.open for e in first.record.drift] == [True]
    assert (second.record.phase, [a.stage for a in second.record.attempts]) == (Phase.REMOVED, [Stage.LOST])
    assert [(e.cause, e.observed, e.open) for e in second.record.drift] == [(Cause.DELETED, "deleted", False)]
    there = Survey(account="1", listed=(Listed(vendor_id="t-1", name="acme-x"),))
    assert removed.unsettled(second.record, there, SHAPE.capabilities)
    back = looked(second.record, unit_of(rollout(), phase=UnitPhase.RUNNING), after=timedelta(hours=1))
    assert [a.stage for a in back.record.attempts] == [Stage.RUNNING]


def test_a_rollout_that_waits_for_a_removed_one_shows_the_command() -> None:
    orphan = looked(left(**RUNNING), unit_of(rollout(), phase=UnitPhase.RUNNING)).record

    held = busy(holders({"probe": orphan}), rollout(name="other"))

    assert f"of probe, whose manifest was removed from Git (present; to remove it: {END})" in held["group:g1"]


def test_a_command_in_the_ledgers_text_is_whole() -> None:
    orphan = looked(left(**RUNNING), unit_of(rollout(), phase=UnitPhase.RUNNING)).record

    assert END in ledger_report.render(ledger_report.collect([orphan]), "text")


@pytest.mark.parametrize(
    ("field", "value"), [("account", "999999999999"), ("region", "us-east-1"), ("owner", "someone")]
)
def test_an_environment_that_moves_under_a_unit_holds_by_the_field_that_changed(field: str, value: str) -> None:
    declared = rollout()
    shown = unit_of(declared, phase=UnitPhase.RUNNING)
    record = look(declared, empty(declared), seen(shown)).record
    other: Environment = msgspec.structs.replace(ENVIRONMENT, **{field: value})

    hold = unit_home.moved(record, other)

    assert hold is not None
    assert (hold.reason, hold.stalled) == ("environment_changed", True)
    assert f"{field} {value} (it was {getattr(ENVIRONMENT, field)})" in hold.message
    assert unit_home.moved(record, ENVIRONMENT) is None
    left_over = msgspec.structs.replace(record, declaration=msgspec.json.encode(declared).decode())
    gone = removed.declared(left_over, read_config)
    assert gone is not None
    reported = removed.look_at(other, gone, left_over, Observation(), SHAPE, NOW)
    assert ([h.reason for h in reported.plan.holds], reported.record.attempts) == (
        ["environment_changed"],
        record.attempts,
    )


def test_with_nothing_under_way_an_environment_may_move() -> None:
    declared = rollout()
    record = look(declared, empty(declared), seen(image=None, role=None, unreadable=("no",))).record
    other = msgspec.structs.replace(ENVIRONMENT, region="us-east-1")

    assert unit_home.moved(record, other) is None
    moved = unit_home.settled(record, other, record.backend, declared.generation)
    assert moved.home == unit_home.home_of(other, record.backend)


def _stored(*attempts: Attempt, backend: str) -> dict[str, Stored]:
    record = Record(
        environment="prod-eu",
        name="old",
        backend=backend,
        source="rollouts/a.yaml",
        phase=Phase.PROGRESSING,
        waves=(WaveRecord(name="w", attempts=attempts),),
    )
    return {"old": Stored(record=record, revision=1)}


def _round(stored: dict[str, Stored], kind: str, survey: Survey, after: timedelta = timedelta()) -> dict[str, Stored]:
    can = {"fuota": FuotaShape, "tuya": TuyaShape}[kind].capabilities
    commits = environment_record(
        ENVIRONMENT, {kind: (survey, can)}, stored, {}, lambda _r: True, lambda _k, _i: {}, NOW + after, read_config
    )
    return stored | {c.record.name: Stored(record=c.record, revision=1) for c in commits}


def test_a_record_of_an_older_version_believes_two_lists_and_not_one() -> None:
    attempt = Attempt(number=1, generation="g", unit_id="u", stage=Stage.RUNNING, vendor_id="t-9")

    first = _round(_stored(attempt, backend="fuota"), "fuota", Survey(account="1"))
    second = _round(first, "fuota", Survey(account="1"), SETTLE)

    assert [first["old"].record.attempts[0].stage, second["old"].record.attempts[0].stage] == [
        Stage.RUNNING,
        Stage.LOST,
    ]
    assert [first["old"].record.phase, second["old"].record.phase] == [Phase.ORPHANED, Phase.REMOVED]


def test_a_service_that_lists_nothing_by_name_proves_nothing_gone() -> None:
    attempt = Attempt(number=1, generation="g", unit_id="u", stage=Stage.RUNNING, vendor_id="t-9")
    stored = _stored(attempt, backend="tuya")

    for minutes in (0, 5, 60):
        stored = _round(stored, "tuya", Survey(account="1"), timedelta(minutes=minutes))

    assert stored["old"].record.phase is Phase.ORPHANED
    assert "cancel batch t-9" in str(stored["old"].record.drift[0].observed)


def test_a_batch_that_has_ended_is_no_orphan_where_the_service_keeps_what_ended() -> None:
    attempt = Attempt(number=1, generation="g", unit_id="u", stage=Stage.ENDED, vendor_id="t-9")

    stored = _round(_stored(attempt, backend="tuya"), "tuya", Survey(account="1"))

    assert stored["old"].record.drift == ()
    assert stored["old"].record.phase is not Phase.ORPHANED


def test_a_stranger_that_one_list_misses_stays_reported() -> None:
    there = Survey(account="1", listed=(Listed(vendor_id="x", name="by-hand"),))

    stored = _round({}, "fuota", there)
    missed = _round(stored, "fuota", Survey(account="1"), timedelta(minutes=1))
    again = _round(missed, "fuota", there, timedelta(minutes=2))
    gone = _round(
        _round(again, "fuota", Survey(account="1"), timedelta(hours=1)),
        "fuota",
        Survey(account="1"),
        timedelta(hours=1) + SETTLE,
    )

    entries = [tuple(e.open for e in s["@environment"].record.drift) for s in (stored, missed, again, gone)]
    assert entries == [(True,), (True,), (True,), (False,)]


def test_folding_keeps_since_when_a_list_missed_an_entry() -> None:
    finding = Finding(subject="x", field="unit", desired="a", observed="b", cause=Cause.FOREIGN, correctable=False)
    entries, _ = fold((), [finding], DriftPolicy(), "m", frozenset(), NOW)
    doubted = tuple(msgspec.structs.replace(e, unseen_at=NOW) for e in entries)

    kept, _ = fold(doubted, [finding], DriftPolicy(), "m", frozenset(), NOW)

    assert kept == doubted


def test_what_is_left_at_a_service_that_is_out_of_reach_is_reported_as_unknown() -> None:
    record = left(**RUNNING)
    declared = removed.declared(record, read_config)
    assert declared is not None

    reported = removed.unasked(ENVIRONMENT, declared, record, NOW)

    assert [h.reason for h in reported.plan.holds] == ["manifest_removed"]
    assert "no longer has access to fuota" in reported.plan.holds[0].message
    assert reported.record.attempts == record.attempts


@pytest.mark.parametrize(
    ("name", "file", "may"),
    [("probe", "b", True), ("", "b", True), ("another", "rollouts/a.yaml", True), ("another", "b", False)],
)
def test_what_a_broken_manifest_may_still_declare_has_not_left_git(name: str, file: str, may: bool) -> None:
    record = msgspec.structs.replace(left(**RUNNING), source="rollouts/a.yaml")
    wrong = UnreadableManifests(manifests=(UnreadableManifest(file=file, name=name, text="odd"),))
    journal = Memory()
    journal.records["probe"], journal.revisions["probe"] = msgspec.json.encode(record), 1

    report = Reconciler(
        ENVIRONMENT, (), {"fuota": Cloud(NOW)}, journal, lambda: NOW, "me", lambda _r: (), lambda _s: True, unread=wrong
    ).run()

    found = removed_states((), {"probe": Stored(record=record, revision=1)}, lambda _r: True, wrong)
    held = [h.reason for r in report.rollouts for h in r.holds]
    assert (found == [], "manifest_removed" not in held) == (may, may)
    after = journal.load("prod-eu", "probe").record
    assert (after.phase is not Phase.ORPHANED, after.attempts == record.attempts) == (may, may)


FREEZE = deny("0 0 * * *", "1d")
SCHEDULED = {"start_at": NOW + timedelta(hours=6), "started_by_us": True}


def frozen(record: Record, *units: Unit, **changes: object) -> Assessment:
    """A look at it under a freeze."""
    declared = removed.declared(record, read_config)
    assert declared is not None
    environment = msgspec.structs.replace(ENVIRONMENT, freezes=(FREEZE,), **changes)
    return removed.look_at(environment, declared, record, Observation(units=units), SHAPE, NOW)


def test_a_session_that_a_freeze_has_come_to_forbid_is_withdrawn_without_a_manifest_too() -> None:
    unit = unit_of(rollout(), phase=UnitPhase.SCHEDULED, start_at=SCHEDULED["start_at"])

    result = frozen(left(Stage.SCHEDULED, **SCHEDULED), unit)

    (action,) = result.plan.actions
    assert isinstance(action, DeleteUnit)
    assert (action.vendor_id, action.not_after) == ("t-1", SCHEDULED["start_at"])
    assert "freeze" in action.reason
    assert f"only {unit.unit_id} is withdrawn" in result.plan.holds[0].message
    assert looked(left(Stage.SCHEDULED, **SCHEDULED), unit).plan.actions == ()


@pytest.mark.parametrize(
    ("stage", "phase", "given"),
    [
        (Stage.SCHEDULED, UnitPhase.SCHEDULED, SCHEDULED | {"started_by_us": False}),
        (Stage.RUNNING, UnitPhase.RUNNING, RUNNING),
        (Stage.OPEN, UnitPhase.OPEN, {}),
    ],
    ids=["another actor scheduled it", "it is on air", "it is open"],
)
def test_nothing_else_of_a_removed_rollout_is_withdrawn(
    stage: Stage, phase: UnitPhase, given: dict[str, object]
) -> None:
    unit = unit_of(rollout(), phase=phase, start_at=given.get("start_at"))

    result = frozen(left(stage, **given), unit)

    assert result.plan.actions == ()
    assert END in result.plan.holds[0].message


def test_the_plan_prints_the_withdrawal_as_it_is_sent_and_nothing_is_left_then() -> None:
    cloud, journal = Cloud(NOW), Memory()
    run(cloud, journal, rollout())
    scheduled = [u.phase for u in cloud.tasks.values()]
    before = len(cloud.sent)
    environment = msgspec.structs.replace(ENVIRONMENT, freezes=(FREEZE,))
    backends, now = {"fuota": cloud}, lambda: cloud.now
    stored = journal.load_all("prod-eu")
    (found,) = preview(environment, (), stored, backends, backends, now, lambda _r: (), lambda _r: True)
    planned = left_over(found)

    report = Reconciler(environment, (), backends, journal, now, "me", lambda _r: (), lambda _r: True).run()

    assert scheduled == [UnitPhase.SCHEDULED]
    assert planned is not None
    assert [c.operation for s in planned.next for c in s.calls] == ["DeleteFuotaTask"]
    assert planned.outlook == ()
    assert cloud.sent[before:] == ["DeleteFuotaTask"]
    assert [(r.phase, r.actions, r.error) for r in report.rollouts] == [("Removed", ("deleteUnit",), "")]
    assert cloud.tasks == {}
