"""The calls that both AWS backends build alike: tags, spelled as each service spells its parameters."""

from __future__ import annotations

import msgspec
import pytest

from otactl.backends.aws.calls import calls_of, mark_calls
from otactl.model.actions import MarkUnit
from otactl.planning.units import declare
from tests.support.builders import ENVIRONMENT, rollout

MARK = MarkUnit(
    unit=declare(rollout(), ENVIRONMENT, rollout().strategy.waves[0], 1, None), arn="arn:t-1", reason="tags differ"
)


@pytest.mark.parametrize(
    ("service", "capital", "names"),
    [
        ("iotwireless", True, ("ResourceArn", "Tags", "TagKeys")),
        ("iot", False, ("resourceArn", "tags", "tagKeys")),
    ],
)
def test_tags_are_set_and_strange_ones_removed_in_the_spelling_of_the_service(
    service: str, capital: bool, names: tuple[str, str, str]
) -> None:
    action = msgspec.structs.replace(MARK, remove=("otactl:old",))

    setting, removing = mark_calls(action, {"team": "a"}, calls_of(service), capital=capital)

    arn, tags, keys = names
    assert setting.parameters == {arn: "arn:t-1", tags: [{"Key": "team", "Value": "a"}]}
    assert removing.parameters == {arn: "arn:t-1", keys: ["otactl:old"]}
    assert (setting.operation, removing.operation) == ("TagResource", "UntagResource")
    assert removing.permission == f"{service}:UntagResource"
    assert len({setting.key, removing.key}) == 2


def test_without_strange_tags_nothing_is_removed() -> None:
    assert [c.operation for c in mark_calls(MARK, {}, calls_of("iot"), capital=False)] == ["TagResource"]
