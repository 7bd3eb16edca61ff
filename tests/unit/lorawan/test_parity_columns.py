"""Tests the decision on many devices of one session against the decision on one."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.lorawan.parity import Variant, completing_parity
from otactl.lorawan.parity_columns import ParityColumns


@settings(deadline=None)
@given(
    m=st.integers(1, 60),
    parity=st.integers(0, 30),
    variant=st.sampled_from(Variant),
    loss=st.floats(0, 0.6),
    seed=st.integers(0, 2**32),
)
def test_a_device_of_many_rebuilds_the_image_exactly_when_it_does_alone(
    m: int, parity: int, variant: Variant, loss: float, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311 - a repeatable radio, not a secret
    lost = [i for i in range(m) if draw.random() < loss]
    missed = [n for n in range(parity) if draw.random() < loss]
    received = [n + 1 for n in range(parity) if n not in missed]

    alone = completing_parity(m, lost, received, variant)

    assert ParityColumns(m, parity, variant).recovers(lost, missed) is (alone is not None)


def test_losses_near_the_limit_are_decided_both_ways() -> None:
    columns = ParityColumns(50, 12)
    draw = random.Random(4)  # noqa: S311 - as above
    decided = {columns.recovers(draw.sample(range(50), 10), draw.sample(range(12), 1)) for _ in range(200)}

    assert decided == {True, False}
