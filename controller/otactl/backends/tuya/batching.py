"""Divides a wave's devices into batches, and finds the batches an attempt is known to have.

1. A batch names at most 200 devices (Alibaba [V], same assumed here [I]). A wave of more takes several, in the order of
   the devices' names; which device is in which part never changes, so each part is made at most once.
2. A part is known by the key of the call that makes it. One whose answer was lost is looked for by its own devices; a
   batch that two parts could claim, or a part that finds two batches, is adopted by neither. Only batches that have
   ended with equal results are one outcome, so the first of them is adopted for the part.
3. Devices that report the version already are left out: the service would skip them, and refuses a batch of them alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from otactl.model import AmbiguousCreate, Attempt, Intent, Record

MOST_NAMES = 200


@dataclass(frozen=True)
class Parts:
    """The batches of an attempt by part; `several` tells that there are more than one, made or not.

    `pending` are parts whose creation has no outcome yet, `missing` the targets of parts that are not being created.
    """

    jobs: Mapping[str, str]
    several: bool
    pending: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Candidates:
    """The batches that an unanswered create may have made; of `unsure` and, when it `waits`, of others it is not known
    yet, so none is taken. `ended`: none of them reaches a device any more; `alike`: each device has one result in all.
    """

    ids: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()
    waits: bool = False
    ended: bool = False
    alike: bool = False


def parts_of(unit_id: str, members: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Call key to targets, for every batch of a unit (rule 1)."""
    key = f"createUnit/{unit_id}"
    if len(members) <= MOST_NAMES:
        return {key: members}
    pieces = range(0, len(members), MOST_NAMES)
    return {f"{key}/{n}": members[at : at + MOST_NAMES] for n, at in enumerate(pieces, start=1)}


def known_parts(
    attempt: Attempt, known: Record, find: Callable[[Intent, frozenset[str]], Candidates]
) -> tuple[Parts, AmbiguousCreate | None]:
    """Return the parts of an attempt, and what is ambiguous about them (rule 2).

    `find` looks for an unanswered create.
    """
    wanted = parts_of(attempt.unit_id, tuple(f"device:{d}" for d in attempt.devices))
    jobs = dict(attempt.ids_by_call)
    if not jobs and attempt.vendor_id is not None and len(wanted) == 1:
        jobs = {f"createUnit/{attempt.unit_id}": attempt.vendor_id}
    meant = {i.key: i for i in known.intents if i.unit_id == attempt.unit_id and i.creates and i.key not in jobs}
    found = {key: find(intent, known.vendor_ids) for key, intent in meant.items()}
    claimed = [job for candidates in found.values() for job in candidates.ids]
    one_of = {key for key, f in found.items() if f.alike and all(claimed.count(j) == 1 for j in f.ids)}
    several = {j for k, f in found.items() if k not in one_of for j in f.ids if len(f.ids) > 1 or claimed.count(j) > 1}
    if unclear := sorted(several.union(*(f.unsure for f in found.values()))):
        doubtful = (f for key, f in found.items() if key not in one_of and (f.ids or f.unsure))
        ambiguous = _ambiguous(attempt, unclear, ended=all(f.ended for f in doubtful))
        return Parts(jobs=jobs, several=len(wanted) > 1, pending=tuple(meant)), ambiguous
    jobs |= {key: f.ids[0] for key, f in found.items() if f.ids and not f.waits}
    return Parts(
        jobs=jobs,
        several=len(wanted) > 1,
        pending=tuple(key for key in meant if key not in jobs),
        missing=tuple(t for key, targets in wanted.items() if key not in jobs and key not in meant for t in targets),
    ), None


def _ambiguous(attempt: Attempt, jobs: list[str], *, ended: bool) -> AmbiguousCreate:
    """Return what a create of an attempt may have created, and the way out: canceling ends no batch that has ended."""
    text = (
        f"the answer to the create of {attempt.unit_id} was lost, and each of the batches {', '.join(jobs)} may be it"
    )
    if not ended:
        text += "; cancel those that are not yours, or wait until they have ended"
        return AmbiguousCreate(unit_id=attempt.unit_id, message=text)
    text += (
        "; all of them have ended, so none can be canceled; to send again to the devices that do not report the "
        "version, set strategy.resend: true; to send nothing again, declare another revision, remove the wave or abort "
        "the rollout"
    )
    return AmbiguousCreate(unit_id=attempt.unit_id, message=text, ended=True)
