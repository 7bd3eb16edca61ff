"""How fragments are sent besides rate and interval: gateways, ping slots, frequency, dwell; and what that costs."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from otactl.lorawan.energy import gateway_total, receive_energy
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fragmentation import DeviceCaps
from otactl.lorawan.lints import lints
from otactl.lorawan.parity import V1, V2_RELATIVE, Variant
from otactl.lorawan.regions import REGION_NAMES, region
from otactl.lorawan.session import plan_session
from otactl.lorawan.session_values import SessionPlan, Transmission


def planned(size: int = 112, percent: int = 12, interval: int | None = None, **sent: object) -> SessionPlan:
    """The example image at EU868 data rate 3."""
    return plan_session("EU868", 3, 98_304, size, percent, interval, Transmission(**sent))  # type: ignore[arg-type]


def linted(plan: SessionPlan, caps: DeviceCaps | None = None, variant: Variant = V1) -> dict[str, str]:
    return {each.code: each.message for each in lints(plan, caps or DeviceCaps(), variant)}


def test_gateways_one_after_another_need_their_time_for_each_fragment() -> None:
    plan = planned(gateways=4, transmission_interval_ms=5000)
    assert plan.spacing_ms == 16_000  # 3 x 5 s and 0.68 s on air, in whole seconds
    assert plan.duty_cycle_percent == pytest.approx(100 * 0.676864 / 16)
    assert "gateway_spacing_is_inferred" in {each.code for each in plan.warnings}


def test_a_single_gateway_needs_no_time_between_gateways() -> None:
    assert planned(gateways=1, transmission_interval_ms=5000).spacing_ms == planned().spacing_ms


@pytest.mark.parametrize("exponent", range(8))
def test_a_beacon_period_carries_as_many_fragments_as_it_has_ping_slots(exponent: int) -> None:
    plan = planned(size=50, frequency_hz=869_525_000, device_class="B", ping_slot_period=32 << exponent)
    slots_a_beacon = 2 ** (7 - exponent)
    assert plan.spacing_ms * slots_a_beacon >= 128_000  # never more fragments than slots
    assert plan.spacing_ms == max(128_000 // slots_a_beacon, planned(size=50).spacing_ms)


def test_a_ping_slot_carries_one_fragment_at_most() -> None:
    assert planned(device_class="B", ping_slot_period=1024).spacing_ms == 32_000
    assert planned(device_class="B", ping_slot_period=32).spacing_ms == planned().spacing_ms
    assert planned(device_class="C", ping_slot_period=4096).spacing_ms == planned().spacing_ms


def test_an_interval_below_the_slots_is_reported_to_change() -> None:
    plan = planned(interval=9000, device_class="B", ping_slot_period=1024)
    assert "interval_is_changed" in {each.code for each in plan.warnings}
    assert plan.violations == ()


def test_the_duty_cycle_is_that_of_the_frequency_chosen() -> None:
    assert planned(frequency_hz=868_100_000).duty_cycle_limit_percent == 1
    assert planned(frequency_hz=868_100_000).spacing_ms == 68_000


def test_a_frequency_outside_the_region_is_refused_with_its_bands() -> None:
    with pytest.raises(LorawanError, match=r"EU868 has no sub-band at 915 MHz; they are 863 to 865,"):
        planned(frequency_hz=915_000_000)


@pytest.mark.parametrize("name", REGION_NAMES)
def test_class_b_slots_have_the_duty_cycle_of_the_default_downlink(name: str) -> None:
    text = (resources.files("otactl.lorawan") / "data" / "lorawan_regions.json").read_text("utf-8")
    slot = json.loads(text)["regions"][name]["class_b"]["ping_slot_freq_hz"]
    if isinstance(slot, int) and name != "EU433":  # EU433's slots lie on the edge its sources disagree about
        assert region(name).duty_cycle_at(slot) == region(name).duty_cycle


def test_a_country_that_limits_downlinks_forbids_longer_frames() -> None:
    free = plan_session("AS923-1", 3, 1000, 112, 10, None)
    limited = plan_session("AS923-1", 3, 1000, 112, 10, None, Transmission(dwell_limited=True))
    assert "dwell_time_may_apply" in {each.code for each in free.warnings}
    assert {each.code for each in limited.violations} == {"dwell_time_exceeds_limit"}
    assert "dwell_time_may_apply" not in {each.code for each in limited.warnings}


DWELL = Transmission(dwell_limited=True)


@pytest.mark.parametrize(("dr", "largest"), [(2, 8), (3, 50), (4, 122), (5, 239)])
def test_the_payload_table_binds_where_downlinks_are_limited(dr: int, largest: int) -> None:
    fits, over = (plan_session("AS923-1", dr, 2000, largest + more, 10, None, DWELL) for more in (0, 1))
    assert fits.violations == ()
    assert {"dwell_time_exceeds_limit", "fragment_exceeds_payload"} & {each.code for each in over.violations}
    if dr < 5:
        assert f"at most {largest} bytes fit" in over.violations[0].message


@pytest.mark.parametrize("name", REGION_NAMES)
def test_without_a_size_a_lawful_one_is_planned_or_the_rate_refused(name: str) -> None:
    for rate in region(name).data_rates:
        try:
            plan = plan_session(name, rate.dr, 2000, None, 10, None, DWELL)
        except LorawanError as refusal:
            assert "choose a faster data rate" in str(refusal)  # noqa: PT017 - some rates carry nothing, others do
            assert plan_session(name, rate.dr, 2000, 1, 10, None, DWELL).violations != ()
        else:
            assert plan.violations == ()


def test_a_rate_that_carries_nothing_says_so_when_a_size_is_declared() -> None:
    found = plan_session("AS923-1", 0, 2000, 10, 10, None, DWELL).violations
    assert ["no fragment fits this one" in each.message for each in found] == [True]


def test_a_crc_counted_as_calculators_do_costs_one_block_more() -> None:
    assert planned(size=111, payload_crc=True).time_on_air_ms >= planned(size=111).time_on_air_ms


def test_a_class_b_session_may_be_longer_than_class_c_can_say() -> None:
    slow = [plan_session("EU868", 0, 100_000, 48, 10, None, Transmission(device_class=c)) for c in ("B", "C")]
    assert ["class_c_timeout_exceeds_field" in {w.code for w in plan.warnings} for plan in slow] == [False, True]


def test_a_session_with_a_timeout_the_service_does_not_take_cannot_be_sent() -> None:
    fits, over = (
        plan_session("EU868", 0, size, 48, 10, None, Transmission(device_class="B")) for size in (200_000, 300_000)
    )
    assert (fits.class_c_timeout_seconds, fits.violations) == (131_072, ())
    assert over.class_c_timeout_seconds == 262_144
    assert [each.code for each in over.violations] == ["session_exceeds_service_limit"]


def test_a_session_is_refused_by_its_timeout_with_redundancy_rounded_up() -> None:
    shorter = plan_session("EU868", 3, 1400 * 100, 100, 0, 93_000)
    longer = plan_session("EU868", 3, 1400 * 100 + 1, 100, 1, 93_000)
    assert (shorter.class_c_timeout_seconds, shorter.violations) == (131_072, ())
    assert longer.session_seconds < 132_000
    assert [each.code for each in longer.violations] == ["session_exceeds_service_limit"]


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        ({"ping_slot_period": 33}, "power of two from 32 to 4096"),
        ({"ping_slot_period": 16}, "power of two from 32 to 4096"),
        ({"gateways": 21}, "choose 1 to 20"),
        ({"gateways": 0}, "choose 1 to 20"),
        ({"transmission_interval_ms": 60_001}, "choose 0 to 60000"),
    ],
)
def test_what_the_service_refuses_is_refused(sent: dict[str, int], what: str) -> None:
    with pytest.raises(LorawanError, match=what):
        Transmission(**sent)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["max_fragments", "max_fragment_size", "size_multiple"])
def test_a_device_that_holds_nothing_is_refused(field: str) -> None:
    with pytest.raises(LorawanError, match=f"{field} of 0"):
        DeviceCaps(**{field: 0})


def test_class_c_listens_to_the_end_or_to_the_timeout() -> None:
    plan = planned(interval=9000)
    energy = receive_energy(plan, Transmission(), 20)
    assert energy.until_end == pytest.approx(0.020 * plan.session_seconds)
    assert energy.until_timeout == pytest.approx(0.020 * 16_384)


def test_class_b_listens_to_beacons_slots_and_fragments_only() -> None:
    sent = Transmission(device_class="B", ping_slot_period=1024)
    plan = planned(device_class="B", ping_slot_period=1024)
    slots = plan.session_seconds / 32
    seconds = plan.session_seconds / 128 * 2.12 + 983 * 0.676864 + max(0, slots - 983) * 0.03
    assert receive_energy(plan, sent, 25).until_end == pytest.approx(0.025 * seconds)
    assert receive_energy(plan, sent).until_end < receive_energy(plan, Transmission()).until_end / 5


@pytest.mark.parametrize("power", [0, -1, 10_000, float("nan")])
def test_a_receiver_without_power_is_refused(power: float) -> None:
    with pytest.raises(LorawanError, match="mW cannot be planned"):
        receive_energy(planned(), Transmission(), power)


def test_a_gateway_sends_single_devices_the_image_once_each() -> None:
    plan = planned(interval=9000)
    total = gateway_total(plan, 10)
    assert total.on_air_seconds == pytest.approx(10 * 983 * 0.676864)
    assert total.shortest_seconds == pytest.approx(total.on_air_seconds * 10)
    assert gateway_total(plan, 1).shortest_seconds == plan.session_seconds
    with pytest.raises(LorawanError, match="0 devices behind a gateway"):
        gateway_total(plan, 0)


def test_a_sound_session_has_no_lints() -> None:
    assert linted(planned()) == {}


def test_an_even_number_of_few_fragments_is_reported_with_a_size_that_makes_it_odd() -> None:
    plan = plan_session("EU868", 3, 8960, 88, 20, None)
    assert plan.fragments == 102
    assert "87 bytes make 103" in linted(plan)["even_fragment_count"]
    assert "even_fragment_count" not in linted(plan, variant=V2_RELATIVE)
    assert "even_fragment_count" not in linted(plan_session("EU868", 3, 8960, 87, 20, None))
    assert "even_fragment_count" not in linted(plan_session("EU868", 3, 16_800, 112, 20, None))  # 150


def test_no_redundancy_is_reported() -> None:
    assert "redundancy_is_zero" in linted(planned(percent=0))


def test_parity_that_leaves_a_fragment_out_of_every_row_is_reported_with_enough() -> None:
    plan = plan_session("EU868", 3, 5000, 100, 20, None)
    assert (plan.fragments, plan.parity_fragments) == (50, 10)
    assert "use 16" in linted(plan)["parity_never_repairs_some_fragment"]
    assert "parity_never_repairs_some_fragment" not in linted(plan_session("EU868", 3, 5000, 100, 32, None))


def test_an_image_of_one_fragment_is_reported_to_have_no_parity() -> None:
    assert "parity_repairs_nothing" in linted(plan_session("EU868", 3, 100, 100, 100, None))


def test_a_size_for_which_the_service_picks_another_rate_is_reported() -> None:
    assert "data rate 0, not 3" in linted(planned(size=48))["fragment_size_changes_data_rate"]
    assert "fragment_size_changes_data_rate" not in linted(planned(size=49))


def test_a_size_the_flash_has_to_split_is_reported_with_one_it_has_not() -> None:
    caps = DeviceCaps(size_multiple=8)
    assert "unit of 8; 104 are" in linted(planned(size=110), caps)["fragment_size_is_no_flash_multiple"]
    assert "fragment_size_is_no_flash_multiple" not in linted(planned(size=104), caps)


def test_a_session_the_device_refuses_is_reported() -> None:
    assert "device holds 100" in linted(planned(), DeviceCaps(max_fragments=100))["device_refuses_session"]
