"""Evaluates the gate of a wave: from counts and a deadline to passed, failed, inconclusive or waiting.

1. Failures count by weight: 1 unless the gate says otherwise for their reason. More than `maxFailures` fail the gate at
   once, whoever has still to answer. Weights and percentages are decimals, added and compared exactly.
2. Devices without an answer are waited for until the deadline; from then on each counts as a failure, with the
   weight of `timeout`, or of `version` where it took the image. Without a deadline they are waited for as long as their
   unit lasts.
3. Fewer answers than `minReported` (no more than the wave has) decide nothing: inconclusive holds, and never passes.
4. Then the gate passes if what did not fail is `minSuccessPercent` of all at least. A wave of no one passes nothing.
5. Overlooked failures are no successes: a wave no one answered of is not decided, and one where no one succeeded passes
   only a gate that asks for no success at all.
6. With a `confidence` the gate asks what the wave shows about the fleet (confidence.py), at each count again. A device
   without an answer counts as failed before the wave passes, and as working before it fails. So neither verdict waits
   for devices that cannot change it, and no answer takes it back. What shows neither is waited for until the deadline,
   and then holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from otactl.model import DeviceResult, Gate, Outcome, Reason, Value, exact
from otactl.verdicts.confidence import Limits, limits_of

TOO_FEW = "too_few_reported"
TOO_WEAK = "evidence_is_too_weak"
UNDECIDED = frozenset({TOO_FEW, TOO_WEAK})
"""Reasons for which a gate is not decided: it holds the wave, and has not failed."""


class GateState(StrEnum):
    """The state of a gate."""

    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Tally(Value, frozen=True, kw_only=True):
    """Devices of a wave by what became of them; `weighted` are the failures by their weights.

    `silent` have not answered, and their unit has ended; `waiting` are still at it.
    Of these, `claimed` took the image, and no version proves it.
    """

    succeeded: int = 0
    failed: int = 0
    weighted: Decimal = Decimal(0)
    silent: int = 0
    waiting: int = 0
    claimed: int = 0

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.succeeded + self.failed + self.silent + self.waiting

    @property
    def reported(self) -> int:
        """Return those that answered."""
        return self.succeeded + self.failed

    @property
    def unanswered(self) -> int:
        """Return those that did not."""
        return self.silent + self.waiting


class Judgement(Value, frozen=True, kw_only=True):
    """A gate's state with its reason, and until when it waits."""

    state: GateState
    reason: str = ""
    until: datetime | None = None


def tally_of(results: Iterable[DeviceResult], gate: Gate) -> Tally:
    """Count results; a device whose result no one knows counts as waiting."""
    succeeded = failed = silent = waiting = 0
    weighted = Decimal(0)
    for result in results:
        if result.outcome is Outcome.SUCCEEDED:
            succeeded += 1
        elif result.outcome is not Outcome.FAILED:
            waiting += 1
        elif result.silent:
            silent += 1
        else:
            failed += 1
            weighted += _weight(result.reason, gate)
    return Tally(succeeded=succeeded, failed=failed, weighted=weighted, silent=silent, waiting=waiting)


def tally_of_counts(counts: Mapping[Outcome, int], failures: Mapping[Reason, int], gate: Gate) -> Tally:
    """Count devices that are still at it, of which only numbers are known: by outcome, and those that failed by reason.

    A failure whose reason is not among `failures` has none that is known.
    """
    failed = counts.get(Outcome.FAILED, 0)
    waiting = counts.get(Outcome.WAITING, 0) + counts.get(Outcome.UNKNOWN, 0)
    weighted = sum((n * _weight(reason, gate) for reason, n in failures.items()), Decimal(0))
    weighted += max(0, failed - sum(failures.values())) * _weight(None, gate)
    return Tally(succeeded=counts.get(Outcome.SUCCEEDED, 0), failed=failed, weighted=weighted, waiting=waiting)


