"""A loss is accepted by what a person writes about it: not by words that were there before, nor by other edits."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import DriftPolicy, Ignore, Observation, Rollout, Stage, TargetFacts
from otactl.planning.assess import Assessment, assess
from tests.support.attempts import NAMES, SHAPES, made, many
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, FACTS_ROLE, NOW
from tests.support.plans import actions, holds

replace = msgspec.structs.replace
OLD = Ignore(field="unit", reason="deleted in the drill of May")
NEW = Ignore(field="unit", reason="deleted by mistake")
ENDS = replace(OLD, until=NOW + timedelta(minutes=30))
LATER_END = replace(OLD, until=NOW + timedelta(days=1))
SEEN = Observation(
    targets=tuple(TargetFacts(key=f"device:{n}", exists=True, vendor_id=n) for n in NAMES),
    image=FACTS_IMAGE,
    role=FACTS_ROLE,
)


def after(*edits: tuple[Ignore, ...]) -> list[Assessment]:
    """The assessments of a rollout whose unit was deleted, one a quarter of an hour: each has other text, and accepts
    so much."""
    declared, record = many("otaUpdate", made(stage=Stage.LOST, lost_at=NOW))
    found: list[Assessment] = []
    for number, ignored in enumerate(edits):
        source = replace(declared.source, digest=f"{number:064d}")
        edited: Rollout = replace(declared, drift=DriftPolicy(ignore=ignored), source=source)
        at = NOW + timedelta(minutes=15 * number)
        known = found[-1].record if found else record
        found.append(assess(ENVIRONMENT, edited, known, SEEN, SHAPES["otaUpdate"][0], (), at))
    return found


@pytest.mark.parametrize(
    ("edits", "accepted"),
    [
        ([(), (NEW,)], True),
        ([(OLD,), (OLD,)], False),
        ([(OLD,), (OLD,), (OLD,)], False),
        ([(OLD,), (NEW,)], True),
        ([(OLD,), (NEW,), (NEW,)], True),
        ([(OLD,), (), (OLD,)], True),
        ([(ENDS,), (ENDS,), (ENDS,)], False),
        ([(ENDS,), (ENDS,), (ENDS,), (LATER_END,)], True),
    ],
    ids=[
        "written since",
        "another edit",
        "two other edits",
        "another reason",
        "another reason, then another edit",
        "removed and written again",
        "its time is over",
        "given a later end",
    ],
)
def test_a_loss_is_accepted_by_what_was_written_since(edits: list[tuple[Ignore, ...]], accepted: bool) -> None:
    *before, last = after(*edits)

    assert [actions(each) for each in before[:1]] == [[]]
    assert (actions(last), holds(last)) == ((["createUnit"], []) if accepted else ([], ["unit_was_deleted"]))


def test_the_hold_says_that_words_of_before_the_loss_do_not_accept_it() -> None:
    (first,), (_, again) = after(()), after((OLD,), (OLD,))

    assert "accept the loss (spec.drift.ignore with field unit and a reason)" in first.plan.holds[0].message
    assert "give field unit in spec.drift.ignore another reason" in again.plan.holds[0].message
