"""Plants faults of one line in the product, at least one for each invariant, for a walk to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from unittest.mock import patch

import msgspec

from otactl.drift import diff, ledger
from otactl.model import Record, Rollout, WaveRecord
from otactl.model.actions import Hold
from otactl.planning import create_unit, environment, membership, preflight, suspend
from otactl.reconcile import preview
from otactl.reconcile.leased_journal import LeasedJournal
from otactl.state import lifecycle
from otactl.verdicts import gate, retry
from otactl.verdicts.gate import GateState, Judgement
from otactl.verdicts.retry import RetryPlan
from tests.support.explore import rest


class Planted(NamedTuple):
    """One line that is wrong, the invariant it breaks, and the world it shows in."""

    name: str
    settings: str
    invariant: str
    plant: Callable[[], object]
    after: tuple[str, ...] = ()
    """Moves that the search starts with."""


def _renamed(target: object, name: str, value: object) -> Callable[[], object]:
    return lambda: patch.object(target, name, value)


_RESOLVED = membership.resolved
_UNCHECKED = tuple(check for check in create_unit.START_CHECKS if check is not preflight.may_start)


def _going_on(rollout: Rollout, record: Record) -> Rollout:
    return msgspec.structs.replace(_RESOLVED(rollout, record), suspend=None)


def _of_all(_rollout: Rollout, known: WaveRecord | None) -> RetryPlan | None:
    over = known is not None and known.current is not None and known.current.ended
    return RetryPlan(only=known.members, tries=2, ready_at=LONG_AGO) if known is not None and over else None


def _stumble(*_given: object) -> str:
    raise KeyError("no key")


LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NO_DUPLICATE = "no device is sent one content twice unless asked"
HELD_BACK = "nothing is sent while suspended, without lease, or over open drift"
FAULTS = (
    Planted("a retry is for every device", "tuya-1", NO_DUPLICATE, _renamed(retry, "retry_plan", _of_all)),
    Planted(
        "a start is not checked",
        "otaUpdate-1",
        "no start without the full check of that pass",
        _renamed(
            create_unit, "START_CHECKS", tuple(c for c in create_unit.START_CHECKS if c is not preflight.may_start)
        ),
    ),
    Planted(
        "a suspension holds nothing",
        "tuya-1",
        HELD_BACK,
        _renamed(membership, "resolved", _going_on),
    ),
    Planted("a call needs no lease", "otaUpdate-1", HELD_BACK, _renamed(LeasedJournal, "hold", lambda _journal: None)),
    Planted(
        "no field differs",
        "fuota-1",
        HELD_BACK,
        _renamed(diff, "changed_fields", lambda _desired, _unit: ()),
        ("run:crash@10",),
    ),
    Planted(
        "a gate takes every failure",
        "tuya-1",
        "no wave passes with a member unjudged or failed beyond its gate",
        _renamed(gate, "judge", lambda *_given, **_named: Judgement(state=GateState.PASSED)),
    ),
    Planted(
        "the ledger takes no entry",
        "otaUpdate-1",
        "every out-of-band change seen is in the ledger",
        _renamed(ledger, "fold", lambda entries, *_given, **_named: (entries, ())),
    ),
    Planted(
        "a stranger is not reported",
        "fuota-1",
        "whatever lives at a service is known or reported as foreign",
        _renamed(environment, "_stranger", lambda *_given: None),
    ),
    Planted(
        "a hold names no way out",
        "tuya-1",
        rest.INVARIANT,
        _renamed(suspend, "hold", lambda _ctx, by: Hold(reason="suspended", message=by.reason)),
    ),
    Planted(
        "a unit never ends",
        "tuya-1",
        rest.INVARIANT,
        _renamed(lifecycle, "with_spared", lambda *_given: None),
    ),
    Planted(
        "a plan shows no call",
        "fuota-1",
        "`plan` = first calls of `reconcile`",
        _renamed(preview, "expected_runs", lambda *_given: {}),
    ),
    Planted(
        "a rule stumbles",
        "tuya-1",
        "no run ends in a defect of the product",
        _renamed(suspend, "end_of", _stumble),
    ),
)


@contextmanager
def planted(fault: Planted) -> Iterator[None]:
    """Plant one fault for as long as the block lasts."""
    with fault.plant():  # type: ignore[attr-defined]
        yield
