"""Lists the rollouts of a run: those declared, and those removed from Git of which the journal knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from otactl.backends.registry import read_config
from otactl.model import Record, Rollout
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import UnreadableManifests
from otactl.planning import removed_rollout
from otactl.ports import Stored
from otactl.reconcile.run_report import RolloutState


def declared_states(
    rollouts: Iterable[Rollout], stored: Mapping[str, Stored], holds: Mapping[str, Hold] | None = None
) -> list[RolloutState]:
    """Return a state for each declared rollout; `holds` keep back the records of renamed ones."""

    def held(rollout: Rollout) -> Stored:
        empty = Stored(record=Record(environment=rollout.environment, name=rollout.name), revision=0)
        return stored.get(rollout.name, empty)

    kept, every = holds or {}, tuple(rollouts)
    names = {r.name for r in every} | {name for name, known in stored.items() if known.record.attempts}
    return [
        RolloutState(_with_former_names(r, held(r), names), held(r), refused=(kept[r.name],) if r.name in kept else ())
        for r in every
    ]


def _with_former_names(rollout: Rollout, held: Stored, in_use: Collection[str]) -> Rollout:
    """Return the rollout with the names it had before, but those that another rollout has."""
    before = dict.fromkeys((rollout.renamed_from or "", *held.record.previous_names))
    return msgspec.structs.replace(rollout, former_names=tuple(n for n in before if n and n not in in_use))


def removed_states(
    rollouts: Iterable[Rollout],
    stored: Mapping[str, Stored],
    covers: Callable[[Record], bool],
    unread: UnreadableManifests,
) -> list[RolloutState]:
    """Return a state for each rollout whose manifest was removed from Git, with what its record keeps of it.

    A rollout that `unread` may still declare is left out; `covers` tells whether a manifest's place was read.
    """
    names = {r.name for r in rollouts}
    left = (
        held
        for name, held in sorted(stored.items())
        if name not in names and covers(held.record) and not unread.may_keep(name, held.record.source)
    )
    return [
        RolloutState(rollout, held, removed=True)
        for held in left
        if (rollout := removed_rollout.declared(held.record, read_config)) is not None
    ]
