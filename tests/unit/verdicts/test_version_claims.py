"""Which claims of a unit that runs are read, what they count as, and how long its gate waits for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from otactl.model import (
    Attempt,
    Device,
    DeviceResult,
    Gate,
    Outcome,
    Reason,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Unit,
    UnitPhase,
    Verdict,
    VersionClaims,
    VersionConfirm,
    VersionProof,
    Wave,
    WaveRecord,
)
from otactl.verdicts.version_claims import Proof, after, counted, proof_of, shown_successes, to_read, unread
from otactl.verdicts.wave_verdict import judgement, needs_proof
from tests.support.builders import NOW, rollout

S, F, W = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING
START, SILENCE = NOW - timedelta(hours=6), timedelta(hours=6)
"""The deadline is NOW."""
PLAIN, SURE = Gate(min_success_percent=75, silence_after="6h"), Gate(min_success_percent=50, confidence=0.55)
CONFIRM = VersionConfirm(version=VersionProof(attribute="v"))
NAMES = ("a", "b", "c", "d")


def declared(gate: Gate, **strategy: Any) -> Rollout:
    waves = tuple(
        Wave(name=name, targets=Targets(things=tuple(Device(id=n) for n in names)))
        for name, names in (("canary", NAMES), ("fleet", ("e", "f")))
    )
    return rollout(strategy=Strategy(waves=waves, gate=gate, confirm=CONFIRM, **strategy))


def attempt_of(at: Rollout, tally: dict[Outcome, int], claims: VersionClaims) -> Attempt:
    return Attempt(
        number=1,
        generation=at.generation,
        unit_id="u",
        stage=Stage.RUNNING,
        vendor_id="v",
        start_at=START,
        devices=NAMES,
        tally=tally,
        claims=claims,
    )


def state(gate: Gate, tally: dict[Outcome, int], claims: VersionClaims, now: datetime = NOW, **wave: Any) -> str:
    at = declared(gate)
    known = WaveRecord(name="canary", attempts=(attempt_of(at, tally, claims),), **wave)
    found = judgement(known, at.strategy.waves[0], at, now)
    assert found is not None
    return found[0].state.value


def claims(number: int, age: timedelta | None = timedelta(0), *, read: bool = True) -> VersionClaims:
    return VersionClaims(open=number, newest=None if age is None else NOW - age, read=read)


@pytest.mark.parametrize(
    ("tally", "left", "expected"),
    [
        ({S: 3, W: 1}, claims(0), "passed"),
        ({S: 2, W: 2}, claims(1), "waiting"),  # it was made just now
        ({S: 2, W: 2}, claims(1, SILENCE), "failed"),
        ({S: 2, W: 2}, claims(1, None), "failed"),  # no one knows when: it is not waited for
        ({S: 2, W: 2}, claims(1, SILENCE, read=False), "waiting"),  # its version was not read yet
        ({S: 1, W: 3}, claims(1), "failed"),  # the wave fails with it, too
        ({S: 3, W: 1}, claims(1), "passed"),  # the wave passes without it
        ({S: 1, F: 2, W: 1}, claims(1), "failed"),
    ],
)
def test_at_the_deadline_a_claim_is_waited_for_where_the_wave_passes_with_it(
    tally: dict[Outcome, int], left: VersionClaims, expected: str
) -> None:
    assert state(PLAIN, tally, left) == expected


@pytest.mark.parametrize(
    ("later", "newest", "expected"),
    [
        (SILENCE - timedelta(seconds=1), NOW, "waiting"),
        (SILENCE, NOW, "failed"),
        (SILENCE, NOW + timedelta(hours=3), "failed"),  # one that is made after the deadline lets no wave wait longer
        (timedelta(hours=3), NOW - timedelta(hours=3), "failed"),
    ],
)
def test_a_wave_waits_beyond_its_deadline_for_silence_after_at_most(
    later: timedelta, newest: datetime, expected: str
) -> None:
    left = VersionClaims(open=1, newest=newest, read=True)

    assert state(PLAIN, {S: 2, W: 2}, left, NOW + later) == expected


def test_a_wave_that_failed_at_its_deadline_does_not_wait_again_for_a_claim_made_since() -> None:
    failed = Verdict(passed=False, succeeded=2, failed=2, total=4, needed_percent=75, at=NOW)
    old = {"verdict": failed, "verdict_generation": declared(PLAIN).generation}

    assert state(PLAIN, {S: 2, W: 2}, claims(1), NOW + timedelta(minutes=1), **old) == "failed"
    assert state(PLAIN, {S: 3, W: 1}, claims(0), NOW + timedelta(minutes=2), **old) == "passed"


@pytest.mark.parametrize(
    ("tally", "left", "expected"), [({S: 2, W: 2}, claims(2), "passed"), ({S: 1, W: 3}, claims(2), "waiting")]
)
def test_a_claim_is_no_evidence_for_a_confidence(tally: dict[Outcome, int], left: VersionClaims, expected: str) -> None:
    assert state(SURE, tally, left) == expected


OUTCOMES = st.lists(st.sampled_from((S, F, W)), min_size=4, max_size=4)


@given(OUTCOMES, st.integers(0, 4), st.sampled_from((PLAIN, SURE)), st.booleans(), st.integers(-7, 7))
def test_no_claim_passes_a_wave(found: list[Outcome], number: int, gate: Gate, read: bool, hours: int) -> None:
    tally = {outcome: n for outcome in (S, F, W) if (n := found.count(outcome))}
    number, now = min(number, tally.get(W, 0)), NOW + timedelta(hours=hours)

    without, with_claims = state(gate, tally, VersionClaims(), now), state(gate, tally, claims(number, read=read), now)

    assert with_claims in (without, "waiting")
    if with_claims != without:  # it waits, and would pass with them
        true = {**tally, S: tally.get(S, 0) + number, W: tally[W] - number}
        assert state(gate, true, VersionClaims(), now) == "passed"


@pytest.mark.parametrize(
    ("gate", "tally", "now", "expected"),
    [
        (PLAIN, {S: 3, W: 1}, NOW, True),
        (PLAIN, {S: 3, W: 1}, NOW - timedelta(seconds=1), False),  # nothing is decided yet
        (PLAIN, {S: 2, W: 2}, NOW, False),  # it does not pass if all is true
        (SURE, {S: 2, W: 2}, NOW - timedelta(hours=5), True),
        (SURE, {S: 1, W: 3}, NOW - timedelta(hours=5), False),
    ],
)
def test_versions_are_read_only_while_the_wave_passes_if_each_claim_is_true(
    gate: Gate, tally: dict[Outcome, int], now: datetime, expected: bool
) -> None:
    at = declared(gate)
    attempt = attempt_of(at, {W: 4}, VersionClaims())
    unit = Unit(unit_id="u", phase=UnitPhase.RUNNING, vendor_id="v", tally=tally)
    wave = WaveRecord(name="canary", attempts=(attempt,))

    assert needs_proof(wave, attempt, unit, at, now) is expected
    assert not needs_proof(None, attempt, unit, at, now)


@pytest.mark.parametrize(
    ("read", "name"),
    [({"read": True}, "waitingForVersion"), ({"read_to": "b"}, "waitingForVersion"), ({}, "versionNotRead")],
    ids=["read", "read in part", "not read"],
)
def test_claims_count_as_waiting_and_are_shown_as_what_is_known_of_them(read: dict[str, Any], name: str) -> None:
    unit = Unit(
        unit_id="u",
        phase=UnitPhase.RUNNING,
        vendor_id="v",
        tally={S: 3, F: 1, W: 1},
        progress={"succeeded": 3, "failed": 1, "queued": 1},
    )

    shown = counted(unit, VersionClaims(confirmed=("a",), open=2, **read))

    assert shown.tally == {S: 1, F: 1, W: 3}
    assert shown.progress == {"succeeded": 1, "failed": 1, "queued": 1, name: 2}
    assert shown_successes(shown.progress) == 3
    assert counted(unit, VersionClaims()).progress == unit.progress


def test_what_was_confirmed_is_kept_where_nothing_depends_on_the_rest() -> None:
    known = VersionClaims(confirmed=("a",), open=1, newest=NOW, read=True)

    assert unread(known, 3) == VersionClaims(confirmed=("a",), open=2)


def test_a_device_that_reported_the_version_is_read_again_and_counts_no_more_if_it_went_back() -> None:
    took: dict[str, datetime | None] = {"a": START, "b": NOW, "c": None}
    known = VersionClaims(confirmed=("a", "b"))

    asked = to_read(took, known)
    found = after(took, known, {"a": "1", "b": "2", "c": None}, "2")

    assert asked == ("a", "b", "c")
    assert found == VersionClaims(confirmed=("b",), open=2, newest=START, read=True)


def test_once_the_wave_is_released_a_device_that_reported_the_version_is_not_read_again() -> None:
    took: dict[str, datetime | None] = {"a": START, "b": NOW, "c": None}
    known = VersionClaims(confirmed=("a",))

    asked = to_read(took, known, released=True)
    found = after(took, known, dict.fromkeys(asked, "1"), "2", released=True)

    assert asked == ("b", "c")
    assert found == VersionClaims(confirmed=("a",), open=2, newest=NOW, read=True)


def test_a_confirmed_device_that_took_the_image_no_more_counts_no_more() -> None:
    known = VersionClaims(confirmed=("a", "b"))

    assert after({"b": NOW}, known, {"b": "2"}, "2") == VersionClaims(confirmed=("b",), read=True)


def test_versions_that_cannot_be_read_leave_the_claims_unread() -> None:
    known = VersionClaims(confirmed=("a",), open=1, read=True)

    assert after({"a": NOW, "b": NOW}, known, None, "2") == VersionClaims(confirmed=("a",), open=1, newest=NOW)


@given(st.integers(1, 12), st.integers(1, 5), st.data())
def test_every_device_is_read_in_as_few_passes_as_there_are_parts(number: int, part: int, data: st.DataObject) -> None:
    took: dict[str, datetime | None] = {f"d{n:02}": NOW for n in range(number)}
    new = data.draw(st.sets(st.sampled_from(sorted(took))))
    known, read = VersionClaims(), set[str]()
    for _ in range(-(-number // part)):
        assert not known.read
        asked = to_read(took, known, part)
        assert len(asked) <= part
        read |= set(asked)
        known = after(took, known, {d: "2" if d in new else None for d in asked}, "2")

    assert read == set(took)
    assert (known.confirmed, known.open, known.read, known.read_to) == (tuple(sorted(new)), number - len(new), True, "")


def test_where_a_number_of_devices_costs_no_more_than_one_all_are_read() -> None:
    took: dict[str, datetime | None] = dict.fromkeys(("a", "b", "c"), NOW)

    assert to_read(took, VersionClaims(), None) == ("a", "b", "c")


def test_a_unit_of_another_revision_is_proved_by_the_version_it_carries() -> None:
    at = declared(PLAIN)
    transfer = replace(at, strategy=replace(at.strategy, confirm="transfer"))

    assert proof_of(at, at.generation, "1.0.0") == Proof(confirm=CONFIRM, version=at.firmware.version, declared=True)
    assert proof_of(at, "another", "1.0.0") == Proof(confirm=CONFIRM, version="1.0.0", declared=False)
    assert proof_of(at, "another") is None
    assert proof_of(transfer, at.generation) is None


def test_a_pass_behind_the_last_device_starts_again_with_the_first_one() -> None:
    took = {"a": NOW, "b": NOW}
    known = VersionClaims(confirmed=("b",), open=1, read_to="c")
    assert to_read(took, known) == ()

    found = after(took, known, {}, "2.4.1")

    assert (found.read_to, found.confirmed, found.open) == ("", ("b",), 1)
    assert to_read(took, found) == ("a", "b")


def test_who_failed_in_an_attempt_that_we_stopped_counts_beside_the_claims_of_the_next_one() -> None:
    at = declared(PLAIN)
    failed = tuple(DeviceResult(device=n, outcome=F, reason=Reason.FLASH) for n in ("c", "d"))
    stopped = replace(attempt_of(at, {}, VersionClaims()), unit_id="before", stage=Stage.ENDED, results=failed)
    stopped = replace(stopped, canceled_by_us=True, ended_at=START)
    again = replace(attempt_of(at, {}, VersionClaims()), number=2, retry_targets=("device:a", "device:b"))
    unit = Unit(unit_id="u", phase=UnitPhase.RUNNING, vendor_id="v", tally={S: 2})

    alone = needs_proof(WaveRecord(name="canary", attempts=(again,)), again, unit, at, NOW)
    beside = needs_proof(WaveRecord(name="canary", attempts=(stopped, again)), again, unit, at, NOW)

    assert (alone, beside) == (True, False)
