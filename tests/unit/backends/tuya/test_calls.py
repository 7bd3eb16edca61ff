"""The create of a batch: whom it names, and until when it may be sent."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from otactl.backends.tuya.calls import FRESH, desired, lower
from otactl.backends.tuya.config import TuyaConfig
from otactl.model import Firmware, Observation, TargetFacts, Unit, UnitPhase
from otactl.model.actions import Call, CreateUnit, UnitDeclaration
from tests.support.builders import NOW

NAMES = ("device:a", "device:b", "device:c")


def creates(*targets: TargetFacts, start_at: datetime | None = NOW, **given: object) -> tuple[Call, ...]:
    unit = UnitDeclaration(
        unit_id="u-1",
        wave="w",
        attempt=1,
        rollout="r",
        environment="e",
        owner="o",
        generation="g",
        firmware=Firmware(version="2", image="i", sha256="s", size_bytes=1),
        members=NAMES,
        backend=TuyaConfig(document={"productKey": "p"}),
    )
    not_after, units = given.get("not_after"), given.get("units", ())
    action = CreateUnit(unit=unit, reason="", start_at=start_at, not_after=not_after)
    return lower(action, Observation(targets=targets, units=units))


@pytest.mark.parametrize(
    ("start_at", "closes", "until"),
    [
        (NOW, None, NOW + FRESH),
        (NOW, NOW + timedelta(minutes=1), NOW + timedelta(minutes=1)),
        (NOW, NOW + timedelta(hours=1), NOW + FRESH),
        (None, NOW, NOW),
        (None, None, None),
    ],
)
def test_a_create_is_not_sent_when_it_is_old_or_its_window_is_closed(
    start_at: datetime | None, closes: datetime | None, until: datetime | None
) -> None:
    (call,) = creates(start_at=start_at, not_after=closes)

    assert (call.signed_at, call.not_after) == (start_at, until)


@pytest.mark.parametrize(
    "left",
    [{"updated": True}, {"excluded_because": "it reports 1, which srcVersions does not name"}, {"exists": False}],
)
def test_who_would_get_no_task_is_not_named(left: dict[str, object]) -> None:
    (call,) = creates(TargetFacts(key="device:b", **{"exists": True, **left}))

    assert call.parameters["TargetDeviceName"] == ["a", "c"]


def test_what_is_made_later_names_only_those_that_are_still_lacking() -> None:
    shown = Unit(
        unit_id="u-1",
        phase=UnitPhase.RUNNING,
        vendor_id="J1",
        ids_by_call={"other": "J1"},
        missing_targets=("device:c",),
    )

    (call,) = creates(units=(shown,))

    assert call.parameters["TargetDeviceName"] == ["c"]


@pytest.mark.parametrize(
    ("wave", "home", "confirmed"),
    [("canary", "", True), ("top-up", "canary", True), ("top-up", "fleet", False), ("top-up-2", "fleet", True)],
)
def test_a_wave_that_otactl_adds_is_confirmed_as_the_wave_of_its_devices(wave: str, home: str, confirmed: bool) -> None:
    block = {"productKey": "p", "needConfirm": True, "confirmWaves": ["canary", "top-up-2"]}
    unit = UnitDeclaration(
        unit_id="u-1",
        wave=wave,
        home=home,
        attempt=1,
        rollout="r",
        environment="e",
        owner="o",
        generation="g",
        firmware=Firmware(version="2", image="i", sha256="s", size_bytes=1),
        members=NAMES,
        backend=TuyaConfig(document=block),
    )

    assert ("toConfirm" in desired(unit)) is confirmed
