"""The pacer uses the rate it may, and never more of it in any second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.transport.rate_limit import Pacer


class Clock:
    """A clock that moves when slept on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(rate=st.floats(0.5, 200), gaps=st.lists(st.floats(0, 0.5), min_size=2, max_size=80))
def test_no_second_ever_holds_more_calls_than_the_rate_and_one(rate: float, gaps: list[float]) -> None:
    clock = Clock()
    pacer = Pacer(rate, clock.monotonic, clock.sleep)
    sent = []
    for gap in gaps:
        clock.now += gap
        pacer.wait()
        sent.append(clock.now)

    for first in sent:
        assert sum(first <= at < first + 1.0 for at in sent) <= int(rate) + 1


def test_a_long_step_uses_the_whole_rate() -> None:
    clock = Clock()
    pacer = Pacer(10.0, clock.monotonic, clock.sleep)
    for _ in range(1000):
        pacer.wait()

    assert 1000 / (clock.now - 1000.0) >= 9.5
