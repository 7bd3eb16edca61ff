"""A version that names two images proves neither: its devices are not skipped, and the wave does not pass."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from otactl.model import Attempt, Observation, Reason, Record, Rollout, Stage, TargetFacts, UnitPhase
from otactl.model.actions import CreateUnit
from otactl.planning.assess import Assessment, assess
from otactl.planning.sent_content import SentContents
from tests.support.attempts import NAMES, SHAPES, judged, many
from tests.support.builders import (
    ENVIRONMENT,
    FACTS_IMAGE,
    FACTS_ROLE,
    NOW,
    SHA,
    SHAPE,
    look,
    record_of,
    rollout,
    seen,
    unit_of,
)

OTHER = "ee" * 32
VERSION = rollout().firmware.version


def sent(**changes: Any) -> Attempt:
    """What another rollout sent to a, b and c, who took it."""
    given: dict[str, Any] = {"image_sha256": OTHER, "version": VERSION, "generation": "g", **changes}
    return replace(judged(None, None, None), canceled_by_us=False, withdrawn=False, **given)


def looked(kind: str, before: Attempt, updated: tuple[str, ...] = NAMES) -> Assessment:
    declared, record = many(kind)
    old = replace(many(kind, before)[1], name="before")
    old = old.with_wave(replace(old.waves[0], attempts=(before,)))
    facts = tuple(TargetFacts(key=f"device:{n}", exists=True, vendor_id=n, updated=n in updated) for n in NAMES)
    shown = Observation(targets=facts, devices=NAMES, image=FACTS_IMAGE, role=FACTS_ROLE)
    record = replace(record, waves=())
    sendings = SentContents({"probe": record, "before": old})
    return assess(ENVIRONMENT, declared, record, shown, SHAPES[kind][0], (), NOW, sendings=sendings)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("updated", [NAMES, ("b", "c"), ("b",)])
def test_devices_that_took_other_bytes_under_the_declared_version_hold_the_wave(
    kind: str, updated: tuple[str, ...]
) -> None:
    found = looked(kind, sent(), updated)

    assert (found.plan.actions, [h.reason for h in found.plan.holds]) == ((), ["version_has_other_bytes"])
    assert found.record.waves[0].verdict is None
    some = f"({updated[0]}{', …' if len(updated) > 1 else ''}, from "
    assert some in found.plan.holds[0].message


@pytest.mark.parametrize(
    "before",
    [
        sent(version="2.4.0"),  # another actor updated them since
        sent(version=""),  # an older journal does not tell
        sent(image_sha256=SHA),
        replace(judged(Reason.FLASH, Reason.FLASH, Reason.FLASH), image_sha256=OTHER, version=VERSION),
    ],
    ids=["another version", "no version", "the same bytes", "not taken"],
)
def test_a_report_counts_where_nothing_says_that_the_bytes_are_others(before: Attempt) -> None:
    found = looked("otaUpdate", before)

    verdict = found.record.waves[0].verdict
    assert verdict is not None
    assert verdict.passed


def test_devices_that_do_not_report_the_version_are_sent_the_other_bytes() -> None:
    found = looked("otaUpdate", sent(), updated=())

    assert [a.unit.members for a in found.plan.actions if isinstance(a, CreateUnit)] == [
        tuple(f"device:{n}" for n in NAMES)
    ]


def open_and_updated() -> tuple[Rollout, Record, Observation]:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.OPEN)
    group = TargetFacts(
        key="group:g1",
        exists=True,
        vendor_id="g1",
        region="EU868",
        requested=3,
        ready=3,
        members=NAMES,
        updated_members=("b",),
    )
    return declared, record_of(declared, unit, Stage.OPEN), seen(unit, targets=(group,))


def test_a_unit_that_is_open_is_not_started_while_it_holds_such_a_device() -> None:
    declared, record, shown = open_and_updated()
    old = Record(environment="prod-eu", name="before", backend="fuota")
    old = replace(old, waves=(replace(many("tuya", sent())[1].waves[0], attempts=(sent(),)),))

    held = assess(
        ENVIRONMENT, declared, record, shown, SHAPE, (), NOW, sendings=SentContents({"probe": record, "before": old})
    )
    free = look(declared, record, shown)

    assert [h.reason for h in held.plan.holds] == ["version_has_other_bytes"]
    assert [h.reason for h in free.plan.holds] == []
