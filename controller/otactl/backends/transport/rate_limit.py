"""Keeps calls under the service's rate: one pacer per operation, shared by every rollout of an environment.

Environments of one account and Region share its rate; where several processes run them, a `SharedPace` hands out the
slots of all.

The service counts with a bucket of its own. A burst of a full second followed by a steady refill would put twice the
rate into the first second, so calls are spaced instead: each gets the next free slot, 1/rate after the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol


class SharedPace(Protocol):
    """Hands out slots to every process that calls a service."""

    def wait(self, place: str, key: str, rate: float) -> None:
        """Wait for the next slot of `service:operation` at a place, whose slots are 1/`rate` seconds apart."""
        ...


class Pacer:
    """Hands out slots a fixed time apart; `monotonic` and `sleep` are injected."""

    def __init__(self, rate: float, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._spacing = 1.0 / rate
        self._monotonic = monotonic
        self._sleep = sleep
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Wait until the next call may be sent."""
        with self._lock:
            now = self._monotonic()
            slot = max(now, self._next)
            self._next = slot + self._spacing
        if slot > now:
            self._sleep(slot - now)


class Pacers:
    """One pacer per operation, made when first needed."""

    def __init__(
        self, rates: Callable[[str], float], monotonic: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._rates = rates
        self._monotonic = monotonic
        self._sleep = sleep
        self._pacers: dict[str, Pacer] = {}
        self._lock = Lock()

    def wait(self, key: str) -> None:
        """Wait for this operation's next slot."""
        with self._lock:
            pacer = self._pacers.get(key)
            if pacer is None:
                pacer = self._pacers[key] = Pacer(self._rates(key), self._monotonic, self._sleep)
        pacer.wait()
