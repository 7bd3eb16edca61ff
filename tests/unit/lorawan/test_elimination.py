"""Thousands of devices at once against one at a time: the reference decoder's outcomes, and the plain rank test."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otactl.lorawan.elimination import completions, covering, pairs_alike
from otactl.lorawan.loss_models import Bursts, Independent
from otactl.lorawan.loss_sampling import draw, generator
from otactl.lorawan.parity import V1, Variant, completing_parity, parity_row
from tests.support.paths import ROOT

OUTCOMES: list[dict[str, Any]] = json.loads((ROOT / "tests/vectors" / "ts004_parity_rows.json").read_text())[
    "decoder_outcomes_v1"
]["cases"]


def completes_at(m: int, parity: int, lost: set[int]) -> int:
    """One device through the vectorised test: the parity fragment that completed it, of counters lost."""
    gone = np.array([[counter in lost for counter in range(1, m + parity + 1)]])
    return int(completions(covering(m, parity), gone[:, :m], ~gone[:, m:])[0])


def test_every_decoder_outcome_completes_at_the_counter_of_the_reference_decoder() -> None:
    for case in OUTCOMES:
        m, parity, lost = case["m_uncoded"], case["r_parity"], set(case["lost_fragment_counters"])
        found = completes_at(m, parity, lost)
        assert (found <= parity) is case["decodable"], case
        if case["decodable"] and found:
            assert m + found == case["completes_at_fragment_counter"], case


@pytest.mark.parametrize("variant", Variant, ids=lambda variant: variant.value)
@pytest.mark.parametrize(("m", "parity"), [(7, 5), (33, 20), (50, 70), (64, 130), (90, 64)])
def test_each_trial_completes_where_the_plain_rank_test_says(variant: Variant, m: int, parity: int) -> None:
    gone = draw(Bursts(0.3, 3), generator(m), 150, m + parity)
    found = completions(covering(m, parity, variant), gone[:, :m], ~gone[:, m:])
    for trial, missed in enumerate(gone):
        heard = [n + 1 for n in range(parity) if not missed[m + n]]
        plain = completing_parity(m, np.nonzero(missed[:m])[0].tolist(), heard, variant)
        assert found[trial] == (parity + 1 if plain is None else plain)


@given(st.integers(1, 40), st.integers(1, 90), st.integers(0, 10_000), st.floats(0, 0.6), st.integers(0, 12))
@example(m=23, parity=29, seed=2809, loss=0.1171875, cap=7)  # eight trials, one of them at work to the end
@settings(deadline=None, max_examples=60)
def test_any_session_completes_where_the_plain_rank_test_says(
    m: int, parity: int, seed: int, loss: float, cap: int
) -> None:
    gone = draw(Independent(loss), generator(seed), 8, m + parity)
    found = completions(covering(m, parity), gone[:, :m], ~gone[:, m:], max_lost=cap)
    for trial, missed in enumerate(gone):
        lost = np.nonzero(missed[:m])[0].tolist()
        plain = completing_parity(m, lost, [n + 1 for n in range(parity) if not missed[m + n]])
        assert found[trial] == (parity + 1 if plain is None or len(lost) > cap else plain)


@pytest.mark.parametrize(("m", "parity"), [(10, 3), (100, 64), (100, 65), (131, 200)])
def test_the_columns_are_the_rows_turned(m: int, parity: int) -> None:
    columns = covering(m, parity, V1)
    assert columns.shape == (-(-parity // 64), m)
    for n in range(1, parity + 1):
        row = parity_row(n, m)
        bits = columns[(n - 1) // 64] >> np.uint64((n - 1) % 64) & np.uint64(1)
        assert [int(bit) for bit in bits] == [row >> i & 1 for i in range(m)]


@pytest.mark.parametrize(("m", "parity", "pairs"), [(160, 24, 3), (161, 24, 0), (102, 10, 19), (4, 0, 6)])
def test_fragments_that_no_row_tells_apart_are_counted(m: int, parity: int, pairs: int) -> None:
    rows = [parity_row(n, m) for n in range(1, parity + 1)]
    reported = [tuple(row >> i & 1 for row in rows) for i in range(m)]

    assert sum(reported[i] == reported[j] for i in range(m) for j in range(i)) == pairs
    assert pairs_alike(m, parity) == pairs


def test_a_device_that_lost_nothing_needs_no_parity_and_one_without_any_never_ends() -> None:
    columns = covering(20, 10)
    lost = np.zeros((2, 20), np.bool_)
    lost[1, 3] = True
    assert completions(columns, lost, np.zeros((2, 10), np.bool_)).tolist() == [0, 11]


def test_a_session_without_parity_is_complete_only_when_nothing_was_lost() -> None:
    lost = np.eye(2, 5, dtype=np.bool_) & np.array([[True], [False]])
    assert completions(covering(5, 0), lost, np.zeros((2, 0), np.bool_)).tolist() == [1, 0]


def test_losses_happen_as_often_as_asked_and_in_stretches_as_long() -> None:
    gone = draw(Bursts(0.1, 8), generator(3), 3000, 1000)
    starts = np.count_nonzero(gone[:, 1:] & ~gone[:, :-1]) + np.count_nonzero(gone[:, 0])
    assert gone.mean() == pytest.approx(0.1, abs=0.002)
    assert np.count_nonzero(gone) / starts == pytest.approx(8, rel=0.03)
    assert draw(Independent(0.1), generator(3), 3000, 1000).mean() == pytest.approx(0.1, abs=0.001)


def test_the_same_seed_draws_the_same_losses() -> None:
    first, again, other = (draw(Independent(0.2), generator(seed), 10, 50) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
