"""Selects the results a wave is judged by: the newest of each device over its attempts."""

from __future__ import annotations

from collections.abc import Iterable

from otactl.model import Attempt, DeviceResult, Outcome, Reason, WaveRecord


def results_of(wave: WaveRecord, generation: str) -> tuple[DeviceResult, ...]:
    """Return the newest result of each device of the wave's attempts at a content, since it was started last.

    A device a retry tries again keeps its old result until the retry has its own.
    """
    return tuple(newest_of(_together(wave.attempts_since(generation))).values())


def newest_of(attempts: Iterable[Attempt]) -> dict[str, DeviceResult]:
    """Return the newest result of each device.

    One that took the content in an attempt we stopped, and refuses it the second time, still has it.
    """
    found: dict[str, DeviceResult] = {}
    for attempt in attempts:
        for result in attempt.results:
            before = found.get(result.device)
            has_it = before is not None and before.outcome is Outcome.SUCCEEDED
            if not (has_it and result.reason is Reason.REJECTED):
                found[result.device] = result
    return found


def names_of(result: DeviceResult) -> set[str]:
    """Return what a device of a result is called, comparable with a manifest's names by `fold`."""
    return {fold(result.device), fold(result.name or result.device)}


def fold(name: str) -> str:
    """Compare names as people write them: a DevEUI in either case, with or without the manifest's prefix."""
    return name.lower().removeprefix("deveui:").removeprefix("device:")


def _together(attempts: tuple[Attempt, ...]) -> list[Attempt]:
    """Return the last attempt, those it tries again, and those we stopped."""
    kept: list[Attempt] = []
    follows = True
    for attempt in reversed(attempts):
        if follows or attempt.canceled_by_us:
            kept.append(attempt)
        follows = bool(attempt.retry_targets)
    return kept[::-1]
