"""`strategy.resend` sends once more what was sent before it was set; left in a manifest, it sends nothing later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from unittest.mock import patch

import msgspec
import pytest

from otactl.model import (
    Firmware,
    Gate,
    Reason,
    ResendPermission,
    Rollout,
    Strategy,
    Targets,
    Wave,
)
from otactl.model.actions import CreateUnit
from otactl.planning.assess import finished
from otactl.state.resend_permission import granted, is_to_note, noted
from tests.support import in_memory_cloud
from tests.support.attempts import BEFORE, decided, judged, many
from tests.support.builders import FACTS_IMAGE, NOW, empty, rollout
from tests.support.in_memory_cloud import Cloud, Memory, run

replace = msgspec.structs.replace
NEWER = Firmware(version="2.5.0", image="s3://b/new/x.bin", sha256="cd" * 32, size_bytes=6000)
LATER = NOW + timedelta(hours=1)
SET, SPENT = ResendPermission(sha256="ab" * 32, at=NOW), ResendPermission(sha256="", at=NOW)


def probe(name: str = "probe", wave: str = "all", **changes: object) -> Rollout:
    """A rollout of one wave to group g1."""
    waves = (Wave(name=wave, targets=Targets(multicast_groups=("g1",))),)
    return rollout(name=name, strategy=Strategy(waves=waves, gate=Gate(min_success_percent=90)), **changes)


def days(cloud: Cloud, journal: Memory, *rollouts: Rollout) -> int:
    """The number of sessions that were ever started, once nothing more happens."""
    image = replace(FACTS_IMAGE, sha256=rollouts[0].firmware.sha256)
    with patch.object(in_memory_cloud, "FACTS_IMAGE", image):
        for _ in range(8):
            run(cloud, journal, *rollouts, covers=True)
            cloud.advance(timedelta(minutes=40))
    return cloud.sent.count("StartFuotaTask")


def sessions(*steps: Sequence[Rollout]) -> list[int]:
    """The number of sessions after each step, of two rollouts of which the second has sent again what the first sent"""
    cloud, journal = Cloud(NOW), Memory()
    before = [days(cloud, journal, probe()), days(cloud, journal, probe(), probe("soil", resend=True))]
    assert before == [1, 2]
    return [days(cloud, journal, *rollouts) for rollouts in steps]


def test_a_field_that_was_left_does_not_send_a_later_image_that_another_rollout_sent() -> None:
    newer, left = probe(firmware=NEWER), probe("soil", firmware=NEWER, resend=True)
    asked_again = [(newer, probe("soil", firmware=NEWER)), (newer, left)]

    assert sessions((newer,), (newer, left), *asked_again) == [3, 3, 3, 4]


def test_a_field_that_was_left_does_not_send_to_a_wave_that_gets_another_name() -> None:
    left = [probe(), probe("soil", wave="every", resend=True)]

    assert sessions(left, [probe(), probe("soil", wave="every")], left) == [2, 2, 3]


def test_a_field_that_was_left_does_not_follow_a_rollout_to_its_new_name() -> None:
    moved = probe("clay", wave="every", resend=True, renamed_from="soil")

    assert sessions((probe(), moved)) == [2]


def test_a_field_that_is_set_before_another_rollout_sends_the_image_is_for_that_too() -> None:
    assert days(Cloud(NOW), Memory(), probe(), probe("soil", resend=True)) == 2


def test_a_hold_says_how_to_ask_again() -> None:
    cloud, journal = Cloud(NOW), Memory()
    days(cloud, journal, probe())
    days(cloud, journal, probe(), probe("soil", resend=True))

    report = run(cloud, journal, probe(), probe("soil", wave="every", resend=True), covers=True)

    (hold,) = report.rollouts[1].holds
    assert hold.reason == "targets_were_sent_already"
    assert "remove strategy.resend and let a run see that, then set it again" in hold.message


@pytest.mark.parametrize(
    ("permission", "members"),
    [
        (None, ("device:a", "device:b", "device:c")),
        (SET, ("device:a", "device:b", "device:c")),
        (ResendPermission(sha256="ab" * 32, at=BEFORE), ("device:a", "device:b")),
        (SPENT, ("device:a", "device:b")),
    ],
    ids=["set now", "set before a run of it", "used", "set for another image"],
)
def test_an_image_declared_again_goes_to_devices_that_have_it_only_if_that_was_asked_since(
    permission: ResendPermission | None, members: tuple[str, ...]
) -> None:
    """Device c has it: the other image did not reach it."""
    declared, record = many("otaUpdate", judged(None, None, None), resend=True)
    other = replace(judged(None, None, Reason.CANCELED, number=2), generation="other", unit_id="o", vendor_id="w")
    wave = replace(record.waves[0], attempts=(*record.waves[0].attempts, other))
    known = replace(record.with_wave(wave), resend=permission)

    (action,) = decided("otaUpdate", declared, known).plan.actions

    assert isinstance(action, CreateUnit)
    assert action.unit.members == members


@pytest.mark.parametrize(
    ("known", "declared", "expected"),
    [
        (None, probe(), None),
        (None, probe(resend=True), ResendPermission(sha256="ab" * 32, at=LATER)),
        (SET, probe(resend=True), SET),
        (SET, probe(), None),
        (
            SET,
            probe(firmware=NEWER, resend=True),
            SPENT,
        ),
        (SPENT, probe(resend=True), SPENT),
        (SPENT, probe(), None),
    ],
    ids=["not set", "set", "left", "removed", "another image", "the first image again", "removed after that"],
)
def test_what_the_field_allows_is_of_the_image_and_the_run_that_first_saw_it(
    known: ResendPermission | None, declared: Rollout, expected: ResendPermission | None
) -> None:
    record = noted(replace(empty(declared), resend=known), declared, LATER)

    assert record.resend == expected
    allowed = expected is not None and expected.sha256 == declared.firmware.sha256
    assert granted(declared, record).resend_since == (expected.at if allowed and expected is not None else None)


def test_a_rollout_that_is_done_is_looked_at_when_the_field_is_set_or_removed_and_then_no_more() -> None:
    cloud, journal = Cloud(NOW), Memory()
    days(cloud, journal, probe())
    for declared in (probe(resend=True), probe()):
        assert not finished(declared, journal.load("prod-eu", "probe").record)
        run(cloud, journal, declared)
        assert finished(declared, journal.load("prod-eu", "probe").record)
        before = journal.commits
        run(cloud, journal, declared)
        assert journal.commits == before


@pytest.mark.parametrize(
    ("known", "resend", "noted_again"),
    [
        (None, False, False),
        (None, True, True),
        (SET, True, False),
        (SET, False, True),
        (SPENT, True, False),
        (ResendPermission(sha256="ef" * 32, at=NOW), True, True),
    ],
    ids=["neither", "set now", "known", "removed", "for an image before", "another image"],
)
def test_a_permission_is_noted_when_it_comes_goes_or_is_spent(
    known: ResendPermission | None, resend: bool, noted_again: bool
) -> None:
    declared = probe(resend=resend)

    assert is_to_note(replace(empty(declared), resend=known), declared) is noted_again
