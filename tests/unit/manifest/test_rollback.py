"""Who took a content, who may have, and the manifest that takes them back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.tuya.config import TuyaConfig
from otactl.manifest.rollback import UpdatedDevice, UpdatedDevices, back, name_for, takers, waves
from otactl.model import (
    Attempt,
    DeviceResult,
    Intent,
    Outcome,
    Reason,
    Record,
    RecordedCall,
    Rollout,
    Stage,
    WaveRecord,
)
from tests.support.builders import rollout

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NEW, OLD = "new", "old"
OK, FAILED, WAITING, UNKNOWN = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING, Outcome.UNKNOWN


def result(device: str, outcome: Outcome = OK, reason: Reason | None = None, **more: Any) -> DeviceResult:
    return DeviceResult(device=device, outcome=outcome, reason=reason, **more)


def attempt(*results: DeviceResult, number: int = 1, generation: str = NEW, **more: Any) -> Attempt:
    given: dict[str, Any] = {"stage": Stage.DELETED, "start_at": NOW, "vendor_id": "1"} | more
    return Attempt(number=number, generation=generation, unit_id=f"u{number}", results=results, **given)


def record(*attempts: Attempt, intents: tuple[Intent, ...] = ()) -> Record:
    return Record(
        backend="fuota",
        environment="prod-eu",
        name="probe",
        intents=intents,
        waves=(WaveRecord(name="canary", attempts=attempts),),
    )


def sorted_out(known: Record) -> tuple[list[str], list[str], list[str]]:
    found = takers(known, NEW)
    return [t.key for t in found.took], [t.key for t in found.unsure], list(found.unknown)


RUNNING: dict[str, Any] = {"stage": Stage.RUNNING}
START = Intent(
    action="createUnit",
    unit_id="u1",
    key="k",
    at=NOW,
    start_at=NOW,
    call=RecordedCall(service="iot", operation="CreateOTAUpdate", parameters={}),
)

WHO: dict[str, tuple[Record, list[str], list[str], list[str]]] = {
    "a device that succeeded took it": (record(attempt(result("a"))), ["device:a"], [], []),
    "a device that failed did not": (
        record(attempt(result("a"), result("b", FAILED, Reason.INTEGRITY))),
        ["device:a"],
        [],
        [],
    ),
    "one that was silent until the timeout may have": (
        record(attempt(result("a", FAILED, Reason.TIMEOUT))),
        [],
        ["device:a"],
        [],
    ),
    "one that reports a version no one expected may have": (
        record(attempt(result("a", FAILED, Reason.VERSION))),
        [],
        ["device:a"],
        [],
    ),
    "one that waits may have": (record(attempt(result("a", WAITING))), [], ["device:a"], []),
    "one with a result no one knows may have": (record(attempt(result("a", UNKNOWN))), [], ["device:a"], []),
    "devices that were sent it and have no result may have": (
        record(attempt(devices=("a", "b"), members=("group:g",), **RUNNING)),
        [],
        ["device:a", "device:b"],
        [],
    ),
    "members that were sent it and have no result may have": (
        record(attempt(members=("device:a", "devEui:0a"), **RUNNING)),
        [],
        ["device:a", "devEui:0a"],
        [],
    ),
    "a group whose devices no one wrote down is reported": (
        record(attempt(members=("group:g",), **RUNNING)),
        [],
        [],
        ["group:g"],
    ),
    "a group through which answers came is not": (
        record(attempt(result("a", via="group:g"), members=("group:g",))),
        ["device:a"],
        [],
        [],
    ),
    "a device asked for by DevEUI answers by its id": (
        record(attempt(result("a", name="0A"), members=("devEui:0a",))),
        ["device:a"],
        [],
        [],
    ),
    "what was only made reached no one": (
        record(attempt(members=("device:a",), stage=Stage.OPEN, start_at=None)),
        [],
        [],
        [],
    ),
    "what could not be made reached no one": (
        record(attempt(members=("device:a",), stage=Stage.FAILED, failure="no")),
        [],
        [],
        [],
    ),
    "what may have been made without an answer may have reached some": (
        record(attempt(targets=("device:a",), stage=Stage.DECLARED, start_at=None), intents=(START,)),
        [],
        ["device:a"],
        [],
    ),
    "a success counts, whatever a later attempt says": (
        record(attempt(result("a")), attempt(result("a", FAILED, Reason.SESSION_REPLAY), number=2)),
        ["device:a"],
        [],
        [],
    ),
    "a success in a later attempt ends the doubt": (
        record(attempt(result("a", FAILED, Reason.TIMEOUT)), attempt(result("a"), number=2)),
        ["device:a"],
        [],
        [],
    ),
    "another content counts for nothing": (record(attempt(result("a"), generation=OLD)), [], [], []),
    "what was put over by another content counts no more": (
        record(attempt(result("a")), attempt(result("a"), number=1, generation=OLD)),
        [],
        [],
        [],
    ),
}


@pytest.mark.parametrize(("known", "took", "unsure", "unknown"), WHO.values(), ids=WHO.keys())
def test_who_took_it(known: Record, took: list[str], unsure: list[str], unknown: list[str]) -> None:
    assert sorted_out(known) == (took, unsure, unknown)


def some(number: int, start: str = "d") -> tuple[UpdatedDevice, ...]:
    return tuple(UpdatedDevice(key=f"device:{start}{n}") for n in range(number))


def test_one_device_goes_first_and_the_unsure_ones_last() -> None:
    divided = waves(UpdatedDevices(took=some(3), unsure=some(2, "u")), "tuya")

    assert [(w["name"], w["targets"]) for w in divided] == [
        ("canary", {"devices": ["d0"]}),
        ("rest", {"devices": ["d1", "d2"]}),
        ("unsure", {"devices": ["u0", "u1"]}),
    ]


@given(st.integers(0, 260), st.integers(0, 130), st.sampled_from(["fuota", "otaUpdate", "tuya"]))
def test_every_device_is_in_one_wave_that_its_service_takes(took: int, unsure: int, kind: str) -> None:
    if took + unsure == 0:
        return
    found = UpdatedDevices(took=some(took), unsure=some(unsure, "u"))

    divided: Any = waves(found, kind)

    listed = [d for w in divided for each in w["targets"].values() for d in each]
    assert listed == [t.id for t in (*found.took, *found.unsure)]
    assert len(next(iter(divided[0]["targets"].values()))) == 1
    names = [str(w["name"]) for w in divided]
    assert len(names) == len(set(names))
    assert max(len(n) for n in names) <= 12
    if kind == "otaUpdate":
        assert all(len(w["targets"]["things"]) <= 100 for w in divided)


@given(st.from_regex(r"\A[a-z]([-a-z0-9]{0,28}[a-z0-9])?\Z"), st.integers(0, 12))
def test_a_name_is_lawful_and_no_one_elses(name: str, taken: int) -> None:
    names: set[str] = set()
    for _ in range(taken + 1):
        made = name_for(name, frozenset(names))
        assert made not in names
        assert re.fullmatch("[a-z]([-a-z0-9]{0,28}[a-z0-9])?", made)
        names.add(made)


WRITTEN: dict[str, object] = {
    "apiVersion": "otactl.dev/v1",
    "metadata": {"name": "plug", "labels": {"product": "plug"}},
    "spec": {
        "environment": "prod-eu",
        "firmware": {},
        "windows": ["w"],
        "approvals": [],
        "abort": {"reason": "x"},
        "suspend": {"reason": "x", "owner": "ada"},
        "drift": {"mode": "report", "ignore": []},
        "targets": {},
    },
}


def older(kind: str, block: dict[str, object], *waves: str) -> dict[str, object]:
    strategy = {"waves": [{"name": w} for w in waves or ("all",)], "gate": {"soak": "1h"}, "confirm": "transfer"}
    return {"spec": {"firmware": {"version": "2.4.0"}, kind: block, "strategy": strategy, "targets": {}}}


def made(new: Rollout, before: dict[str, object], number: int = 2) -> dict[str, Any]:
    return back("plug-rb", new, WRITTEN, before, UpdatedDevices(took=some(number)))


TUYA = rollout(backend=TuyaConfig(document={"productKey": "p"}))


def test_only_what_is_sent_and_how_it_is_judged_comes_from_the_older_manifest() -> None:
    document = made(TUYA, older("tuya", {"productKey": "p"}))

    assert document["metadata"] == {"name": "plug-rb", "labels": {"product": "plug"}}
    assert document["spec"] == {
        "environment": "prod-eu",
        "firmware": {"version": "2.4.0"},
        "tuya": {"productKey": "p"},
        "strategy": {
            "waves": waves(UpdatedDevices(took=some(2)), "tuya"),
            "gate": {"soak": "1h"},
            "confirm": "transfer",
            "allowDowngrade": True,
        },
        "windows": ["w"],
        "drift": {"mode": "report"},
    }


def test_a_tuya_batch_goes_back_from_the_version_it_brought_to_the_devices_it_names() -> None:
    block = {"srcVersions": ["2.3.9"], "targetSelection": "GRAY", "grayPercent": 10, "groupId": "g", "retryCount": 1}

    assert made(TUYA, older("tuya", block))["spec"]["tuya"] == {"srcVersions": ["2.4.1"], "retryCount": 1}


@pytest.mark.parametrize(
    ("confirmed", "kept"), [(["canary", "fleet"], ["canary", "rest"]), (["canary"], None), (None, None)]
)
def test_otactl_confirms_tasks_only_if_it_confirmed_all_before(
    confirmed: list[str] | None, kept: list[str] | None
) -> None:
    block: dict[str, object] = {"needConfirm": True} | ({"confirmWaves": confirmed} if confirmed else {})

    assert made(TUYA, older("tuya", block, "canary", "fleet"))["spec"]["tuya"].get("confirmWaves") == kept


def test_an_ota_update_goes_back_as_a_snapshot() -> None:
    new = rollout(backend=OtaUpdateConfig(document={"role": "r", "files": []}))

    assert made(new, older("otaUpdate", {"role": "r", "targetSelection": "CONTINUOUS"}))["spec"]["otaUpdate"] == {
        "role": "r"
    }


def test_a_fuota_task_for_single_devices_leaves_size_interval_and_rate_to_the_service() -> None:
    block: dict[str, object] = {
        "rfRegion": "EU868",
        "fragmentSizeBytes": 1,
        "fragmentIntervalMs": 2,
        "dataRate": 3,
        "descriptor": "AAECAw==",
    }

    assert made(rollout(), older("fuota", block))["spec"]["fuota"] == {"rfRegion": "EU868", "descriptor": "AAECAw=="}
