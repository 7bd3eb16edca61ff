"""Which fleet a manifest is rehearsed with, and what is put in for what a rehearsal has not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.tuya.config import TuyaConfig
from otactl.cli.rehearse_options import assumed_of, moment
from otactl.errors import UsageError
from otactl.model import (
    Device,
    Observation,
    Record,
    Requires,
    Rollout,
    Strategy,
    Suspend,
    TargetFacts,
    Targets,
    VersionConfirm,
    VersionProof,
    Wave,
)
from otactl.planning import wave_holds
from otactl.planning.context import PlanContext
from otactl.rehearsal.fleet_document import check, fleet_of, portions
from otactl.rehearsal.fleets.base import Assumed
from otactl.rehearsal.substitutions import ACCOUNT, Cast, at_home
from tests.support.builders import ENVIRONMENT, NOW, of_wave, rollout


def built(declared: Rollout, assumed: Assumed, seed: int = 1) -> dict[str, Any]:
    return dict(fleet_of([declared], assumed, seed, "123456789012", "eu-west-1"))


def singles(count: int, **labels: str) -> Rollout:
    devices = tuple(Device(dev_eui=f"70b3d57ed{n:07x}", labels=labels if n % 2 else {}) for n in range(count))
    return msgspec.structs.replace(rollout(), targets=Targets(wireless_devices=devices), strategy=by_percent())


def by_percent() -> Strategy:
    return Strategy(waves=(Wave(name="half", percent=50), Wave(name="all", percent=100)))


def test_a_group_has_as_many_devices_as_is_assumed() -> None:
    group = "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01"
    wave = Wave(name="all", targets=Targets(multicast_groups=(group,)))
    declared = msgspec.structs.replace(rollout(), strategy=Strategy(waves=(wave,)))

    found = built(declared, Assumed(devices_per_group=7))

    assert [g["id"] for g in found["groups"]] == [group]
    assert len(found["devices"]) == 7
    assert found["groups"][0]["devices"] == [d["id"] for d in found["devices"]]


def test_a_fleet_is_loaded_in_parts_whose_long_lists_are_short_and_come_before_what_names_them() -> None:
    group = "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01"
    wave = Wave(name="all", targets=Targets(multicast_groups=(group,)))
    whole = built(msgspec.structs.replace(rollout(), strategy=Strategy(waves=(wave,))), Assumed(devices_per_group=7))

    *first, last = portions(whole, size=3)

    assert [len(part["devices"]) for part in first] == [3, 3, 1]
    assert [device for part in first for device in part["devices"]] == whole["devices"]
    assert {(part["account"], part["region"]) for part in (*first, last)} == {(whole["account"], whole["region"])}
    assert last == {name: value for name, value in whole.items() if name not in ("devices", "things")}


def test_a_label_says_otherwise_about_the_loss_of_its_devices() -> None:
    found = built(singles(4, site="yard"), assumed_of(10, ("0.1", "site=yard:0.3"), 0.0, ()))

    assert [d["loss"] for d in found["devices"]] == [0.1, 0.3, 0.1, 0.3]


@pytest.mark.parametrize(
    ("labels", "reported"), [({"site": "yard"}, "site=yrad; there are: site=yard"), ({}, "site=yrad; none of them has")]
)
def test_a_loss_for_a_label_that_no_device_has_is_refused_by_name(labels: dict[str, str], reported: str) -> None:
    with pytest.raises(UsageError, match=reported):
        check(assumed_of(10, ("site=yrad:0.3",), 0.0, ()), [singles(2, **labels)])


def test_a_loss_for_a_label_that_a_device_has_is_taken() -> None:
    check(assumed_of(10, ("site=yard:0.3",), 0.0, ()), [singles(1), singles(2, site="yard")])


def test_the_same_seed_is_the_same_fleet_and_another_one_is_not() -> None:
    assumed = assumed_of(10, (), 20.0, ("noMemory=20",))

    fleets = [built(singles(200), assumed, seed) for seed in (1, 1, 2)]

    assert fleets[0] == fleets[1]
    assert fleets[0] != fleets[2]
    ways = {d["behaviour"] for d in fleets[0]["devices"]}
    assert ways == {"", "silent", "notEnoughMemory"}


def test_a_reason_no_device_of_the_rollouts_can_have_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="flash"):
        check(assumed_of(10, (), 0.0, ("flash=5",)), [singles(1)])
    plugs = msgspec.structs.replace(rollout(), backend=TuyaConfig(document={"productKey": "a"}))
    check(assumed_of(10, (), 0.0, ("flash=5", "3")), [singles(1), plugs])


def test_a_tuya_package_stands_in_with_the_declared_digest() -> None:
    spec = TuyaConfig(document={"productKey": "a1b2c3d4e5", "moduleName": "ble", "srcVersions": ["2.3.9"]})
    wave = Wave(name="all", targets=Targets(devices=(Device(id="plug-1"),)))
    declared = msgspec.structs.replace(rollout(), backend=spec, strategy=Strategy(waves=(wave,)))

    found = built(declared, Assumed())["tuya"]

    assert found["firmwares"][0]["sign"] == declared.firmware.sha256
    assert found["firmwares"][0]["size"] == declared.firmware.size_bytes
    assert found["devices"][0]["versions"] == {"ble": "2.3.9"}
    assert found["products"] == [{"productKey": "a1b2c3d4e5", "modules": ["ble"]}]


def looked_at(declared: Rollout) -> PlanContext:
    """A rollout whose group has one device."""
    group = TargetFacts(key="group:g", exists=True, requested=1, ready=1, members=("id-1",))
    record = Record(environment=declared.environment, name=declared.name)
    return PlanContext(
        rollout=declared, environment=ENVIRONMENT, record=record, seen=Observation(targets=(group,)), now=NOW
    )


def test_an_approval_that_is_required_is_given_and_reported() -> None:
    wave = Wave(name="all", targets=Targets(multicast_groups=("g",)), requires=Requires(approval="owners"))
    declared = msgspec.structs.replace(rollout(), strategy=Strategy(waves=(wave,)))
    cast = Cast([ENVIRONMENT], [declared], NOW)
    rehearsed = cast.rollouts[0]

    assert wave_holds.unapproved(of_wave(looked_at(declared)))
    assert wave_holds.unapproved(of_wave(looked_at(rehearsed))) == ()
    assert any("the approval of wave all by owners" in reported for reported in cast.assumed)


def test_a_suspension_is_lifted_and_reported() -> None:
    declared = msgspec.structs.replace(rollout(), suspend=Suspend(reason="holidays", owner="ada"))
    cast = Cast([ENVIRONMENT], [declared], NOW)

    assert cast.rollouts[0].suspend is None
    assert any("holidays" in reported for reported in cast.assumed)


def test_stack_outputs_that_are_missing_get_names_of_the_rehearsal() -> None:
    base = rollout()
    assert isinstance(base.backend, FuotaConfig)
    spec = msgspec.structs.replace(base.backend, role="${stack:firmwareUpdateRoleArn}")
    firmware = msgspec.structs.replace(base.firmware, image="s3://${stack:imageBucket}/probe.bin")
    cast = Cast([ENVIRONMENT], [msgspec.structs.replace(base, backend=spec, firmware=firmware)], NOW)
    found = cast.rollouts[0]

    assert found.backend.role == f"arn:aws:iam::{ACCOUNT}:role/rehearsal-firmwareupdaterolearn"
    assert found.firmware.image == "s3://rehearsal-imagebucket/probe.bin"
    assert found.generation == base.generation
    assert len(cast.assumed) == 2


def test_an_environment_that_is_missing_gets_a_stand_in() -> None:
    cast = Cast([], [rollout()], NOW)

    assert [e.name for e in cast.environments] == [rollout().environment]
    assert "was not found" in cast.assumed[0]


def test_a_proof_by_another_attribute_is_read_where_simulated_devices_report() -> None:
    confirm = VersionConfirm(version=VersionProof(attribute="fw"))
    declared = msgspec.structs.replace(rollout(), strategy=msgspec.structs.replace(rollout().strategy, confirm=confirm))
    cast = Cast([ENVIRONMENT], [declared], NOW)

    assert cast.rollouts[0].strategy.confirm.version.attribute == "firmwareVersion"
    assert any("fw" in reported for reported in cast.assumed)


def test_an_environment_at_home_keeps_its_account_and_nothing_that_leads_out() -> None:
    declared = msgspec.structs.replace(ENVIRONMENT, assumed_role="arn:aws:iam::1:role/x", endpoints={"s3": "https://x"})
    found = at_home(declared, "http://127.0.0.1:1", ("s3", "iot"))

    assert found.account == declared.account
    assert found.assumed_role is None
    assert set(found.endpoints.values()) == {"http://127.0.0.1:1"}
    assert found.access["tuya"].endpoint == "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("loss", "fail", "silent", "reported"),
    [
        (("1",), (), 0.0, "below 1"),
        (("-0.1",), (), 0.0, "at least 0"),
        (("nan",), (), 0.0, "no number"),
        (("site:0.1",), (), 0.0, "LABEL=VALUE"),
        ((), ("101",), 0.0, "percentage"),
        ((), ("=5",), 0.0, "percentage"),
        ((), ("noMemory=x",), 0.0, "no number"),
        ((), ("60",), 50.0, "110 %"),
        ((), (), float("nan"), "no number"),
        (("inf",), (), 0.0, "below 1"),
        ((), ("nan",), 0.0, "no number"),
        ((), ("inf",), 0.0, "percentage"),
    ],
)
def test_a_flag_that_cannot_be_is_reported_in_one_sentence(
    loss: tuple[str, ...], fail: tuple[str, ...], silent: float, reported: str
) -> None:
    with pytest.raises(UsageError, match=reported):
        assumed_of(10, loss, silent, fail)


@pytest.mark.parametrize("text", ["soon", "2026-11-21T22:00:00", "1999-01-01T00:00:00Z", "9999-12-31T23:59:59-05:00"])
def test_a_begin_that_cannot_be_is_reported(text: str) -> None:
    with pytest.raises(UsageError, match="--at"):
        moment(text)


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-21T22", "20261121T2200", "2026-11-21 22:00:00.5"])
def test_what_is_advised_for_a_begin_without_a_zone_is_accepted(text: str) -> None:
    with pytest.raises(UsageError, match="has no zone") as refused:
        moment(text)
    advised = str(refused.value).partition("write it like ")[2].partition(",")[0]

    assert moment(advised).replace(tzinfo=None) == datetime.fromisoformat(text).replace(microsecond=0)
