"""Rolls firmware out to fleets whose devices fail, answer late or never, and judges it by the product's verdicts.

1. A fleet is of a fixed size, and a fixed number of its devices fails. Who is in which wave is drawn by chance.
2. Some devices never answer, whether they work or fail. Of the others failing ones answer later than working ones, and
   some of both after the deadline. A run counts what has answered at each of `LOOKS`.
3. `wave_verdict.judge` decides every wave at every look, from an attempt as a backend counts it while it runs. A wave
   that has passed is judged once more when all answers are in: whatever is taken back is counted.
4. Draws are numpy's, by the seed of the row, so that a row gives the same figures again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Any

import msgspec
import numpy as np

from otactl.model import Attempt, Device, Gate, Outcome, Record, Rollout, Stage, Strategy, Targets, Wave, WaveRecord
from otactl.verdicts import wave_verdict
from tests.support.builders import rollout as built

FLEET = 5_000
SECOND = 2_000
ALLOWED = 2.0
START = datetime(2026, 11, 20, tzinfo=UTC)
LOOKS = (1, 2, 4, 8, 12, 18, 24, 72)
"""Hours from the start of a wave at which a run counts; the deadline is at 24, and late answers are in at 72."""
SILENCE = "24h"
WORKING, FAILING = (0.25, 0.2, 0.2, 0.15, 0.1, 0.05, 0.04, 0.01), (0.05, 0.05, 0.1, 0.2, 0.2, 0.2, 0.15, 0.05)
"""Part of the devices that answer between two looks."""


class Case(msgspec.Struct, frozen=True, rename="camel"):
    """A gate, and the firmware that it judges; `failing` of FLEET devices, of which `silent_percent` never answer."""

    canaries: int
    confidence: float | None
    failing: int
    silent_percent: float

    @property
    def gate(self) -> Gate:
        """Return the gate of every wave."""
        sure: dict[str, Any] = {} if self.confidence is None else {"confidence": self.confidence}
        return Gate(min_success_percent=100 - ALLOWED, silence_after=SILENCE, **sure)

    @property
    def is_allowed(self) -> bool:
        """Return whether the gate allows firmware that fails on so many."""
        return self.failing <= floor(ALLOWED * FLEET / 100)


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the rollouts of a case: verdicts of the first wave, and rollouts that reached every device."""

    case: Case
    rollouts: int
    passed: int
    failed: int
    undecided: int
    early: int
    """Verdicts of the first wave before all its devices had answered, and before the deadline."""
    everywhere: int
    taken_back: int


@dataclass
class _Counts:
    passed: int = 0
    failed: int = 0
    undecided: int = 0
    early: int = 0
    everywhere: int = 0
    taken_back: int = 0


def simulate(case: Case, rollouts: int, seed: int) -> Figures:
    """Return what becomes of so many rollouts."""
    declared, counts = _declared(case), _Counts()
    answers = _answers(case, rollouts, np.random.default_rng(seed))
    for number in range(rollouts):
        for index, wave in enumerate(declared.strategy.waves):
            state, look = _judged(declared, wave.name, answers[index][number], counts)
            if index == 0:
                setattr(counts, state, getattr(counts, state) + 1)
                counts.early += look < LOOKS.index(24) and state != "undecided"
            if state != "passed":
                break
        else:
            counts.everywhere += 1
    return Figures(case, rollouts, **vars(counts))


def _judged(declared: Rollout, name: str, answers: Any, counts: _Counts) -> tuple[str, int]:
    """Return the verdict of a wave and the look that gave it."""
    wave = WaveRecord(name=name, attempts=(_attempt(declared),))
    rows = answers.tolist()
    for look, row in enumerate(rows):
        wave = _look(declared, wave, look, row)
        if wave_verdict.passed(wave, declared):
            again = _look(declared, wave, len(LOOKS) - 1, rows[-1])
            counts.taken_back += not wave_verdict.passed(again, declared)
            return "passed", look
        if wave_verdict.failed(wave, declared) and (declared.strategy.gate.risk is not None or look == len(LOOKS) - 1):
            return "failed", look
    return "undecided", len(LOOKS) - 1


def _look(declared: Rollout, wave: WaveRecord, look: int, row: list[int]) -> WaveRecord:
    working, failing, waiting = row
    counted = {Outcome.SUCCEEDED: working, Outcome.FAILED: failing, Outcome.WAITING: waiting}
    attempt = msgspec.structs.replace(wave.attempts[0], tally=counted)
    wave = msgspec.structs.replace(wave, attempts=(attempt,))
    record = Record(environment=declared.environment, name=declared.name, generation=declared.generation, waves=(wave,))
    return wave_verdict.judge(wave, record, declared, START + timedelta(hours=LOOKS[look]), [])


def _attempt(declared: Rollout) -> Attempt:
    return Attempt(
        number=1,
        generation=declared.generation,
        unit_id="u",
        stage=Stage.RUNNING,
        vendor_id="v",
        start_at=START,
    )


def _declared(case: Case) -> Rollout:
    ends = (0, case.canaries, case.canaries + SECOND, FLEET)
    named = zip(("canary", "second", "rest"), ends, ends[1:], strict=False)
    waves = tuple(
        Wave(name=name, targets=Targets(things=tuple(Device(id=f"d-{n}") for n in range(first, last))))
        for name, first, last in named
    )
    return built(strategy=Strategy(waves=waves, gate=case.gate))


def _answers(case: Case, rollouts: int, random: np.random.Generator) -> list[Any]:
    """Return for each wave, rollout and look how many devices work, fail, and have not answered."""
    sizes = (case.canaries, SECOND, FLEET - SECOND - case.canaries)
    failing = np.full(rollouts, case.failing)
    left = FLEET
    found = []
    for size in sizes:
        bad = random.hypergeometric(failing, left - failing, size)
        failing, left = failing - bad, left - size
        quiet = [random.binomial(n, case.silent_percent / 100) for n in (bad, size - bad)]
        bad_seen = random.multinomial(bad - quiet[0], FAILING).cumsum(axis=1)
        good_seen = random.multinomial(size - bad - quiet[1], WORKING).cumsum(axis=1)
        found.append(np.stack([good_seen, bad_seen, size - good_seen - bad_seen], axis=2))
    return found
