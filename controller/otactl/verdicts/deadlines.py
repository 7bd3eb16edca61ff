"""Says until when the gate of a running unit waits for its devices, and for those whose version is to prove them.

The rules are those of wave_verdict.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from otactl.model import Attempt, Gate, Verdict, duration

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(minutes=2)
SETTLE = timedelta(seconds=120)
"""How far a read may lag behind what has happened at a service."""


def not_before(old: Verdict | None, now: datetime) -> datetime:
    """Return the time of a verdict where the clock of a pass is a little behind it (rule 9)."""
    return old.at if old is not None and now < old.at <= now + CLOCKS_DIFFER else now


def silence_until(ended: datetime, gate: Gate, old: Verdict | None) -> datetime:
    """Return until when an ended unit's devices that have not answered are waited for; after a verdict, by its gate.

    The list of devices may lag behind the end of its unit, so one look believes no silence.
    """
    declared = duration(gate.silence_after) if gate.silence_after is not None else timedelta()
    return ended + (declared if old is not None else max(declared, SETTLE))


def answers_until(attempt: Attempt, gate: Gate) -> datetime | None:
    """Return until when a running unit waits for its devices: counted from its start, or from its end where only
    versions are missing; None where the gate sets no limit, and while a part of it is missing (rule 3)."""
    since = attempt.version_check.since if attempt.version_check is not None else attempt.newest_start_at
    if gate.silence_after is None or since is None or attempt.parts_missing:
        return None
    return since + duration(gate.silence_after)


def claims_until(attempt: Attempt, gate: Gate, old: Verdict | None) -> datetime | None:
    """Return until when the claims of a running unit are waited for (rule 6); None while their versions are not read.

    Claims of after the deadline, and those of a wave that has failed at it, turn its verdict once they are proved.
    """
    claims, deadline = attempt.claims, answers_until(attempt, gate)
    if deadline is None or (old is not None and not old.passed and old.at >= deadline):
        return NEVER
    if not claims.read:
        return None
    silence = duration(gate.silence_after) if gate.silence_after is not None else timedelta()
    return min(claims.newest, deadline) + silence if claims.newest is not None else NEVER
