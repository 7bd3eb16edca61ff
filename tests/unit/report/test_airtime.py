"""The radio planner's answer in every form: the fixed keys by schema, text and Markdown for people, the picture."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import msgspec
import pytest

from otactl.lorawan.fragmentation import DeviceCaps
from otactl.lorawan.loss_models import Bursts, Independent, Outage
from otactl.lorawan.planner import forecast
from otactl.lorawan.redundancy_curve import curve
from otactl.lorawan.report import AirtimeReport
from otactl.lorawan.request import AirtimeRequest, DeviceClass
from otactl.report.airtime import as_json, as_markdown, as_text, chance_line, result, rows
from otactl.report.airtime_plot import CHANCES, REDUNDANCY, as_svg, y
from otactl.report.plan import as_json as plan_json
from otactl.report.plan_markdown import as_markdown as plan_markdown
from otactl.report.plan_text import as_text as plan_text
from otactl.report.plan_values import PlannedRollout, PlanReport
from otactl.wording import about
from tests.support.report_values import validated

FIXED = (
    "fragments",
    "parityFragments",
    "timeOnAirMs",
    "spacingMs",
    "sessionSeconds",
    "dutyCyclePercent",
    "successProbability",
    "successClosedForm",
    "expectedUpdated",
    "rxEnergyJoules",
    "warnings",
    "recommendation",
)
MISSES = AirtimeRequest(
    region="EU868",
    data_rate=3,
    image_bytes=8960,
    fragment_bytes=88,
    redundancy_percent=10,
    interval_ms=9000,
    classes=(DeviceClass(devices=50, loss=Independent(0.05)),),
)
REACHES = msgspec.structs.replace(MISSES, fragment_bytes=87, redundancy_percent=30, advice="whenMissed")
QUESTIONS = {
    "a session that misses": MISSES,
    "a session that reaches": REACHES,
    "bursts and an outage": msgspec.structs.replace(
        REACHES, classes=(DeviceClass(devices=5, loss=Bursts(0.05, 3)),), outage=Outage(5, 0.1)
    ),
    "single devices": AirtimeRequest(
        region="EU868", image_bytes=6144, redundancy_percent=20, devices=3, devices_per_gateway=3, advice="whenMissed"
    ),
    "a device that refuses": msgspec.structs.replace(REACHES, caps=DeviceCaps(max_fragments=5)),
    "a window": msgspec.structs.replace(REACHES, window_seconds=60.0, lead_seconds=2100.0),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_the_json_is_as_its_schema_says(question: AirtimeRequest) -> None:
    found = validated(as_json(forecast(question)), "airtime")
    assert isinstance(found, dict)
    assert set(FIXED) <= set(found)


def test_the_json_tells_the_figures_of_the_answer() -> None:
    found = forecast(MISSES)
    reported = msgspec.to_builtins(result(found))
    assert (reported["fragments"], reported["parityFragments"]) == (102, 10)
    assert reported["successProbability"] == found.chance.probability
    assert reported["successClosedForm"] == found.closed_form
    assert reported["expectedUpdated"] == pytest.approx(50 * found.chance.probability)
    assert isinstance(reported["recommendation"], dict)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_people_see_every_warning_in_text_and_in_markdown(question: AirtimeRequest) -> None:
    found = forecast(question)
    for reported in (as_text(found), as_markdown(found)):
        assert all(each.code in reported for each in found.warnings)


def test_a_session_that_misses_says_what_would_not() -> None:
    found = forecast(MISSES)
    assert found.recommendation is not None
    for reported in (as_text(found), as_markdown(found), chance_line(found)):
        assert "misses the target of 0.99" in reported
        assert f"{found.recommendation.fragment_bytes} bytes, {found.recommendation.redundancy_percent} %" in reported


def test_no_setting_is_promised_to_reach_a_target_through_an_outage_it_does_not_count() -> None:
    found = forecast(msgspec.structs.replace(MISSES, outage=Outage(999_999, 1)))
    assert found.recommendation is not None
    for reported in (as_text(found), as_markdown(found), chance_line(found)):
        assert reported.count("would reach it") == reported.count("would reach it if there were no outage") == 1
    assert "the shared outage is not counted" in as_text(found)
    assert "no outage" not in as_text(forecast(MISSES))


def test_a_session_that_reaches_its_target_says_so() -> None:
    assert "reaches the target of 0.99" in as_text(forecast(REACHES))
    assert "misses" not in chance_line(forecast(REACHES))


def test_a_window_that_is_too_short_is_reported() -> None:
    reported = as_text(forecast(QUESTIONS["a window"]))
    assert "does not fit the window of 1m" in reported
    assert "begins 35m or more after" in reported


def test_single_devices_show_what_they_cost_their_gateway() -> None:
    assert "on air for 3 devices one by one" in as_text(forecast(QUESTIONS["single devices"]))


def test_a_chance_that_is_not_certain_never_reads_as_certain() -> None:
    found = forecast(msgspec.structs.replace(REACHES, redundancy_percent=60, advice="whenMissed"))
    assert found.chance.probability > 0.9999
    assert "success     at least 0.99" in as_text(found)
    assert "with above 0.9999 " in chance_line(found)


@pytest.mark.parametrize(
    ("low", "value", "trials", "reported"),
    [
        (0.5012, 0.99997, 2048, "0.501 to 0.999"),
        (0.9996, 0.99998, 2048, "0.9996 to 0.9999"),
        (0.99996, 0.99999, 2048, "above 0.9999"),
        (1.0, 1.0, 2048, "above 0.9999"),
        (1.0, 1.0, 0, "1.0000"),
        (0.62, 0.7051, 2048, "0.620 to 0.705"),
        (0.7050, 0.7051, 2048, "0.7051"),
        (0.0, 0.0, 2048, "below 0.0001"),
        (0.0, 0.0021, 2048, "0.0000 to 0.0021"),
    ],
)
def test_a_fleets_chance_is_a_range_where_it_is_not_known_better(
    low: float, value: float, trials: int, reported: str
) -> None:
    found = forecast(MISSES)
    worst = msgspec.structs.replace(found.fleet.worst_class, trials=trials)
    fleet = msgspec.structs.replace(
        found.fleet, all_updated=value, all_updated_low=low, gate_passes=value, gate_passes_low=low, worst_class=worst
    )
    found = msgspec.structs.replace(found, fleet=fleet)
    for text in (as_text(found), as_markdown(found)):
        assert f"the chance that all are is {reported}, that every gate passes {reported}" in text


def test_five_hundred_devices_never_read_surer_than_they_are() -> None:
    many = (DeviceClass(devices=500, loss=Independent(0.05)),)
    found = forecast(msgspec.structs.replace(REACHES, classes=many, redundancy_percent=60))
    assert found.fleet.all_updated > 0.9999
    assert found.fleet.all_updated_low < 0.999
    row = next(line for line in as_text(found).splitlines() if "devices expected" in line)
    assert "above" not in row
    assert f"{found.fleet.all_updated_low:.1f}" in row


def planned(airtime: AirtimeReport | None) -> PlanReport:
    rollout = PlannedRollout(name="soil", environment="prod-eu", digest="a" * 64, airtime=airtime)
    return PlanReport(offline=True, rollouts=(rollout,))


def test_a_plan_tells_the_same_figures() -> None:
    found = forecast(MISSES)
    report = planned(found)
    reported = validated(plan_json(report), "plan")
    assert isinstance(reported, dict)
    assert reported["rollouts"][0]["airtime"] == json.loads(as_json(found))
    for text in (plan_text(report), plan_markdown(report)):
        assert "102 + 10 fragments" in text
        assert "rebuilds the image with 0.70" in text
        assert "textbook 0.8776" in text
        assert all(each.code in text for each in found.warnings)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_plan_has_all_figures_in_markdown_and_names_their_command_in_text(question: AirtimeRequest) -> None:
    found = forecast(question)
    shown = plan_markdown(planned(found))
    for title, text in rows(found):
        assert title in shown
        assert text in shown.replace("\\", ""), shown
    assert ("one by one" in shown) is (found.gateway is not None)
    assert "all radio figures: otactl airtime" in plan_text(planned(found))


def test_the_command_for_all_figures_works_when_it_is_copied() -> None:
    report = planned(forecast(MISSES))
    (rollout,) = report.rollouts
    odd = msgspec.structs.replace(rollout, file="roll outs/a.yaml")
    shown = plan_text(msgspec.structs.replace(report, rollouts=(odd,)))
    assert "otactl airtime 'roll outs/a.yaml'" in shown


def test_a_plan_of_single_devices_tells_how_long_their_gateway_is_busy() -> None:
    question = msgspec.structs.replace(QUESTIONS["single devices"], devices=100, devices_per_gateway=100)
    found = forecast(question)
    assert found.gateway is not None
    assert found.gateway.shortest_seconds > 95 * found.session.session_seconds
    for reported in (plan_text(planned(found)), plan_markdown(planned(found))):
        assert f"{about(found.gateway.shortest_seconds)} at least for the 100 devices of a gateway" in reported


def test_a_plan_without_a_radio_tells_none() -> None:
    assert json.loads(plan_json(planned(None)))["rollouts"][0]["airtime"] is None
    assert "on air" not in plan_text(planned(None))


SVG = "{http://www.w3.org/2000/svg}"


def drawn(question: AirtimeRequest) -> ElementTree.Element:
    found = forecast(question)
    return ElementTree.fromstring(as_svg(found, curve(question, found)))  # noqa: S314 - drawn right here


@pytest.mark.parametrize("question", [MISSES, QUESTIONS["bursts and an outage"]], ids=["misses", "bursts"])
def test_the_picture_names_what_it_shows(question: AirtimeRequest) -> None:
    words = [text.text or "" for text in drawn(question).iter(f"{SVG}text")]
    for expected in (REDUNDANCY, "session time", "declared", "target 0.99", "0 %", "textbook (uniform rows)"):
        assert expected in words, words
    assert any("EU868 data rate 3" in each for each in words)
    assert any("without the shared outage" in each for each in words) is (question.outage is not None)


def test_the_picture_draws_chances_upwards_within_its_frame() -> None:
    found = forecast(MISSES)
    points = curve(MISSES, found)
    lines = [each for each in drawn(MISSES).iter(f"{SVG}polyline") if each.get("stroke-width") == "2.5"]
    places = [tuple(map(float, pair.split(","))) for pair in (lines[0].get("points") or "").split()]
    assert len(places) == len(points)
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    assert places[0][1] > places[-1][1]
    assert all(78 <= x <= 830 and 182 <= y <= 492 for x, y in places)


def test_the_scale_tells_097_from_1_apart() -> None:
    assert [f"{chance:g}" for chance in CHANCES] == [
        each for each in words_of(MISSES) if re.fullmatch(r"0\.[0-9]+", each)
    ]
    assert y(0.97) - y(0.9999) > 120
    assert y(0.0) == y(0.01)
    assert y(1.0) == y(0.9999)


def test_the_interval_that_the_legend_names_is_drawn_around_the_curve() -> None:
    found = forecast(MISSES)
    points = curve(MISSES, found)
    band = next(p for p in drawn(MISSES).iter(f"{SVG}polygon") if p.get("fill-opacity"))
    heights = [float(pair.split(",")[1]) for pair in (band.get("points") or "").split()]

    assert heights[: len(points)] == [y(p.chance.high) for p in points]
    assert heights[len(points) :] == [y(p.chance.low) for p in reversed(points)]
    assert "their 95 % interval" in words_of(MISSES)


def test_the_picture_marks_what_is_recommended_with_its_figures() -> None:
    advice = forecast(MISSES).recommendation
    assert advice is not None
    diamonds = [p for p in drawn(MISSES).iter(f"{SVG}polygon") if p.get("fill") == "#674ea7"]
    reported = next(each for each in words_of(MISSES) if each.startswith("recommended: "))

    assert len(diamonds) == 2  # in the picture, and in the legend
    assert f",{y(advice.success_probability)}" in (diamonds[0].get("points") or "")
    assert f"{advice.fragment_bytes} bytes, {advice.redundancy_percent} %" in reported


def test_the_picture_counts_devices_and_names_the_lead_time() -> None:
    reported = words_of(msgspec.structs.replace(MISSES, lead_seconds=2100))

    assert any(each.endswith("of 50 devices expected to rebuild the image") for each in reported)
    assert "lead time: the session starts 35m or more after the start request" in reported


def test_every_word_of_the_picture_lies_inside_it() -> None:
    root = drawn(MISSES)
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    assert all(
        0 <= float(t.get("x") or -1) <= width and 0 < float(t.get("y") or -1) < height for t in root.iter(f"{SVG}text")
    )


def words_of(question: AirtimeRequest) -> list[str]:
    return [each.text or "" for each in drawn(question).iter(f"{SVG}text")]


def test_the_picture_is_no_surer_than_the_text() -> None:
    reported = words_of(msgspec.structs.replace(REACHES, redundancy_percent=60))
    assert any("above 0.9999 (" in each for each in reported), reported
    assert not any(each.endswith("fragments, 1.0000") for each in reported)


def test_a_session_time_is_reported_once_however_many_redundancies_have_it() -> None:
    reported = words_of(msgspec.structs.replace(MISSES, image_bytes=80))
    assert any("as 1 fragment of 88" in each for each in reported)
    times = [each for each in reported if re.fullmatch(r"[0-9.]+[smh]", each)]
    assert times == ["0.6s", "9.6s"]  # without parity, and with the only parity fragment there can be


def test_a_picture_says_that_the_device_refuses_the_session() -> None:
    assert "the device refuses the session: no redundancy rebuilds the image" in words_of(
        QUESTIONS["a device that refuses"]
    )
