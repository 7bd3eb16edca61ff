"""Brings back an attempt that ended while other content was declared, or under an abort, once its own goes on.

1. It ended without waiting for the versions that its devices report, and where the other content declares no proof by
   version, without reading them. So it is read again, and waits for them as any other, if its unit is still there. The
   same goes for a manifest that was removed and is back. While the abort stays, its results stay.
2. If its unit was deleted, no success without proof counts. Nothing is sent again by this.
3. Where the other content reached a device, the attempt stays as it is: its content is sent again to all.
"""

from __future__ import annotations

import msgspec

from otactl.model import Attempt, Outcome, Reason, Rollout, Stage, VersionConfirm, WaveRecord

_UNREAD = "its version was not read before its unit was deleted"


def back(wave: WaveRecord, generation: str) -> int | None:
    """Return the place of the newest attempt at a revision; None if there is none, or other content came after it."""
    last = max((i for i, a in enumerate(wave.attempts) if a.generation == generation), default=-1)
    after = wave.attempts[last + 1 :]
    return None if last < 0 or any(a.live or a.reached for a in after) else last


def reopened(wave: WaveRecord, rollout: Rollout) -> WaveRecord:
    """Return the wave with its attempt running again, if it ended in a hurry and its unit is there (rule 1)."""
    at = back(wave, rollout.generation)
    given_up = rollout.abort is not None or rollout.removed
    if at is None or given_up or not isinstance(rollout.strategy.confirm, VersionConfirm):
        return wave
    attempt = wave.attempts[at]
    if not attempt.hurried or attempt.stage is not Stage.ENDED:
        return wave
    running = msgspec.structs.replace(attempt, stage=Stage.RUNNING, ended_at=None, tally={}, failures={})
    return _with(wave, at, running)


def without_claims(wave: WaveRecord, rollout: Rollout) -> WaveRecord:
    """Return the wave with no unproved success of an attempt whose unit was deleted (rule 2)."""
    at = back(wave, rollout.generation)
    if at is None or not isinstance(rollout.strategy.confirm, VersionConfirm):
        return wave
    attempt = wave.attempts[at]
    if not (attempt.unproved and attempt.stage.is_over):
        return wave
    results = tuple(
        msgspec.structs.replace(r, outcome=Outcome.FAILED, reason=Reason.VERSION, detail=_UNREAD)
        if r.outcome is Outcome.SUCCEEDED
        else r
        for r in attempt.results
    )
    return _with(wave, at, msgspec.structs.replace(attempt, results=results, unproved=False))


def _with(wave: WaveRecord, at: int, attempt: Attempt) -> WaveRecord:
    return msgspec.structs.replace(wave, attempts=(*wave.attempts[:at], attempt, *wave.attempts[at + 1 :]))
