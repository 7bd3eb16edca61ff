"""Counts the devices of a running unit that took the image and have not proved it by the version they report.

1. Such a claim is no success: it counts as waiting, so that no gate passes by it. A failure needs no proof.
2. Versions are read only while the gate would pass if every claim were true (`wave_verdict.needs_proof`): of all that
   took the image, since one may go back to the old version. Once the wave is released, a device that reported the
   version is not read again while the unit runs. Claims that were not read are shown as that (`versionNotRead`): their
   devices may have reported already.
3. One pass reads `AT_ONCE` devices at most, where each is a call; the next pass goes on behind them.
4. The newest claim decides how long the gate waits for claims beyond its deadline (`wave_verdict.judgement`). A claim
   whose version was not read yet, or cannot be read, is waited for.
5. A unit whose revision is not declared any more ends by the versions of that moment: no device is waited for
   (hurried_results.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from otactl.model import Attempt, Outcome, Rollout, Unit, Value, VersionClaims, VersionConfirm, duration
from otactl.verdicts.version_proof import DEFAULT_WITHIN

AT_ONCE = 500
UNPROVED = ("waitingForVersion", "versionNotRead")
"""How devices that took the image, and have not proved it, are shown."""


class Proof(Value, frozen=True, kw_only=True):
    """How devices prove that they run an image, and by which version; `declared` while its revision is."""

    confirm: VersionConfirm
    version: str
    declared: bool


def counted(unit: Unit, claims: VersionClaims) -> Unit:
    """Return a unit, whose counts take every claim for a success, with these claims as waiting (rule 1)."""
    succeeded = unit.tally.get(Outcome.SUCCEEDED, 0)
    left = min(claims.open, succeeded)
    claims = msgspec.structs.replace(claims, open=left)
    waiting = unit.tally.get(Outcome.WAITING, 0) + left
    tally = {**unit.tally, Outcome.SUCCEEDED: succeeded - left, Outcome.WAITING: waiting}
    name = "waitingForVersion" if claims.read or claims.read_to else "versionNotRead"
    shown = {**unit.progress, "succeeded": unit.progress.get("succeeded", 0) - left, name: left}
    return msgspec.structs.replace(
        unit,
        tally={outcome: n for outcome, n in tally.items() if n},
        progress={name: n for name, n in shown.items() if n > 0},
        claims=claims,
    )


def without_claims(attempt: Attempt) -> dict[Outcome, int]:
    """Return what the newest unit of an attempt counted, with every claim as a success."""
    left = min(attempt.claims.open, attempt.tally.get(Outcome.WAITING, 0))
    succeeded = attempt.tally.get(Outcome.SUCCEEDED, 0) + left
    waiting = attempt.tally.get(Outcome.WAITING, 0) - left
    tally = {**attempt.tally, Outcome.SUCCEEDED: succeeded, Outcome.WAITING: waiting}
    return {outcome: n for outcome, n in tally.items() if n}


def shown_successes(progress: Mapping[str, int]) -> int:
    """Return how many devices took the image by what a unit last showed, proved or not."""
    return sum(progress.get(name, 0) for name in ("succeeded", *UNPROVED))


def as_taken(progress: Mapping[str, int]) -> dict[str, int]:
    """Return the progress that a unit showed, with every device that took the image as a success."""
    others = {name: n for name, n in progress.items() if name not in ("succeeded", *UNPROVED)}
    return {name: n for name, n in {**others, "succeeded": shown_successes(progress)}.items() if n}


def unread(known: VersionClaims, succeeded: int) -> VersionClaims:
    """Return the claims of a unit by the number of its successes alone, where nothing depends on them."""
    return VersionClaims(confirmed=known.confirmed, open=max(succeeded - len(known.confirmed), 0))


def to_read(
    took: Mapping[str, datetime | None], known: VersionClaims, at_once: int | None = AT_ONCE, *, released: bool = False
) -> tuple[str, ...]:
    """Return the devices whose version this pass reads, of those that took the image (rules 2 and 3).

    `at_once` is None where a number of devices costs no more than one; `released` says that the wave is.
    """
    left = _of_interest(took, known, released)
    if at_once is None:
        return tuple(left)
    return tuple(device for device in left if device > known.read_to)[:at_once]


def after(
    took: Mapping[str, datetime | None],
    known: VersionClaims,
    reported: Mapping[str, str | None] | None,
    version: str,
    *,
    released: bool = False,
) -> VersionClaims:
    """Return the claims after a pass that read the versions of some devices; None where they cannot be read."""
    asked = reported or {}
    confirmed = {d for d in took if (asked[d] == version if d in asked else d in known.confirmed)}
    left = sorted(set(took) - confirmed)
    behind = _of_interest(took, known, released)
    whole = reported is not None and all(d <= max(asked, default="") for d in behind)
    read_to = known.read_to if reported is None else "" if whole else max(asked, default="")
    times = [at for device in left if (at := took[device]) is not None]
    return VersionClaims(
        confirmed=tuple(sorted(confirmed)),
        open=len(left),
        newest=max(times, default=None),
        read=reported is not None and (whole or known.read),
        read_to=read_to,
    )


def _of_interest(took: Mapping[str, datetime | None], known: VersionClaims, released: bool) -> list[str]:
    return sorted(set(took) - set(known.confirmed) if released else took)


def proof_of(rollout: Rollout, generation: str, version: str = "") -> Proof | None:
    """Return how the devices of a unit of a revision prove their success; None where their transfers do.

    `version` is the one of a revision that is not declared (rule 5), empty where no one knows it.
    """
    confirm, declared = rollout.strategy.confirm, generation == rollout.generation
    if not isinstance(confirm, VersionConfirm) or not (declared or version):
        return None
    return Proof(confirm=confirm, version=rollout.firmware.version if declared else version, declared=declared)


def is_final(
    proof: Proof, attempt: Attempt, rollout: Rollout, since: datetime | None, now: datetime, *, canceled: bool = False
) -> bool:
    """Return whether no device is waited for any more: its time is over, or its content is given up.

    `since` is when `within` begins, None where no one knows it; `canceled` says that we stopped the unit.
    """
    over = since is not None and now - since >= duration(proof.confirm.within or DEFAULT_WITHIN)
    given_up = rollout.abort is not None or (rollout.removed and canceled)
    return attempt.ended_at is not None or over or given_up or not proof.declared


def unreadable(unit: Unit, error: Exception) -> Unit:
    """Return a unit whose versions cannot be read, as overdue."""
    return msgspec.structs.replace(unit, overdue=f"the versions its devices report cannot be read: {error}")
