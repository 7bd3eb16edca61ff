"""Decides which devices of a wave are retried, when, and with what.

1. A retry is an attempt of its own for the devices that failed for a reason `retry.on` names, and for no others. What
   sending again cannot cure is not retried, whatever the manifest says.
2. It starts `backoff` after the previous attempt has ended, and `attempts` counts the first one in.
3. Failures beyond `maxFailures` end it: so many are no accident of transport.
4. What did not have its turn (deleted, withdrawn, lost) is no failure: it is retried for the same devices. One that
   the manifest does not declare any more has no turn to come.
5. Devices of a group are tried again one by one; the service then chooses fragments itself. Redundancy grows by
   `raiseRedundancyPercent` with each retry, up to 100. Named one by one they are served once, and not for ever.
6. A device that knows no index of a group's session may take the image alone, for which AWS uses another one
   (repost.aws, QU1yXW345YQ06-qscqq7j2eA: 0 for single devices, 1 for groups); alone it is not tried a second time.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from otactl.model import (
    DeviceResult,
    Outcome,
    Reason,
    Rollout,
    Value,
    WaveRecord,
    duration,
)
from otactl.model.actions import UnitDeclaration
from otactl.verdicts.device_results import fold, names_of, results_of

PERMANENT = frozenset(
    {
        Reason.PACKAGE_UNSUPPORTED,
        Reason.NO_MEMORY,
        Reason.DESCRIPTOR,
        Reason.VERSION,
        Reason.CANCELED,
        Reason.REMOVED,
    }
)
"""Reasons that sending it again does not cure."""
_SINGLE = ("device:", "devEui:")


class RetryPlan(Value, frozen=True, kw_only=True):
    """A retry that is due at `ready_at`: the target keys and which try it is, 2 for the first retry."""

    only: tuple[str, ...]
    tries: int
    ready_at: datetime


def retry_plan(rollout: Rollout, known: WaveRecord | None) -> RetryPlan | None:
    """Return the next retry of a wave; None when nothing is to be tried again."""
    retry = rollout.strategy.retry
    attempt = known.current if known is not None else None
    if retry is None or known is None or attempt is None or attempt.ended_at is None:
        return None
    over = attempt.ended and not goes_on(known, rollout)
    if not over or attempt.generation != rollout.generation or attempt.try_number >= retry.attempts:
        return None
    verdict = known.verdict_of(rollout.generation)
    if verdict is not None and verdict.reason == "failures_exceed_limit":
        return None
    worth = {Reason(name) for name in retry.on} - PERMANENT
    failed = [
        r
        for r in results_of(known, rollout.generation)
        if r.outcome is Outcome.FAILED and (r.reason or Reason.UNKNOWN) in worth and not _was_alone(r)
    ]
    if not failed or (verdict is None and any(r.silent for r in failed)):
        return None  # the gate still waits for those that are silent
    failed = _stay(failed, rollout, known)
    if not failed:
        return None
    only = tuple(sorted(r.device if ":" in r.device else f"device:{r.device}" for r in failed))
    wait = duration(retry.backoff) if retry.backoff is not None else duration("0s")
    return RetryPlan(only=only, tries=attempt.try_number + 1, ready_at=attempt.ended_at + wait)


def comes_late(rollout: Rollout, known: WaveRecord) -> bool:
    """Return whether a retry is due whose wave had passed while the unit before still ran."""
    verdict, attempt = known.verdict_of(rollout.generation), known.current
    if verdict is None or attempt is None or attempt.ended_at is None or attempt.ended_at <= verdict.at:
        return False
    return retry_plan(rollout, known) is not None


def waits_for_end(rollout: Rollout, known: WaveRecord | None) -> int:
    """Return how many devices of a unit that runs have failed and may be tried again when it has ended.

    As far as their reasons are known; those whose reason is not known yet may be.
    """
    retry = rollout.strategy.retry
    attempt = known.current if known is not None else None
    if retry is None or known is None or attempt is None or attempt.generation != rollout.generation:
        return 0
    verdict = known.verdict_of(rollout.generation)
    never = (rollout.backend.endless and not attempt.retry_targets) or attempt.try_number >= retry.attempts
    if never or not attempt.live or (verdict is not None and verdict.reason == "failures_exceed_limit"):
        return 0
    cured = {Reason(name) for name in retry.on} - PERMANENT
    others = sum(n for reason, n in attempt.failures.items() if reason not in {*cured, Reason.UNKNOWN})
    return max(attempt.tally.get(Outcome.FAILED, 0) - others, 0)


def _was_alone(result: DeviceResult) -> bool:
    """Return whether a device knew no index although it was sent to alone (rule 6)."""
    return result.reason is Reason.INDEX_UNSUPPORTED and result.via is None


def remainder(known: WaveRecord, rollout: Rollout) -> RetryPlan | None:
    """Return what the next attempt is for when the newest one did not have its turn; None where that is the whole wave.

    An attempt that was for some devices is made again for these; one that a suspension withdrew, for the devices that
    had not started. Where none had, and none was canceled by hand, it is the whole wave again, groups as groups.
    """
    attempt = known.current
    if attempt is None or attempt.generation != rollout.generation:
        return None
    at = attempt.ended_at or datetime(1970, 1, 1, tzinfo=UTC)
    if not attempt.not_started:
        only = still_declared(attempt.retry_targets, rollout, known) or attempt.retry_targets
        return RetryPlan(only=only, tries=attempt.try_number, ready_at=at) if only else None
    rest = unbegun(known, rollout)
    whole = attempt.never_started and not attempt.by_hand and (known.members or rollout.backend.endless)
    if whole and not attempt.retry_targets:
        return None
    only = tuple(sorted(r.device if ":" in r.device else f"device:{r.device}" for r in rest))
    return RetryPlan(only=only, tries=attempt.try_number, ready_at=at)


def unbegun(known: WaveRecord, rollout: Rollout) -> tuple[DeviceResult, ...]:
    """Return the devices whose turn is still to come: declared, and not started when their unit was stopped."""
    attempt = known.current
    return tuple(_stay(list(attempt.not_started), rollout, known)) if attempt is not None else ()


def still_declared(only: tuple[str, ...], rollout: Rollout, known: WaveRecord) -> tuple[str, ...]:
    """Return the devices of a retry that the manifest still declares."""
    names = {r.device: r.name for a in known.attempts for r in a.results}
    tried = {key: key.partition(":")[2] for key in only}
    failed = {key: DeviceResult(device=d, outcome=Outcome.FAILED, name=names.get(d)) for key, d in tried.items()}
    left = {r.device for r in _stay(list(failed.values()), rollout, known)}
    return tuple(key for key in only if tried[key] in left)


def let_off(known: WaveRecord, rollout: Rollout) -> frozenset[str]:
    """Return devices that are not declared any more, and whose unit was stopped before they began: they got nothing."""
    stopped = (a for a in known.attempts_since(rollout.generation) if a.canceled_by_us)
    rest = [r for a in stopped for r in a.results if r.reason is Reason.CANCELED]
    return frozenset(r.device for r in rest) - {r.device for r in _stay(rest, rollout, known)}


def goes_on(known: WaveRecord, rollout: Rollout) -> bool:
    """Return whether the newest attempt was stopped before each of its declared devices had its turn."""
    attempt = known.current
    if attempt is None or not attempt.cut_short:
        return False
    whole = attempt.never_started and not attempt.retry_targets  # made again for whom is declared now
    return not attempt.not_started or whole or bool(unbegun(known, rollout))


def is_to_follow(known: WaveRecord, rollout: Rollout) -> bool:
    """Return whether the newest attempt was stopped, and devices of it have to follow, or may have to."""
    attempt = known.current
    if attempt is None or attempt.generation != rollout.generation or not attempt.canceled_by_us:
        return False
    return attempt.live or goes_on(known, rollout)


def _stay(failed: list[DeviceResult], rollout: Rollout, known: WaveRecord) -> list[DeviceResult]:
    """Return the failed devices that the manifest still declares under some name, and those it never named."""
    if not failed:
        return []
    declared = {key for w in rollout.strategy.waves for key in rollout.targets_of(w).keys}
    if rollout.targets is not None:
        declared &= set(rollout.targets.keys) | {k for k in declared if not k.startswith(_SINGLE)}
    named = {fold(k) for k in declared}
    whole = (
        a for a in known.attempts_since(rollout.generation) if not a.retry_targets
    )  # a retry names a group's devices
    began = {*known.members, *(k for a in whole for k in a.members)}
    left = {fold(k) for k in began if k.startswith(_SINGLE)} - named
    return [r for r in failed if names_of(r) & named or not names_of(r) & left]


def adapted(unit: UnitDeclaration, rollout: Rollout) -> UnitDeclaration:
    """Return a unit for the devices of a retry (rule 5); one of a whole wave as it is."""
    if not unit.only:
        return unit
    backend = unit.backend.for_retry(rollout.strategy, unit.tries)
    return msgspec.structs.replace(unit, members=unit.only, backend=backend)
