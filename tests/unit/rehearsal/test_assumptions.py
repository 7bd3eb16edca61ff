"""What a rehearsal says it takes for granted."""

from __future__ import annotations

import msgspec
import pytest

from otactl.backends.tuya.config import TuyaConfig
from otactl.model import Device, Rollout, Strategy, Targets, VersionConfirm, VersionProof, Wave
from otactl.rehearsal.assumptions import sentences
from otactl.rehearsal.fleets import FLEETS
from otactl.rehearsal.fleets.base import Assumed
from tests.support.builders import rollout

GROUPS = rollout()
SINGLE = msgspec.structs.replace(
    rollout(),
    targets=Targets(wireless_devices=(Device(dev_eui="70b3d57ed0000001"),)),
    strategy=Strategy(waves=(Wave(name="all", percent=100),)),
)
PLUGS = msgspec.structs.replace(rollout(), backend=TuyaConfig(document={"productKey": "a"}))
PROVED = msgspec.structs.replace(
    GROUPS,
    strategy=msgspec.structs.replace(GROUPS.strategy, confirm=VersionConfirm(version=VersionProof(attribute="fw"))),
)


@pytest.mark.parametrize(
    ("fail", "rollouts", "sentence"),
    [
        (("", 3.0), [PLUGS, GROUPS], "3 % of devices fail, which the loop sees of fuota as integrity, tuya as flash"),
        (("flash", 3.0), [PLUGS], "3 % of devices fail with flash"),
        (("flash", 3.0), [PLUGS, GROUPS], "3 % of devices fail with flash; only those of tuya can"),
        (("version", 3.0), [PROVED], "3 % of devices fail with version, where a version is the proof"),
    ],
)
def test_it_is_reported_whose_devices_fail_and_as_what(
    fail: tuple[str, float], rollouts: list[Rollout], sentence: str
) -> None:
    assert sentence in sentences(Assumed(fail=(fail,)), rollouts)


def test_what_the_service_chooses_for_single_devices_is_reported_and_for_groups_is_not() -> None:
    shown = sentences(Assumed(), [SINGLE])

    assert [s for s in shown if "48 bytes at data rate 0 every 28 s, one device after another" in s]
    assert not [s for s in sentences(Assumed(), [GROUPS]) if "single devices" in s]


@pytest.mark.parametrize(("declared", "able"), [(PROVED, True), (GROUPS, False), (PLUGS, False)])
def test_another_version_is_seen_only_where_a_version_is_the_proof(declared: Rollout, able: object) -> None:
    assert FLEETS[declared.backend_kind].can_report(declared, "version") is able
