"""The chance of success: published values, classes of devices, and what an interval promises."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from otactl.lorawan.closed_form import estimate, full_rank, ideal, textbook
from otactl.lorawan.decode_probability import Code, Trials, success, wilson
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fleet_probability import at_most, device_chance, fleet_chance
from otactl.lorawan.loss_distribution import binomial
from otactl.lorawan.loss_models import Bursts, Independent, Loss, Outage
from otactl.lorawan.parity import V2_RELATIVE
from otactl.lorawan.report import Chance
from otactl.lorawan.request import DeviceClass, SuccessCriteria


@pytest.mark.parametrize(
    ("m", "parity", "loss", "published"),
    [
        (102, 10, 0.05, 0.707),
        (101, 10, 0.05, 0.831),
        (103, 10, 0.05, 0.825),
        (105, 10, 0.05, 0.856),
        (50, 10, 0.05, 0.886),
    ],
)
def test_the_real_rows_give_the_published_chance(m: int, parity: int, loss: float, published: float) -> None:
    found = success(Code(fragments=m), parity, Independent(loss))
    assert found.low - 0.0005 <= published <= found.high + 0.0005  # published to three digits


@pytest.mark.parametrize(("m", "parity", "published"), [(50, 10, 0.984), (102, 10, 0.878)])
def test_the_textbook_gives_its_published_chance(m: int, parity: int, published: float) -> None:
    assert textbook(m, parity, 0.05) == pytest.approx(published, abs=0.0005)


def test_the_textbook_series_is_the_published_one() -> None:
    series = full_rank(np.full(8, 200), 200 + np.arange(8))
    assert series == pytest.approx([0.2888, 0.5776, 0.7701, 0.8801, 0.9388, 0.9691, 0.9845, 0.9922], abs=5e-5)


def test_the_mean_excess_of_a_uniform_code_is_the_published_one() -> None:
    assert float((1 - full_rank(np.full(60, 300), 300 + np.arange(60))).sum()) == pytest.approx(1.6067, abs=1e-4)


def test_a_small_matrix_has_full_rank_as_often_as_counting_says() -> None:
    independent = sum(a != 0 and b not in (0, a) for a in range(8) for b in range(8))
    assert float(full_rank(np.array(2), np.array(3))) == independent / 64


@pytest.mark.parametrize(("m", "parity", "loss"), [(50, 10, 0.05), (102, 10, 0.05), (80, 8, 0.05), (200, 20, 0.05)])
def test_the_estimate_lies_between_the_real_rows_and_the_textbook(m: int, parity: int, loss: float) -> None:
    real = success(Code(fragments=m), parity, Independent(loss))
    assert real.low - 0.001 <= estimate(m, parity, loss) <= textbook(m, parity, loss) <= ideal(m, parity, loss)


def test_the_corrected_formula_leaves_the_second_version_alone() -> None:
    assert estimate(200, 20, 0.05, V2_RELATIVE) == pytest.approx(textbook(200, 20, 0.05), abs=1e-9)


@pytest.mark.parametrize(("trials", "p"), [(0, 0.3), (10, 0.0), (10, 1.0), (10, 0.3), (2000, 0.01)])
def test_binomial_weights_are_a_distribution_with_the_right_mean(trials: int, p: float) -> None:
    weights = binomial(trials, p)
    assert weights.sum() == pytest.approx(1)
    assert weights @ np.arange(trials + 1) == pytest.approx(trials * p)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = textbook(1, 0, 0.3)  # without parity the chance is known exactly
    held = 0
    for seed in range(200):
        trials = Trials(Code(fragments=1), (1,), Bursts(0.3, 1 / 0.7), seed)  # entering = leaving's rest: independent
        trials.run(400)
        found = trials.chance(1)
        held += found.low <= truth <= found.high
    assert held >= 183  # 95 % of 200, less 2.3 standard deviations


def test_the_chance_for_several_amounts_of_parity_rises_with_them() -> None:
    trials = Trials(Code(fragments=60), (0, 5, 10, 20, 40), Independent(0.1), 1)
    trials.run(4096)
    chances = [trials.chance(parity).probability for parity in (0, 5, 10, 20, 40)]
    assert chances == sorted(chances)
    assert chances[0] == pytest.approx(0.9**60, abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "parity", "exact"), [(Independent(0.0), 5, 1.0), (Bursts(0.0, 3), 0, 1.0), (Independent(0.1), 0, 0.9**20)]
)
def test_what_is_known_exactly_is_not_sampled(loss: Loss, parity: int, exact: float) -> None:
    found = success(Code(fragments=20), parity, loss)
    assert found.probability == found.low == found.high == pytest.approx(exact, abs=1e-12)
    assert found.trials == 0


def test_the_same_seed_tells_the_same_chance() -> None:
    first, again, other = (counted(Code(fragments=40), 8, Independent(0.1), 2000, seed) for seed in (1, 1, 2))
    assert first == again != other


def counted(code: Code, parity: int, loss: Loss, trials: int, seed: int) -> Chance:
    run = Trials(code, (parity,), loss, seed)
    run.run(trials)
    return run.chance(parity)


def test_the_interval_of_the_difference_holds_the_truth_as_often_as_it_says() -> None:
    code, loss = Code(fragments=60), Independent(0.1)
    truth = counted(code, 14, loss, 400_000, 999)
    intervals = [counted(code, 14, loss, 1000, seed) for seed in range(100)]
    assert textbook(60, 14, 0.1) > truth.high + 0.02  # so the difference matters
    assert sum(each.low <= truth.probability <= each.high for each in intervals) >= 88  # 95, less 3 deviations


def test_bursts_hurt_more_than_losses_spread_alike() -> None:
    spread = success(Code(fragments=200), 40, Independent(0.1))
    assert success(Code(fragments=200), 40, Bursts(0.1, 6)).high < spread.low


def test_more_lost_than_the_device_holds_ends_it_whatever_follows() -> None:
    found = success(Code(fragments=100, max_lost=3), 60, Independent(0.1))
    assert found.low <= sum(binomial(100, 0.1)[:4]) <= found.high


def test_a_target_near_the_truth_is_decided_by_more_trials() -> None:
    loose = success(Code(fragments=200), 42, Independent(0.1))
    near = success(Code(fragments=200), 42, Independent(0.1), target=loose.probability)
    assert near.half_width < loose.half_width
    assert near.half_width <= (1 - loose.probability) / 8 or not near.low < loose.probability <= near.high


@pytest.mark.parametrize("loss", [Independent(0.05), Bursts(0.05, 3)], ids=["alone", "in bursts"])
@pytest.mark.sampled(2)
def test_the_interval_holds_the_truth_however_near_the_target_it_stopped_at(loss: Loss) -> None:
    code = Code(fragments=40)
    truth = counted(code, 14, loss, 600_000, 999)
    # 25 % missed with one interval of 95 % for whichever look happened to be the last
    found = [success(code, 14, loss, seed=seed, target=truth.probability) for seed in range(40)]
    assert sum(each.low <= truth.probability <= each.high for each in found) >= 36


def test_what_a_session_takes_has_a_bound() -> None:
    huge, bound = Code(fragments=9000), 2e8
    found = success(huge, 600, Independent(0.05), target=0.99, work=bound)
    assert found.trials * Trials.work_of_one(huge, 600, Independent(0.05)) <= bound
    assert found.half_width > 0.002


@pytest.mark.parametrize(("good", "trials"), [(0, 10), (10, 10), (5, 10)])
def test_a_wilson_interval_holds_its_proportion_and_stays_a_probability(good: int, trials: int) -> None:
    found = wilson(good, trials)
    assert 0 <= found.low <= found.probability <= found.high <= 1
    assert found.high - found.low > 0


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Independent(1.0), "loss of 1 "),
        (lambda: Independent(-0.1), "loss of -0.1"),
        (lambda: Independent(math.nan), "loss of nan"),
        (lambda: Bursts(0.1, 0.5), "burst of 0.5"),
        (lambda: Bursts(0.9, 2), "no time between"),
        (lambda: Outage(0, 0.5), "outage of 0"),
        (lambda: Outage(5, 1.5), "probability 1.5"),
        (lambda: DeviceClass(devices=0, loss=Independent(0.1)), "0 devices"),
        (lambda: DeviceClass(devices=1_000_001, loss=Independent(0.1)), "1 to 1000000"),
        (lambda: fleet_chance(Code(fragments=10), 1, ()), "no devices"),
    ],
)
def test_an_impossible_air_is_refused(make: object, what: str) -> None:
    with pytest.raises(LorawanError, match=what):
        make()  # type: ignore[operator]


NEAR, FAR = DeviceClass(devices=90, loss=Independent(0.02)), DeviceClass(devices=10, loss=Independent(0.1))
CODE = Code(fragments=150)


def test_a_fleet_is_reported_by_its_classes() -> None:
    near, far = (device_chance(CODE, 15, each.loss, 100) for each in (NEAR, FAR))
    found = fleet_chance(CODE, 15, (NEAR, FAR), gates=((100, SuccessCriteria(min_success_percent=92)),))
    assert found.devices == 100
    assert found.expected_updated == pytest.approx(90 * near.probability + 10 * far.probability)
    assert found.all_updated == pytest.approx(near.probability**90 * far.probability**10)
    assert found.worst_class == far
    assert found.all_updated < found.gate_passes < 1


def test_a_gate_counts_failures_as_drawing_devices_one_by_one_does() -> None:
    draws = random.Random(4)  # noqa: S311 - a repeatable radio, not a secret
    runs = [
        sum(draws.random() > 0.9 for _ in range(20)) + sum(draws.random() > 0.5 for _ in range(5)) for _ in range(9000)
    ]
    assert at_most(5, [20, 5], [0.9, 0.5]) == pytest.approx(sum(run <= 5 for run in runs) / 9000, abs=0.015)


def test_hundreds_of_thousands_of_devices_are_counted_too() -> None:
    assert at_most(10_000, [500_000, 500_000], [0.99, 0.99]) == pytest.approx(0.5, abs=0.01)
    assert at_most(0, [1_000_000], [0.5]) == 0
    assert at_most(1_000_000, [1_000_000], [0.5]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("gate", "devices", "allowed"),
    [
        (SuccessCriteria(), 50, 0),
        (SuccessCriteria(min_success_percent=95), 100, 5),
        (SuccessCriteria(min_success_percent=95), 99, 4),
        (SuccessCriteria(min_success_percent=90, max_failures=3), 100, 3),
        (SuccessCriteria(min_success_percent=99.9), 1000, 1),
    ],
)
def test_a_gate_allows_so_many_failures(gate: SuccessCriteria, devices: int, allowed: int) -> None:
    assert gate.failures_allowed(devices) == allowed


def test_a_shared_outage_ties_the_fates_of_devices_together() -> None:
    classes = (DeviceClass(devices=200, loss=Independent(0.02)),)
    calm = fleet_chance(CODE, 20, classes)
    struck = fleet_chance(CODE, 20, classes, outage=Outage(30, 0.2))
    alone = struck.worst_class.probability
    assert struck.expected_updated < calm.expected_updated
    assert struck.all_updated > 5 * alone**200  # independent devices that succeed as often would almost never all do
    assert isinstance(struck.worst_class, Chance)
