"""Runs workers over environments on a clock of its own: who waits how long, and how much of the call rate is used.

1. An environment is due every `every` seconds; one job of it waits at most, as the queue holds it.
2. A worker runs `concurrency` passes at a time on one core: passes share its CPU one after another, which is the worst.
3. Passes of environments of one place share the pacer of the place (the product's own): each asks for one slot at a
   time. Only the operation that is called most is run; the others fit beside it.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from otactl.backends.transport.rate_limit import Pacer

ANSWER_SECONDS = 0.05  # how long a service takes to answer


@dataclass(frozen=True)
class Shard:
    """An environment: its place (account and Region), the calls of its binding operation and the CPU of a pass."""

    name: str
    place: str
    calls: int
    cpu: float


@dataclass(frozen=True)
class Outcome:
    """What a simulation came to; waits are in ticks of `every`.

    `used` is the share of the rate of the busiest place while one of its passes had calls to send.
    """

    passes: int
    worst_wait: float
    waits: dict[str, float]
    longest_pass: float
    used: float


class _Clock:
    def __init__(self) -> None:
        self.now = self.slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept = seconds


@dataclass
class _Place:
    pacer: Pacer
    sending: int = 0
    since: float = 0.0
    busy: float = 0.0
    sent: int = 0


class Fleet:
    """One simulation."""

    def __init__(self, shards: Sequence[Shard], *, workers: int, concurrency: int, rate: float, every: float) -> None:
        self._shards = {shard.name: shard for shard in shards}
        self._every, self._rate, self._clock = every, rate, _Clock()
        self._places = {
            name: _Place(Pacer(rate, self._clock.monotonic, self._clock.sleep))
            for name in sorted({shard.place for shard in shards})
        }
        self._free = deque(worker for _ in range(concurrency) for worker in range(workers))
        self._core = [0.0] * workers
        self._waiting: deque[tuple[str, float]] = deque()
        self._events: list[tuple[float, int, str, str, int, float]] = []
        self._number = 0
        self._running: set[str] = set()
        self._left: Counter[str] = Counter()
        self._waits: dict[str, float] = dict.fromkeys(self._shards, 0.0)
        self._passes, self._longest = 0, 0.0

    def run(self, ticks: int) -> Outcome:
        """Run for so many ticks, and to the end of the passes that were due in them."""
        for name in self._shards:
            for tick in range(ticks):
                self._add(self._offset(name) + tick * self._every, "due", name)
        while self._events:
            self._clock.now, _, what, name, worker, started = heapq.heappop(self._events)
            if what == "due":
                if all(name != other for other, _ in self._waiting):
                    self._waiting.append((name, self._clock.now))
            elif what == "call":
                self._call(name, worker, started)
            else:
                self._end(name, worker, started)
            self._take()
        used = [place.sent / (place.busy * self._rate) for place in self._places.values() if place.sent > 1]
        return Outcome(
            self._passes, max(self._waits.values()), self._waits, self._longest, min(1.0, max(used, default=0))
        )

    def _take(self) -> None:
        while self._free and self._waiting:
            name, due = self._waiting.popleft()
            self._waits[name] = max(self._waits[name], (self._clock.now - due) / self._every)
            if name in self._running:
                continue  # the lease is held: the pass ends at once
            worker, shard = self._free.popleft(), self._shards[name]
            self._running.add(name)
            self._core[worker] = max(self._clock.now, self._core[worker]) + shard.cpu
            self._left[name] = shard.calls
            place = self._places[shard.place]
            if shard.calls and not place.sending:
                place.since = self._clock.now
            place.sending += bool(shard.calls)
            self._add(self._clock.now, "call", name, worker, self._clock.now)

    def _call(self, name: str, worker: int, started: float) -> None:
        if not self._left[name]:
            place = self._places[self._shards[name].place]
            if self._shards[name].calls:
                place.sending -= 1
                place.busy += self._clock.now - place.since if not place.sending else 0.0
            self._add(max(self._clock.now, self._core[worker]), "end", name, worker, started)
            return
        place = self._places[self._shards[name].place]
        self._clock.slept = 0.0
        place.pacer.wait()
        place.sent += 1
        self._left[name] -= 1
        self._add(self._clock.now + self._clock.slept + ANSWER_SECONDS, "call", name, worker, started)

    def _end(self, name: str, worker: int, started: float) -> None:
        self._running.discard(name)
        self._free.append(worker)
        self._passes += 1
        self._longest = max(self._longest, self._clock.now - started)

    def _add(self, at: float, what: str, name: str, worker: int = 0, started: float = 0.0) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, self._number, what, name, worker, started))

    def _offset(self, name: str) -> float:
        """Return when an environment is first due: workers spread environments by their names."""
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64 * self._every


def even(environments: int, places: int, calls: int, cpu: float) -> tuple[Shard, ...]:
    """Return environments of one size, spread evenly over places."""
    return tuple(Shard(f"env-{n:04}", f"place-{n % places:04}", calls, cpu) for n in range(environments))
