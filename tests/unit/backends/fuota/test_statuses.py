"""The status tables are total over the SDK's own enums: a new vendor status turns this red instead of a fleet."""

from __future__ import annotations

import botocore.loaders
import pytest

from otactl.backends.fuota.statuses import DEVICE_OUTCOMES, FIELD_MEMBERS, TASK_PHASES, device_outcome, task_phase
from otactl.model import Outcome, Reason, UnitPhase

MODEL = botocore.loaders.Loader().load_service_model("iotwireless", "service-2")["shapes"]


@pytest.mark.parametrize(("shape", "table"), [("FuotaTaskStatus", TASK_PHASES), ("FuotaDeviceStatus", DEVICE_OUTCOMES)])
def test_a_status_table_has_exactly_the_words_of_the_sdk(shape: str, table: dict[str, object]) -> None:
    assert set(table) == set(MODEL[shape]["enum"])


def test_every_comparable_field_is_a_member_of_create_get_and_update() -> None:
    for shape in ("CreateFuotaTaskRequest", "GetFuotaTaskResponse", "UpdateFuotaTaskRequest"):
        assert set(FIELD_MEMBERS.values()) <= set(MODEL[shape]["members"])


def test_an_unknown_status_is_unknown_and_never_a_guess() -> None:
    assert task_phase("FuotaTeleporting") is UnitPhase.UNKNOWN
    assert device_outcome("Levitating", ended=True) == (Outcome.UNKNOWN, Reason.UNKNOWN)


@pytest.mark.parametrize("status", [None, "Initial"])
def test_a_device_that_never_answered_is_a_timeout_once_the_task_is_done(status: str | None) -> None:
    assert device_outcome(status, ended=True) == (Outcome.FAILED, Reason.TIMEOUT)
    assert device_outcome(status, ended=False) == (Outcome.WAITING, None)


def test_only_successful_is_success() -> None:
    assert {s for s, (o, _) in DEVICE_OUTCOMES.items() if o is Outcome.SUCCEEDED} == {"Successful"}
