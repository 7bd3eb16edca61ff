"""Tests that a device's losses are those of its seed, whatever decides on them."""

from __future__ import annotations

import random

import pytest

from otactl.lorawan.fragmentation import recovers
from otactl_simulator.iotwireless.reception import MISSING, SUCCESS, Session, outcome
from otactl_simulator.iotwireless.state import Device


def by_hand(seed: str, session: Session, loss: float) -> str:
    """Draw the uncoded fragments, then the coded ones, and ask the decision on a single device."""
    draw = random.Random(seed)  # noqa: S311 - a repeatable radio, not a secret
    lost = [i for i in range(session.fragments) if draw.random() < loss]
    received = [n for n in range(1, session.parity + 1) if draw.random() >= loss]
    return SUCCESS if recovers(session.fragments, lost, received) else MISSING


@pytest.mark.parametrize("loss", [0.1, 0.2, 0.3])
def test_a_device_of_a_seed_hears_what_it_always_heard(loss: float) -> None:
    session = Session(fragments=80, parity=20, fragment_bytes=112)
    seeds = [f"{seed}/probe-canary-1/{device:016x}" for seed in (1, 2, 3) for device in range(60)]
    device = Device("d", "arn", {}, loss=loss)

    found = [outcome(device, session, seed) for seed in seeds]

    assert found == [by_hand(seed, session, loss) for seed in seeds]
    assert set(found) == {SUCCESS, MISSING}
