"""Session figures against hand-checked examples, and the facts each violation and warning names."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.regions import REGION_NAMES, region
from otactl.lorawan.session import SessionPlan, class_c_timeout, plan_session


def codes(plan: SessionPlan) -> set[str]:
    """The warnings of a plan by code."""
    return {finding.code for finding in plan.warnings}


def violated(plan: SessionPlan) -> set[str]:
    """The violations of a plan by code."""
    return {finding.code for finding in plan.violations}


def test_the_example_rollout_has_these_figures() -> None:
    plan = plan_session("EU868", 3, 98_304, 112, 12, 9000)
    assert (plan.fragments, plan.parity_fragments, plan.parity_fragments_rounded_up) == (878, 105, 106)
    assert (plan.padding_bytes, plan.phy_bytes) == (32, 128)
    assert (plan.time_on_air_ms, plan.spacing_ms) == (676.864, 9000)
    assert plan.session_seconds == pytest.approx(982 * 9 + 0.676864)
    assert plan.session_seconds_rounded_up == pytest.approx(983 * 9 + 0.676864)
    assert plan.duty_cycle_percent == pytest.approx(7.52071, abs=1e-5)
    assert plan.duty_cycle_limit_percent == 10
    assert plan.class_c_timeout_seconds == 16384
    assert plan.violations == ()


@pytest.mark.parametrize(
    ("dr", "fragment", "hours"),
    [(0, 48, 17.8), (1, 48, 9.5), (2, 48, 4.5), (3, 112, 1.9), (4, 239, 0.89), (5, 239, 0.51)],
)
def test_a_hundred_kilobytes_take_the_published_time_in_eu868(dr: int, fragment: int, hours: float) -> None:
    plan = plan_session("EU868", dr, 100_000, fragment, 10, None)
    assert plan.session_seconds / 3600 == pytest.approx(hours, rel=0.02)


def test_an_interval_below_the_duty_cycle_is_a_violation_and_the_spacing_the_lawful_one() -> None:
    plan = plan_session("EU868", 3, 98_304, 112, 12, 3000)
    assert violated(plan) == {"duty_cycle_exceeds_limit"}
    assert plan.duty_cycle_percent == pytest.approx(22.562, abs=1e-3)
    assert plan.spacing_ms == plan.shortest_lawful_spacing_ms == 7000
    assert "7000 ms or more" in plan.violations[0].message


def test_an_interval_over_the_headroom_is_lawful_but_warned_of() -> None:
    plan = plan_session("EU868", 3, 98_304, 112, 12, 7000)
    assert plan.violations == ()
    assert "duty_cycle_exceeds_headroom" in codes(plan)
    assert plan.shortest_comfortable_spacing_ms == 9000


def test_the_comfortable_interval_brings_no_headroom_warning() -> None:
    assert "duty_cycle_exceeds_headroom" not in codes(plan_session("EU868", 3, 98_304, 112, 12, 9000))


def test_a_region_without_duty_cycle_is_bound_by_time_on_air_only() -> None:
    plan = plan_session("US915", 10, 100_000, 239, 10, 1000)
    assert plan.violations == ()
    assert plan.spacing_ms == 1000
    assert "duty_cycle_exceeds_headroom" not in codes(plan)


@pytest.mark.parametrize(("given_ms", "spacing_ms"), [(9499, 9000), (9500, 10_000), (9000, 9000), (1, 7000)])
def test_intervals_count_in_whole_seconds(given_ms: int, spacing_ms: int) -> None:
    plan = plan_session("EU868", 3, 98_304, 112, 12, given_ms)
    assert plan.spacing_ms == spacing_ms
    assert ("interval_is_changed" in codes(plan)) is (given_ms != spacing_ms)


def test_an_interval_that_rounds_to_nothing_keeps_the_channel_busy_and_no_longer() -> None:
    assert plan_session("EU868", 3, 98_304, 112, 12, 1).duty_cycle_percent == 100


def test_a_fragment_over_the_payload_is_a_violation() -> None:
    plan = plan_session("EU868", 0, 1000, 49, 10, None)
    assert violated(plan) == {"fragment_exceeds_payload"}


def test_more_fragments_than_the_counter_holds_are_a_violation() -> None:
    assert violated(plan_session("EU868", 5, 163_840, 10, 0, None)) == {"fragment_counter_overflows"}
    assert violated(plan_session("EU868", 5, 163_830, 10, 0, None)) == set()


def test_rounding_redundancy_up_counts_against_the_counter() -> None:
    # 16221 + 162 fits rounded down; 16221 + 163 does not
    assert violated(plan_session("EU868", 5, 162_210, 10, 1, None)) == {"fragment_counter_overflows"}


def test_a_frame_over_the_dwell_time_is_a_violation() -> None:
    assert "dwell_time_exceeds_limit" in violated(plan_session("CN470", 1, 1000, 48, 10, None))
    assert "dwell_time_exceeds_limit" not in violated(plan_session("CN470", 1, 1000, 20, 10, None))


def test_a_dwell_time_some_countries_have_is_warned_of() -> None:
    assert "dwell_time_may_apply" in codes(plan_session("AS923-1", 3, 1000, 112, 10, None))
    assert "dwell_time_may_apply" not in codes(plan_session("AS923-1", 5, 1000, 239, 10, None))


def test_the_payload_aws_documents_differently_is_warned_of() -> None:
    assert "payload_is_disputed" in codes(plan_session("US915", 8, 1000, 31, 10, None))
    assert "payload_is_disputed" not in codes(plan_session("US915", 8, 1000, 30, 10, None))


def test_a_session_longer_than_the_class_c_field_is_warned_of() -> None:
    plan = plan_session("EU868", 0, 100_000, 48, 10, None)
    assert plan.class_c_timeout_seconds == 65536
    assert "class_c_timeout_exceeds_field" in codes(plan)


@pytest.mark.parametrize(
    ("seconds", "timeout"), [(1.0, 64), (64.0, 64), (64.1, 128), (32768.0, 32768), (32768.5, 65536)]
)
def test_the_timeout_is_the_next_power_of_two(seconds: float, timeout: int) -> None:
    assert class_c_timeout(seconds) == timeout


def test_what_is_not_declared_is_assumed_and_said() -> None:
    plan = plan_session("US915", None, 1000, None, 10, None)
    assert (plan.data_rate, plan.fragment_bytes) == (8, 30)
    assert {"data_rate_is_assumed", "fragment_size_is_assumed", "interval_is_assumed"} <= codes(plan)


def test_a_fragment_size_alone_decides_the_rate() -> None:
    plan = plan_session("EU868", None, 1000, 49, 10, 9000)
    assert plan.data_rate == 3
    assert codes(plan) >= {"data_rate_is_assumed"}
    assert "interval_is_assumed" not in codes(plan)


def test_uncertain_region_values_are_passed_on() -> None:
    plan = plan_session("CN779", 5, 1000, 100, 10, None)
    assert [f.message for f in plan.warnings if f.code == "region_value_is_uncertain"] == [
        f"CN779: {text}" for text in region("CN779").uncertain
    ]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("EU999", 0, 1, 1, 0, 1), "no region"),
        (("EU868", 9, 1, 1, 0, 1), "no downlink data rate 9"),
        (("EU868", 0, 0, 1, 0, 1), "at least 1 byte"),
        (("EU868", 0, 1, 1, 101, 1), "redundancy of 101"),
        (("EU868", 0, 1, 1, 0, 0), "interval of 0 ms"),
        (("EU868", None, 1, 240, 0, 1), "at most 239 fit"),
    ],
)
def test_impossible_input_is_refused(arguments: tuple[str, int | None, int, int, int, int], what: str) -> None:
    with pytest.raises(LorawanError, match=what):
        plan_session(*arguments)


@given(
    st.sampled_from(REGION_NAMES),
    st.integers(1, 20),
    st.integers(1, 50_000),
    st.integers(0, 100),
    st.none() | st.integers(1, 60_000),
)
def test_the_spacing_never_breaks_the_law(name: str, size: int, image: int, percent: int, interval: int | None) -> None:
    plan = plan_session(name, None, image, size, percent, interval)
    assert plan.time_on_air_ms / plan.spacing_ms * 100 <= plan.duty_cycle_limit_percent + 1e-9
    assert plan.shortest_lawful_spacing_ms <= plan.shortest_comfortable_spacing_ms
    assert math.isclose(
        plan.session_seconds,
        (plan.fragments + plan.parity_fragments - 1) * plan.spacing_ms / 1000 + plan.time_on_air_ms / 1000,
    )
    assert plan.class_c_timeout_seconds >= plan.session_seconds
    if "duty_cycle_exceeds_limit" in violated(plan):
        assert plan.spacing_ms == plan.shortest_lawful_spacing_ms
