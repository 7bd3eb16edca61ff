"""Rules between manifests, and the list of what this version does not act on."""

from __future__ import annotations

import msgspec
import pytest

from otactl import policies
from otactl.model import Abort, Source
from otactl.model.unit_id import UNIT_ID_MAX, unit_id
from tests.support.policy_tables import GOOD, HOME, OTA, TUYA, home, value_of, with_backend

BASE = value_of(GOOD)
OTHER = msgspec.structs.replace(
    value_of(GOOD.replace("3f0c1d52", "g1").replace("77ab2e10", "g2").replace("91cd3f21", "g3")),
    name="other",
    source=Source(file="other.yaml", digest=""),
)


def codes(*manifests: object) -> list[tuple[int, int, str, str]]:
    located = policies.between(manifests)
    return [(each.index, each.first, each.violation.code, each.violation.severity) for each in located]


def test_rollouts_of_different_names_and_targets_do_not_meet() -> None:
    assert codes(HOME, BASE, OTHER) == []


def test_a_name_is_taken_once_per_environment() -> None:
    again = msgspec.structs.replace(OTHER, name=BASE.name)
    assert codes(BASE, again) == [(1, 0, "duplicate_rollout", "error")]
    assert codes(BASE, msgspec.structs.replace(again, environment="test")) == []


def test_the_message_names_the_file_that_took_the_name() -> None:
    (located,) = policies.between([OTHER, msgspec.structs.replace(BASE, name="other")])
    assert "other.yaml" in located.violation.message


def test_an_environment_is_declared_once() -> None:
    assert codes(HOME, home(owner="other")) == [(1, 0, "duplicate_environment", "error")]


RENAMED = msgspec.structs.replace(OTHER, renamed_from="before")


@pytest.mark.parametrize(
    ("manifests", "reported"),
    [
        ((BASE, RENAMED), []),
        ((BASE, msgspec.structs.replace(OTHER, renamed_from=BASE.name)), [(1, 0, "renamed_from_is_declared", "error")]),
        ((msgspec.structs.replace(OTHER, renamed_from="other"),), [(0, 0, "renamed_from_is_declared", "error")]),
        (
            (RENAMED, msgspec.structs.replace(BASE, renamed_from="before")),
            [(1, 0, "renamed_from_is_declared", "error")],
        ),
        ((RENAMED, msgspec.structs.replace(BASE, renamed_from="before", environment="test")), []),
    ],
    ids=["a name no one has", "a declared one", "its own", "two of one", "in another environment"],
)
def test_a_rollout_takes_the_record_of_a_name_that_is_not_declared_alone(
    manifests: tuple[object, ...], reported: list[tuple[int, int, str, str]]
) -> None:
    assert codes(*manifests) == reported


def test_two_rollouts_for_one_group_are_a_warning() -> None:
    same = msgspec.structs.replace(BASE, name="next")
    assert codes(BASE, same) == [(1, 0, "targets_overlap", "warning")]


def test_an_aborted_rollout_claims_nothing() -> None:
    ended = msgspec.structs.replace(BASE, name="ended", abort=Abort(reason="wrong image"))
    assert codes(ended, BASE) == []


def test_what_the_example_declares_is_all_driven() -> None:
    assert policies.not_driven(BASE) == ()


NOT_DRIVEN = {
    "watch": (GOOD + "  drift: {watch: 7d}\n", "/spec/drift/watch", "drift.watch"),
}


@pytest.mark.parametrize(("text", "pointer", "name"), NOT_DRIVEN.values(), ids=NOT_DRIVEN.keys())
def test_what_is_not_driven_is_listed_with_its_place(text: str, pointer: str, name: str) -> None:
    assert policies.not_driven(value_of(text)) == ((pointer, name),)


def test_a_tuya_batch_is_driven_and_may_be_proved_by_a_modules_version() -> None:
    text = with_backend(TUYA, "devices") + "    confirm: {version: {module: default}}\n"
    assert policies.not_driven(value_of(text)) == ()


def test_a_fuota_task_may_be_proved_by_the_reported_version() -> None:
    assert policies.not_driven(value_of(GOOD + "    confirm: {version: {shadow: reported.v}}\n")) == ()


def test_an_ota_update_is_driven_and_may_be_proved_by_the_reported_version() -> None:
    text = with_backend(OTA, "things") + "    confirm: {version: {shadow: reported.v}}\n"
    assert policies.not_driven(value_of(text)) == ()


def test_what_is_driven_or_says_the_default_is_not_listed() -> None:
    strategy = "    onFailure: pause\n    confirm: transfer\n"
    others = "  suspend: {reason: x, owner: ada}\n  cleanup: never\n  drift: {mode: report}\n"
    assert policies.not_driven(value_of(GOOD + strategy + others)) == ()


def test_the_longest_names_the_schema_allows_still_make_a_legal_unit_id() -> None:
    longest = unit_id("o" * 12, "e" * 30, "r" * 30, "0" * 64, "w" * 12, 99)
    assert len(longest) <= UNIT_ID_MAX
