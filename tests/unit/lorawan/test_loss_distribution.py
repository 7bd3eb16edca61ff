"""How many fragments get lost: exact distributions against every path of a short session, and against draws."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.lorawan.closed_form import full_rank, ideal, textbook
from otactl.lorawan.loss_distribution import counts
from otactl.lorawan.loss_models import Bursts, Independent, Loss
from otactl.lorawan.loss_sampling import draw, generator

BURSTS = st.builds(Bursts, st.floats(0.01, 0.45), st.floats(1.0, 50.0))
LOSSES = st.one_of(BURSTS, st.builds(Independent, st.floats(0.0, 0.9)))


def by_paths(loss: Loss, m: int, parity: int) -> np.ndarray:
    """The joint distribution of lost and missed, path by path."""
    table = np.zeros((m + 1, parity + 1))
    for path in product((False, True), repeat=m + parity):
        weight = loss.loss if path[0] else 1 - loss.loss
        for before, bad in pairwise(path):
            to_bad = loss.loss if isinstance(loss, Independent) else 1 - loss.leaving if before else loss.entering
            weight *= to_bad if bad else 1 - to_bad
        table[sum(path[:m]), sum(path[m:])] += weight
    return table


@settings(deadline=None, max_examples=40)
@given(LOSSES, st.integers(1, 6), st.integers(0, 5))
def test_the_distribution_is_that_of_all_paths(loss: Loss, m: int, parity: int) -> None:
    found = sum(np.outer(case.lost, case.missed) for case in counts(loss, m, parity))

    assert found == pytest.approx(by_paths(loss, m, parity), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(LOSSES, st.integers(1, 6), st.integers(0, 5), st.none() | st.integers(0, 6))
def test_closed_forms_average_over_that_distribution(loss: Loss, m: int, parity: int, cap: int | None) -> None:
    table = by_paths(loss, m, parity)
    lost, missed = np.arange(m + 1)[:, None], np.arange(parity + 1)[None, :]
    holds = (lost <= (m if cap is None else cap)).astype(float)
    enough = np.where(lost == 0, 1.0, parity - missed >= lost) * holds
    uniform = np.where(lost == 0, 1.0, full_rank(lost, parity - missed)) * holds

    assert ideal(m, parity, loss, cap) == pytest.approx(float((table * enough).sum()), abs=1e-12)
    assert textbook(m, parity, loss, cap) == pytest.approx(float((table * uniform).sum()), abs=1e-12)


@pytest.mark.parametrize("loss", [Bursts(0.2, 40), Bursts(0.05, 3), Independent(0.1)], ids=str)
def test_a_long_session_loses_as_many_as_drawn_ones(loss: Loss) -> None:
    gone = draw(loss, generator(7), 40_000, 130)
    lost, missed = gone[:, :100].sum(axis=1), gone[:, 100:].sum(axis=1)
    tried = np.where(lost == 0, 1.0, full_rank(lost, 30 - missed))

    assert sum(case.lost.sum() for case in counts(loss, 100, 30)) == pytest.approx(1)
    assert textbook(100, 30, loss) == pytest.approx(tried.mean(), abs=4 * tried.std() / 200)


def test_the_largest_session_has_its_closed_form_without_a_table_of_all_pairs() -> None:
    assert textbook(9000, 700, Bursts(0.05, 10)) == pytest.approx(0.9856, abs=0.0001)
    assert textbook(16_000, 383, 0.02) == pytest.approx(textbook(16_000, 383, Bursts(0.02, 1 / 0.98)), abs=1e-6)
