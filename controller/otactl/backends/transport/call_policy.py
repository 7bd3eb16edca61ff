"""Limits, spaces and repeats the calls to one service, and learns the service's time.

1. A call is counted before it is sent, against the call budget of the environment; a repetition is a call.
2. A fifth of the call budget is reserved for writes.
3. Calls of one operation are spaced by its rate: the environment's for the operation, else the environment's for the
   service, else the default of the service. With a shared pace, all processes share the rate of an operation at one
   place (account and Region, or the service's own address), as far as the service or the environment has a rate.
4. A call is sent at most `ATTEMPTS` times; the wait before a repetition doubles each time, with a jitter of half of it.
5. An offset of the clocks within `CLOCK_TOLERANCE` is ignored.
6. Each call is logged before it is sent, by its name only.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Lock

from otactl.backends.transport.machine_clock import utc_now
from otactl.backends.transport.rate_limit import Pacers, SharedPace
from otactl.backends.transport.service_clock import date_of
from otactl.backends.transport.usage import Stats
from otactl.errors import TooLateError
from otactl.model import Environment

ATTEMPTS = 4
BACKOFF_SECONDS = 0.5
CLOCK_TOLERANCE = timedelta(seconds=2)  # the Date header has whole seconds
OTHER_RATE = 20.0  # calls a second to a service without a default rate of its own
_CALLS = logging.getLogger("otactl.calls")
"""What `-v` shows: the name of each call, never its parameters."""


class CallPolicy:
    """Applies the rules above for one client; threads share it, and clients may share its `usage`."""

    def __init__(
        self,
        environment: Environment,
        default_rates: Mapping[str, float],
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
        seed: int | None = None,
        usage: Stats | None = None,
        shared: SharedPace | None = None,
    ) -> None:
        """Take the default rates in calls a second for each service, and this machine's clock as `now`.

        `shared` spaces the calls of this process together with those of others.
        """
        self._environment = environment
        self._default_rates = default_rates
        self._random = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._random_lock = Lock()
        self._pacers = Pacers(self._rate, monotonic, sleep)
        self.shared = shared
        self.own_now = now
        self.sleep = sleep
        self.usage = usage or Stats()
        self.clock_offset = timedelta(0)
        """How far this machine's clock is behind the service's."""

    def spend(self, key: str, *, writes: bool) -> None:
        """Count a call of `service:operation` and wait until it may be sent.

        Raises BudgetSpentError when it must not be sent.
        """
        self.usage.count(key, writes=writes, budget=self._environment.call_budget)
        self._wait(key)
        _CALLS.info("%s %s", "write" if writes else "read", key)

    def is_last(self, attempt: int) -> bool:
        """Return whether a call is not repeated after this attempt, the first being 1."""
        return attempt >= ATTEMPTS

    def backoff(self, attempt: int) -> None:
        """Wait before the repetition that follows this attempt, the first being 1."""
        with self._random_lock:
            jitter = self._random.uniform(0.5, 1.5)
        self.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1) * jitter)

    def now(self) -> datetime:
        """Return the service's time, as far as its answers report it."""
        return self.own_now() + self.clock_offset

    def offset(self, date: object) -> timedelta | None:
        """Return how far this machine's clock is behind a Date header; None if that is no date."""
        reported = date_of(date)
        return None if reported is None else reported - self.own_now()

    def learn_time(self, date: object) -> timedelta | None:
        """Adopt the time of a Date header as the service's, and return its `offset`."""
        offset = self.offset(date)
        if offset is not None:
            self.clock_offset = offset if abs(offset) > CLOCK_TOLERANCE else timedelta(0)
        return offset

    def _wait(self, key: str) -> None:
        service = key.partition(":")[0]
        rate = self._known_rate(key)
        if self.shared is None or rate is None:
            self._pacers.wait(key)
            return
        access = self._environment.access.get(service)
        place = access.place if access is not None else ""
        self.shared.wait(place or f"{self._environment.account}/{self._environment.region}", key, rate)

    def _rate(self, key: str) -> float:
        return self._known_rate(key) or OTHER_RATE

    def _known_rate(self, key: str) -> float | None:
        service = key.partition(":")[0]
        rates = self._environment.call_rates
        return rates.get(key) or rates.get(f"{service}:*") or self._default_rates.get(service)


class PacedClient:
    """A client whose calls keep to a policy."""

    policy: CallPolicy

    @property
    def stats(self) -> Stats:
        """Return what the calls cost so far."""
        return self.policy.usage

    def now(self) -> datetime:
        """Return the service's time, as far as its answers report it."""
        return self.policy.now()

    def must_be_in_time(self, operation: str, not_after: datetime | None) -> None:
        """Raise `TooLateError` for a call whose turn came after the time it may be sent."""
        if not_after is not None and self.now() > not_after:
            raise TooLateError(operation)
