"""Takes units of other actors into the journal, and proves before it writes that nothing will be sent for them.

1. The lease of the environment is taken with the first write, as in a run; another holder is an error.
2. Each rollout is observed and assessed as a run does it, until nothing changes. One for which a call would be sent is
   refused: an adoption only records.
3. All records are written in one commit, each with the event that says who adopted what.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from otactl.model import Author, Doubt, Environment, Event, ExistingUnit, Record, Rollout, Value
from otactl.model.actions import Hold, name_of
from otactl.planning import adoption
from otactl.ports import Backend, Commit, Journal, Stored
from otactl.reconcile.leased_journal import LeasedJournal
from otactl.reconcile.observe import EnvironmentObserver
from otactl.reconcile.run_report import RolloutState

MOST_LOOKS = 4


class Adoption(Value, frozen=True, kw_only=True):
    """A unit with the rollout that declares it, the record it gets, and what keeps it from being adopted."""

    unit: ExistingUnit
    rollout: Rollout
    record: Record
    events: tuple[Event, ...] = ()
    doubt: Doubt | None = None


class Adopter:
    """Adopts units of one environment."""

    def __init__(
        self,
        environment: Environment,
        backends: Mapping[str, Backend],
        journal: Journal,
        now: Callable[[], datetime],
        wall: Callable[[], datetime],
        holder: str,
        author: Author,
        refused: Callable[[Rollout], tuple[Hold, ...]],
    ) -> None:
        """Load the records of the environment; `author` adopts. Raises: LeaseHeldError where another holds it."""
        memory = journal.identity()
        self.environment = msgspec.structs.replace(environment, journal_id=memory.id, replaces=memory.replaces)
        self._backends = backends
        self._journal = LeasedJournal(environment.name, journal, holder, wall, author)
        self._observer = EnvironmentObserver(self.environment, backends, refused, now)
        self._now = now
        self._journal.check_free()
        self._journal.load()
        names = (name for name in journal.environments() if name != environment.name)
        self._beside = tuple(held.record for name in names for held in journal.load_all(name).values())
        self.unwritten: dict[str, str] = {}

    @property
    def records(self) -> dict[str, Record]:
        """Return the records of the environment, by rollout."""
        return self._journal.records

    @property
    def known(self) -> frozenset[str]:
        """Return every unit that the journal knows, of this environment and of others, and that has a manifest."""
        every = frozenset(i for record in (*self.records.values(), *self._beside) for i in record.vendor_ids)
        return every - self.unwritten.keys()

    def declared(self, rollouts: Collection[str]) -> None:
        """Note the rollouts that manifests declare: `unwritten` are adopted units without one, with their rollouts."""
        self.unwritten = adoption.without_manifest(self.records, rollouts)

    def known_adoption(self, unit: ExistingUnit, rollout: Rollout) -> Adoption:
        """Return the adoption of a unit as it was recorded before."""
        return Adoption(unit=unit, rollout=rollout, record=self.records[rollout.name])

    def taken_up(self, unit: ExistingUnit, rollout: Rollout) -> Adoption:
        """Return the adoption of a unit by a rollout, not judged yet."""
        backend = self._backends[rollout.backend_kind]
        now = self._now()
        record = adoption.adopted(rollout, unit, self.environment, backend, now)
        first = adoption.event(record, unit, backend.capabilities.service, now)
        return Adoption(unit=unit, rollout=rollout, record=record, events=(first,))

    def judged(self, adoptions: Sequence[Adoption]) -> tuple[Adoption, ...]:
        """Return the adoptions with the records that a run would have by now, or a doubt (rule 2)."""
        if not adoptions:
            return ()
        states = [RolloutState(a.rollout, Stored(record=a.record, revision=0)) for a in adoptions]
        events: list[tuple[Event, ...]] = [a.events for a in adoptions]
        surveys = self._observer.survey(states, self._journal.stored, whole=False)
        for _ in range(MOST_LOOKS):
            records = {**self.records, **{s.rollout.name: s.stored.record for s in states}}
            before = [s.stored.record for s in states]
            self._observer.look(states, surveys, records, lambda: (), {})
            for index, state in enumerate(states):
                if state.look is not None and not state.error:
                    events[index] = (*events[index], *state.look.events)
                    state.stored = Stored(record=state.look.record, revision=0)
                    state.again = False
            if before == [s.stored.record for s in states]:
                break
        done = zip(adoptions, states, events, strict=True)
        return tuple(
            msgspec.structs.replace(a, record=s.stored.record, events=mine, doubt=_doubt(s)) for a, s, mine in done
        )

    def commit(self, adoptions: Sequence[Adoption]) -> None:
        """Write the records of adoptions (rule 3)."""
        commits = tuple(Commit(record=a.record, expected_revision=0, events=a.events) for a in adoptions)
        if commits:
            self._journal.commit(commits)

    def release(self) -> None:
        """Give the lease back. Raises: OtactlError where the journal did not take that."""
        error = self._journal.release()
        if error is not None:
            raise error


def _doubt(state: RolloutState) -> Doubt | None:
    if state.error:
        text = f"its rollout could not be assessed: {state.error}"
        return Doubt(code="unit_is_unreadable", message=text, fix="do what the message says, and adopt again")
    actions = state.look.plan.actions if state.look is not None else ()
    if not actions:
        return None
    planned = "; ".join(f"{name_of(action)}: {action.reason}" for action in actions)
    return Doubt(
        code="adoption_would_send",
        message=f"once adopted, the next run would act on it ({planned}), and an adoption sends nothing",
        fix="adopt again when that has passed, or declare it by hand",
    )
