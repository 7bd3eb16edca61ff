"""A rehearsal in every form: JSON by schema, text and Markdown for people, the picture."""

from __future__ import annotations

import json
from datetime import timedelta
from xml.etree import ElementTree

import msgspec
import pytest

from otactl.model import Event
from otactl.rehearsal.results import Rehearsal, RehearsalOutcome, RehearsalRun, RolloutCourse, Span, Wait, WaveCourse
from otactl.rehearsal.summary import forecasts, spread
from otactl.report.rehearsal import as_json, as_markdown, as_text, length
from otactl.report.rehearsal_plot import as_svg
from tests.support.report_values import HOSTILE, NOW, validated

HOUR = timedelta(hours=1)


def course(
    seed: int, hours: int, outcome: RehearsalOutcome = RehearsalOutcome.SUCCEEDED, lost: int = 0
) -> RehearsalRun:
    end = NOW + hours * HOUR
    good = outcome is RehearsalOutcome.SUCCEEDED
    span = Span(unit="soil-canary-1-0a1b2c3d", tries=1, start_at=NOW + HOUR, ended_at=end, succeeded=10, failed=lost)
    wave = WaveCourse(
        name="canary",
        attempts=(span,),
        passed=good,
        verdict="90 %",
        verdict_at=end,
        released=good,
        devices=10 + lost,
        succeeded=10,
        failures={"missingFragments": lost} if lost else {},
    )
    wait = Wait(wave="canary", reason="window_is_closed", message="opens later", since=NOW, until=NOW + HOUR)
    rollout = RolloutCourse(
        name="soil",
        environment="prod-eu",
        outcome=outcome,
        ended_at=end,
        why="" if good else "gate: too low",
        waves=(wave, WaveCourse(name="fleet")),
        waits=(wait,),
        events=(Event(at=end, kind="verdict", subject="canary", message="wave canary passed"),),
    )
    return RehearsalRun(seed=seed, ended_at=end, runs=4, calls=40, rollouts=(rollout,))


def rehearsal(*courses: RehearsalRun) -> Rehearsal:
    return Rehearsal(
        at=NOW,
        horizon_days=90,
        assumed=("10 devices in each group",),
        courses=courses,
        forecasts=forecasts(courses, NOW),
    )


GOOD = rehearsal(course(1, 5), course(2, 3, lost=2), course(3, 9, lost=1))
BAD = rehearsal(course(1, 5), course(2, 3, RehearsalOutcome.FAILED, 4))


@pytest.mark.parametrize("found", [GOOD, BAD, rehearsal(course(1, 2160, RehearsalOutcome.NOT_ENDING))])
def test_the_json_is_as_its_schema_says(found: Rehearsal) -> None:
    validated(as_json(found), "rehearse")


def test_figures_are_reported_over_the_seeds() -> None:
    reported = json.loads(as_json(GOOD))["forecasts"][0]

    assert reported["seconds"] == {"least": 3 * 3600, "median": 5 * 3600, "most": 9 * 3600}
    assert reported["failures"] == {"missingFragments": {"least": 0, "median": 1, "most": 2}}
    assert "ends after 5h (3h to 9h)" in as_text(GOOD)


def test_a_seed_that_fails_is_reported_beside_those_that_do_not() -> None:
    text = as_text(BAD)

    assert not BAD.succeeds
    assert "succeeds in 1 of 2 seeds" in text
    assert "gate: too low" in text


def test_the_timeline_fits_a_terminal() -> None:
    wide = max(len(line) for line in as_text(BAD).partition("timeline of seed")[2].splitlines()[1:])
    timeline = as_text(BAD, wide - 1).partition("timeline of seed")[2].splitlines()[1:]

    assert max(len(line) for line in timeline) < wide


def test_the_seed_in_the_middle_is_shown() -> None:
    assert GOOD.typical.seed == 1
    assert BAD.typical.seed == 1


def test_markdown_has_the_figures_and_folds_the_timeline_away() -> None:
    text = as_markdown(GOOD)

    assert "| prod-eu/soil | 3 of 3 | 5h (3h to 9h) |" in text
    assert text.endswith("</details>")


@pytest.mark.parametrize("render", [as_text, as_markdown, as_svg])
def test_words_of_a_service_move_no_cursor_and_close_no_tag(render: object) -> None:
    rollout = msgspec.structs.replace(
        course(1, 2, RehearsalOutcome.STALLED).rollouts[0],
        why=HOSTILE,
        waits=(Wait(wave="canary", reason="x", message=HOSTILE, since=NOW, until=NOW + HOUR),),
    )
    found = rehearsal(msgspec.structs.replace(course(1, 2), rollouts=(rollout,)))
    assert callable(render)
    text = render(found)

    assert "\x1b" not in text
    assert "<b>" not in text or render is as_text


def test_the_picture_is_svg_with_a_row_for_each_wave() -> None:
    drawn = ElementTree.fromstring(as_svg(BAD))  # noqa: S314 - what was just written
    words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]

    assert {"soil", "wave canary: 10 of 10 devices", "wave fleet: not started"} <= set(words)
    assert any(word is not None and word.startswith("succeeded after") for word in words)


def test_the_picture_shows_the_lead_time_before_a_start() -> None:
    unit = "soil-canary-1-0a1b2c3d"
    events = (
        Event(at=NOW, kind="sent", subject=unit, message="createUnit: wave canary is next"),
        Event(at=NOW + HOUR / 4, kind="sent", subject=unit, message="startUnit: every check passed"),
    )
    started = msgspec.structs.replace(course(1, 2).rollouts[0], events=events)
    titles = [
        element.text
        for element in ElementTree.fromstring(  # noqa: S314 - what was just written
            as_svg(rehearsal(msgspec.structs.replace(course(1, 2), rollouts=(started,))))
        ).iter("{http://www.w3.org/2000/svg}title")
    ]

    assert f"{unit}: sent 45m before its start" in titles


def test_the_median_of_an_even_number_is_one_that_was_seen() -> None:
    found = spread([4, 1, 2, 9])

    assert (found.least, found.median, found.most) == (1, 2, 9)


@pytest.mark.parametrize(("seconds", "reported"), [(0, "0m"), (2700, "45m"), (86399, "1d"), (3 * 86400 + 60, "3d 1m")])
def test_durations_are_shown_to_the_minute_with_their_units(seconds: float, reported: str) -> None:
    assert length(seconds) == reported