def reasons_matter(gate: Gate, counts: Mapping[Outcome, int], failures: Mapping[Reason, int], due: bool) -> bool:
    """Return whether the reasons of failures that are not known decide a gate.

    With other weights the result could differ.

    `due` says that the time for answers is over, so that it is decided now.
    """
    unknown = failures.get(Reason.UNKNOWN, 0)
    if not gate.weights or not unknown:
        return False
    known: dict[Reason, int] = {reason: n for reason, n in failures.items() if reason is not Reason.UNKNOWN}
    most = tally_of_counts(counts, known, gate).weighted + unknown * (1 - _weight(None, gate))
    least = most - unknown * (1 - min(exact(w) for w in gate.weights.values()))
    return due or (gate.max_failures is not None and least <= gate.max_failures < most)


def judge(
    gate: Gate,
    tally: Tally,
    deadline: datetime | None,
    now: datetime,
    *,
    later: int | None = 0,
    early: bool = True,
) -> Judgement:
    """Decide the gate of a wave.

    Only a gate with a confidence reads the rest: `later` are the devices of the waves after it, None where no one knows
    how many, and `early` tells whether it may be decided before the deadline.
    """
    most, weighted = gate.max_failures, exact(tally.weighted)
    if most is not None and weighted > most:
        return Judgement(state=GateState.FAILED, reason="failures_exceed_limit")
    over = not tally.unanswered or (deadline is not None and now >= deadline)
    limits = limits_of(gate, tally.total, later) if gate.risk is not None else None
    shown = _shown(gate, tally, limits) if limits is not None and (over or early) else None
    if shown is not None:
        return shown
    if not over:
        return Judgement(state=GateState.WAITING, reason="waiting_for_devices", until=deadline)
    unproved = tally.claimed * _weight(Reason.VERSION, gate)
    failures = weighted + unproved + (tally.unanswered - tally.claimed) * _weight(Reason.TIMEOUT, gate)
    if most is not None and failures > most:
        return Judgement(state=GateState.FAILED, reason="failures_exceed_limit")
    if tally.reported < min(gate.min_reported or 0, tally.total):
        return Judgement(state=GateState.INCONCLUSIVE, reason=TOO_FEW)
    if limits is not None and tally.total:
        return Judgement(state=GateState.INCONCLUSIVE, reason=TOO_WEAK)
    if not tally.total or _too_low(tally, failures, gate):
        return Judgement(state=GateState.FAILED, reason="success_rate_is_too_low")
    if not tally.reported:
        return Judgement(state=GateState.INCONCLUSIVE, reason=TOO_FEW)
    if not tally.succeeded and gate.min_success_percent > 0:
        return Judgement(state=GateState.FAILED, reason="success_rate_is_too_low")
    return Judgement(state=GateState.PASSED)


def _shown(gate: Gate, tally: Tally, limits: Limits) -> Judgement | None:
    """Return what a wave shows, whatever those without an answer would say; None while it shows neither (rule 6)."""
    if tally.failed >= limits.fails_from:
        return Judgement(state=GateState.FAILED, reason="success_rate_is_too_low")
    failures = tally.failed + tally.unanswered
    few = failures <= limits.passes_to and (gate.max_failures is None or failures <= gate.max_failures)
    enough = tally.reported >= max(min(gate.min_reported or 0, tally.total), 1)
    anyone = tally.succeeded > 0 or gate.min_success_percent == 0
    return Judgement(state=GateState.PASSED) if few and enough and anyone else None


def hopeless(gate: Gate, tally: Tally, later: int | None = 0) -> bool:
    """Return whether a gate does not pass even if everyone who has still to answer succeeds."""
    if gate.risk is not None:
        return tally.failed > limits_of(gate, tally.total, later).passes_to
    return _too_low(tally, exact(tally.weighted), gate)


def _too_low(tally: Tally, failures: Decimal, gate: Gate) -> bool:
    return 100 * (tally.total - failures) < exact(gate.min_success_percent) * tally.total


def _weight(reason: Reason | None, gate: Gate) -> Decimal:
    return exact(gate.weights.get((reason or Reason.UNKNOWN).value, 1.0))
