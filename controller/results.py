"""The results a wave is judged by: the newest of each device, over the attempts that belong together."""

from __future__ import annotations

from controller.model import Attempt, DeviceResult, Outcome, Reason, WaveRecord


def results_of(wave: WaveRecord, generation: str) -> tuple[DeviceResult, ...]:
    """The newest result of each device of the wave's attempts at a content, since it was begun last.

    One that took it in an attempt we stopped, and refuses it the second time, still has it. A device a retry tries
    again keeps its old result until the retry has its own.
    """
    found: dict[str, DeviceResult] = {}
    for attempt in _together(wave.since(generation)):
        for result in attempt.results:
            before = found.get(result.device)
            has_it = before is not None and before.outcome is Outcome.SUCCEEDED
            if not (has_it and result.reason is Reason.REJECTED):
                found[result.device] = result
    return tuple(found.values())


def _together(attempts: tuple[Attempt, ...]) -> list[Attempt]:
    """The last attempt, those it tries again, and those we stopped."""
    kept: list[Attempt] = []
    follows = True
    for attempt in reversed(attempts):
        if follows or attempt.canceled:
            kept.append(attempt)
        follows = bool(attempt.only)
    return kept[::-1]
