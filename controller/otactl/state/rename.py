"""Moves the record of a renamed rollout to its new name, so that nothing is created or sent again.

1. `metadata.renamedFrom` says which record moves. It moves once, whole, in one commit: attempts, intents, verdicts and
   drift go to the new name; the old record stays, empty and closed, and says where it went.
2. What a service holds keeps the name it was made under, so a running unit neither drifts nor is lost. Notices that are
   still to be sent stay in the old record.
3. Nothing moves while the old name is declared, while it is not known whether it is (its folder was not read, or a
   manifest that cannot be read may declare it), or over a record that has made something itself: two histories are not
   made one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from otactl.model import Attempt, Condition, Event, Phase, Record, Rollout, Value, WaveRecord
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import NOTHING_UNREAD, UnreadableManifests
from otactl.ports import Commit, Stored


class Renaming(Value, frozen=True, kw_only=True):
    """The commits that move records of renamed rollouts, and the holds of those that cannot move."""

    commits: tuple[Commit, ...] = ()
    holds: dict[str, Hold] = msgspec.field(default_factory=dict)

    @property
    def moved(self) -> dict[str, str]:
        """Return the old name of each rollout whose record moves."""
        return {c.record.renamed_to: c.record.name for c in self.commits if c.record.renamed_to}

    def over(self, stored: Mapping[str, Stored]) -> dict[str, Stored]:
        """Return the stored records as they will be, with their present revisions."""
        moved = {c.record.name: Stored(record=c.record, revision=c.expected_revision) for c in self.commits}
        return {**stored, **moved}


def renaming(
    stored: Mapping[str, Stored],
    rollouts: Iterable[Rollout],
    covers: Callable[[Record], bool],
    now: datetime,
    unread: UnreadableManifests = NOTHING_UNREAD,
) -> Renaming:
    """Return which records move (rules 1 and 3).

    `covers` says whether the path of a manifest was read, `unread` which manifests could not be.
    """
    declared = {r.name for r in rollouts}
    commits: list[Commit] = []
    holds: dict[str, Hold] = {}
    gone: set[str] = set()
    for rollout in sorted(rollouts, key=lambda r: r.name):
        old = stored.get(rollout.renamed_from or "")
        own = stored.get(rollout.name) or Stored(
            record=Record(environment=rollout.environment, name=rollout.name), revision=0
        )
        if old is None or old.record.name in gone or _has_moved(old.record, own.record):
            continue  # nothing is known by that name, or it has moved
        hold = _hold(rollout, old.record, own.record, declared, covers, unread)
        if hold is not None:
            holds[rollout.name] = hold
            continue
        gone.add(old.record.name)
        commits += _move(rollout, old, own, now)
    return Renaming(commits=tuple(commits), holds=holds)


def _has_moved(old: Record, own: Record) -> bool:
    """Return whether the record moved already; a rollout that took the old name since has a record of its own.

    Only the record that moved remembers this for good: the old name may be used, and moved, again.
    """
    here = own.name in (old.name, old.renamed_to) or old.name in own.previous_names
    return here or bool(old.renamed_to and not old.attempts)


def _hold(
    rollout: Rollout,
    old: Record,
    own: Record,
    declared: set[str],
    covers: Callable[[Record], bool],
    unread: UnreadableManifests,
) -> Hold | None:
    """Return the hold of a rename that cannot be done (rule 3)."""
    if old.name in declared:
        text = (
            f"metadata.renamedFrom names rollout {old.name}, which is declared; remove that manifest or remove "
            "renamedFrom. To swap the names of two rollouts, give one of them an unused name first"
        )
        return Hold(reason="renamed_rollout_is_declared", message=text, stalled=True)
    if own.attempts or own.intents:
        text = (
            f"rollout {rollout.name} has created units under this name already, so it cannot take over the record of "
            f"{old.name}; remove metadata.renamedFrom, or give the rollout an unused name"
        )
        return Hold(reason="renamed_rollout_has_another_record", message=text, stalled=True)
    if not covers(old):
        text = (
            f"metadata.renamedFrom names rollout {old.name}, whose manifest was {old.source or 'not recorded'}: this "
            "run did not look whether it is still there; name its folder, too"
        )
        return Hold(reason="renamed_rollout_is_unread", message=text, stalled=True)
    if unread.may_keep(old.name, old.source):
        text = (
            f"metadata.renamedFrom names rollout {old.name}, which a manifest with an error may still declare; fix it "
            f"first: {unread.about(old.name, old.source) or unread.text}"
        )
        return Hold(reason="renamed_rollout_is_unread", message=text, stalled=True)
    return None


def _move(rollout: Rollout, old: Stored, own: Stored, now: datetime) -> tuple[Commit, Commit]:
    replace = msgspec.structs.replace
    before = old.record
    moved = replace(
        before,
        name=rollout.name,
        source=rollout.source.file,
        manifest_path=rollout.source.place,
        previous_names=(*before.previous_names, before.name),
        renamed_to="",
        waves=tuple(_under(w, before.name) for w in before.waves),
        notices=own.record.notices,
    )
    went = f"its record moved to rollout {rollout.name}"
    closed = replace(
        Record(environment=before.environment, name=before.name),
        backend=before.backend,
        source=before.source,
        manifest_path=before.manifest_path,
        generation=before.generation,
        manifest=before.manifest,
        version=before.version,
        phase=Phase.REMOVED,
        conditions=(Condition(type="Ready", status=False, reason=Phase.REMOVED.value, message=went),),
        renamed_to=rollout.name,
        notices=before.notices,
    )
    events = (
        Event(at=now, kind="renamed", subject=rollout.name, message=f"took over the record of rollout {before.name}"),
    )
    left = (Event(at=now, kind="renamed", subject=before.name, message=went),)
    return (
        Commit(record=moved, expected_revision=own.revision, events=events),
        Commit(record=closed, expected_revision=old.revision, events=left),
    )


def _under(wave: WaveRecord, name: str) -> WaveRecord:
    """Return the record with the old name in its attempts (rule 2)."""

    def named(attempt: Attempt) -> Attempt:
        return msgspec.structs.replace(attempt, rollout=attempt.rollout or name)

    return msgspec.structs.replace(wave, attempts=tuple(named(a) for a in wave.attempts))
