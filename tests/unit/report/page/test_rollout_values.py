"""What the page shows of one rollout: what is next, the arithmetic of gates, attempts."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import Event, Failure, Gate, Outcome, Phase, Reason, Record, RecordedHold, Stage, WaveRecord
from otactl.ports import Stored
from otactl.report.page.facts import RolloutFacts
from otactl.report.page.rollout_values import RolloutView, age, lasting, rollout_view
from otactl.report.status_summary import summarise
from tests.support.builders import rollout
from tests.support.report_values import GENERATION, NOW, attempt, record, result, verdict

HOUR = timedelta(hours=1)


def view_of(held: Record, *, gate: Gate | None = None, events: tuple[Event, ...] = ()) -> RolloutView:
    stored = Stored(record=held, revision=1)
    manifest = None
    if gate is not None:
        manifest = rollout(strategy=msgspec.structs.replace(rollout().strategy, gate=gate))
    facts = RolloutFacts(stored=stored, events=events, declared=manifest)
    return rollout_view(facts, summarise([stored]).rollouts[0], (), NOW)


def judged(succeeded: int, total: int, needed: float) -> WaveRecord:
    return WaveRecord(
        name="canary",
        attempts=(attempt(stage=Stage.ENDED),),
        verdict=verdict(succeeded, total, needed),
        verdict_generation=GENERATION,
    )


@pytest.mark.parametrize(
    ("total", "needed", "allowed"),
    [(19, 90.0, 1), (20, 90.0, 2), (3, 100.0, 0), (1000, 99.9, 1), (7, 64.4, 2), (0, 90.0, 0)],
)
def test_a_gate_says_how_many_failures_it_allows_exactly(total: int, needed: float, allowed: int) -> None:
    found = view_of(record(judged(total, total, needed)))

    assert f"of at most {allowed}" in found.waves[0].arithmetic[1]


def test_a_verdict_shows_its_numbers_and_what_is_needed() -> None:
    found = view_of(record(judged(18, 19, 90)), gate=Gate(min_success_percent=90, soak="2h", silence_after="24h"))

    assert found.waves[0].arithmetic == (
        "18 of 19 devices succeeded: 94.7 %, needed 90 %",
        "1 failure of at most 1",
        "no answer after 24h counts as a failure",
        "soak: stays passed for 2h",
    )


def test_a_gate_that_is_not_decided_says_what_it_needs() -> None:
    running = WaveRecord(name="canary", attempts=(attempt(members=("device:a", "device:b")),))

    found = view_of(record(running), gate=Gate(min_success_percent=50))

    assert found.waves[0].arithmetic == ("needs 50 % of its devices; at most 1 failure of 2",)
    assert found.waves[0].needed_percent == 50


@pytest.mark.parametrize(
    ("wave", "state"),
    [
        (WaveRecord(name="canary"), "waiting"),
        (WaveRecord(name="canary", attempts=(attempt(stage=Stage.OPEN),)), "preparing"),
        (WaveRecord(name="canary", attempts=(attempt(stage=Stage.SCHEDULED, start_at=NOW + HOUR),)), "scheduled"),
        (WaveRecord(name="canary", attempts=(attempt(stage=Stage.SCHEDULED, start_at=NOW - HOUR),)), "running"),
        (WaveRecord(name="canary", attempts=(attempt(),)), "running"),
        (judged(1, 2, 90), "failed"),
        (judged(2, 2, 90), "unreleased"),
        (msgspec.structs.replace(judged(2, 2, 90), released=True), "passed"),
    ],
)
def test_a_wave_has_one_state_in_words(wave: WaveRecord, state: str) -> None:
    assert view_of(record(wave)).waves[0].state == state


@pytest.mark.parametrize(
    ("ago", "state", "planned"),
    [(1, "soaking", ["wave canary: its soak ends"]), (3, "unreleased", [])],
    ids=["in its soak", "release taken back"],
)
def test_a_passed_wave_soaks_only_until_its_soak_is_over(ago: int, state: str, planned: list[str]) -> None:
    manifest = rollout(strategy=msgspec.structs.replace(rollout().strategy, gate=Gate(soak="2h")))
    passed = msgspec.structs.replace(verdict(2, 2, 90), at=NOW - ago * HOUR)
    wave = WaveRecord(name="canary", verdict=passed, verdict_generation=manifest.generation)
    stored = Stored(record=record(wave, generation=manifest.generation), revision=1)

    found = rollout_view(RolloutFacts(stored=stored, declared=manifest), summarise([stored]).rollouts[0], (), NOW)

    assert (found.waves[0].state, [s.text for s in found.next]) == (state, planned)


def test_without_its_manifest_a_wave_soaks_while_a_pass_waits_for_it() -> None:
    hold = RecordedHold(reason="soak_is_running", message="soaks", since=NOW, until=NOW + HOUR)

    assert view_of(record(judged(2, 2, 90), holds=(hold,))).waves[0].state == "soaking"


def test_what_stops_a_rollout_comes_first_and_says_what_to_do() -> None:
    hold = RecordedHold(reason="window_is_closed", message="no window is open", since=NOW - HOUR, until=NOW + HOUR)
    failure = Failure(reason="PermissionDenied", message="iot:CreateOTAUpdate was refused", since=NOW)
    held = msgspec.structs.replace(record(), holds=(hold,), failure=failure, requeue_at=NOW + HOUR / 2)

    steps = view_of(held).next

    assert [s.code for s in steps] == ["PermissionDenied", "window_is_closed", ""]
    assert steps[0].urgent
    assert not steps[1].urgent
    assert all(s.means and s.fix for s in steps[:2])
    assert (steps[1].at, steps[2].look) == ("2026-03-01T13:00:00Z", True)


def test_planned_starts_and_ends_are_in_the_order_of_their_times() -> None:
    manifest = rollout()
    later = attempt(stage=Stage.SCHEDULED, start_at=NOW + HOUR, generation=manifest.generation)
    stored = Stored(record=record(WaveRecord(name="canary", attempts=(later,)), phase=Phase.PROGRESSING), revision=1)
    facts = RolloutFacts(stored=stored, declared=manifest)

    found = rollout_view(facts, summarise([stored]).rollouts[0], (), NOW)

    assert [s.text.partition(": ")[2] for s in found.next] == ["its session starts", "its session ends"]
    assert [s.at for s in found.next] == sorted(s.at or "" for s in found.next)


def test_an_attempt_says_what_is_unusual_about_it() -> None:
    odd = attempt(stage=Stage.ENDED, failure="NameTaken", retry_targets=("device:a",), canceled_by_us=True)
    odd = msgspec.structs.replace(odd, skipped_devices={"a": "device:a"}, data_rates={"g": 3}, found_by_tags=True)

    notes = view_of(record(WaveRecord(name="canary", attempts=(odd,)))).attempts[0].notes

    assert notes == (
        "NameTaken",
        "a retry for 1 target",
        "canceled by otactl",
        "1 device reported the version before the start and got nothing",
        "found at the service by its tags",
        "data rates that the service chose: 1 at data rate 3",
    )


def test_reasons_of_failures_are_counted_and_explained() -> None:
    results = (
        result("1", Outcome.FAILED, Reason.NO_MEMORY),
        result("2", Outcome.FAILED, Reason.MISSING_FRAGMENTS),
        result("3", Outcome.FAILED, Reason.MISSING_FRAGMENTS),
    )
    found = view_of(record(WaveRecord(name="canary", attempts=(attempt(stage=Stage.ENDED, results=results),))))

    assert found.waves[0].reasons == (("missingFragments", 2), ("noMemory", 1))
    assert dict(found.meanings).keys() == {"missingFragments", "noMemory"}
    assert all(means for _, means in found.meanings)


def test_the_newest_events_are_shown_and_all_are_counted() -> None:
    events = tuple(Event(at=NOW, kind="stage", subject="u", message=str(n)) for n in range(150))

    found = view_of(record(), events=events)

    assert (len(found.events), found.events_total) == (100, 150)
    assert found.events[0].message == "149"


@pytest.mark.parametrize(("at", "words"), [(NOW - 3 * HOUR, "3h ago"), (NOW + 2 * HOUR, "in 2h"), (NOW, "0s ago")])
def test_an_age_says_its_direction(at: object, words: str) -> None:
    assert age(str(at), NOW) == words
    assert age(None, NOW) == ""
    assert lasting(str(NOW - HOUR), NOW) == "for 1h"


def test_the_place_of_a_rollout_in_the_page_is_safe_in_an_address() -> None:
    odd = record(name="a/b #?", environment="prod eu")

    assert view_of(odd).slug == "prod%20eu/a%2Fb%20%23%3F"
