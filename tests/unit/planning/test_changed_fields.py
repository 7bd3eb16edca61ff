"""Which fields of the next unit differ from the last one that was sent."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from otactl.model import Record, Rollout, Stage
from otactl.model.actions import CreateUnit
from otactl.planning.changed_fields import changed_fields
from otactl.planning.expected_state import Step
from otactl.planning.units import declare
from otactl.state.intents import noted
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, empty, record_of, rollout, unit_of


def sent(declared: Rollout, stage: Stage = Stage.DELETED) -> Record:
    unit = unit_of(declared)
    digests = noted(unit.fields)
    return record_of(declared, unit, stage, start_at=NOW, started_by_us=True, field_digests=digests)


def following(declared: Rollout) -> list[Step]:
    unit = declare(declared, ENVIRONMENT, declared.strategy.waves[0], 1, None)
    return [Step(action=CreateUnit(unit=unit, reason="r"), calls=())]


OLD = rollout()
NEWER = replace(OLD, firmware=replace(OLD.firmware, version="2.5.0", image="s3://b/other/x.bin", sha256="cd" * 32))
SLOWER = replace(NEWER, backend=replace(OLD.backend, fragment_interval_ms=12000))


@pytest.mark.parametrize(("declared", "changed"), [(NEWER, ("image",)), (SLOWER, ("fragmentIntervalMs", "image"))])
def test_fields_that_differ_from_the_unit_of_the_revision_before_are_named(
    declared: Rollout, changed: tuple[str, ...]
) -> None:
    assert changed_fields(sent(OLD), declared, following(declared), SHAPE) == changed


def test_nothing_is_compared_where_nothing_of_another_revision_was_sent_or_its_fields_are_not_known() -> None:
    unknown = sent(OLD).with_attempts(lambda _wave, attempt: replace(attempt, field_digests={}))

    assert changed_fields(empty(NEWER), NEWER, following(NEWER), SHAPE) is None
    assert changed_fields(sent(NEWER), NEWER, following(NEWER), SHAPE) == ()
    assert changed_fields(unknown, NEWER, following(NEWER), SHAPE) == ()
    assert changed_fields(sent(OLD), NEWER, [], SHAPE) == ()
