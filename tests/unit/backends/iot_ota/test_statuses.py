"""The status tables are total over the SDK's own enums: a new vendor status turns this red instead of a fleet."""

from __future__ import annotations

import botocore.loaders
import pytest

from otactl.backends.iot_ota.statuses import (
    COUNTS,
    EXECUTION_OUTCOMES,
    JOB_FIELDS,
    JOB_PHASES,
    RECORD_PHASES,
    app_version,
    execution_outcome,
    job_phase,
    record_phase,
)
from otactl.model import Outcome, Reason, UnitPhase

MODEL = botocore.loaders.Loader().load_service_model("iot", "service-2")["shapes"]
TABLES = [("OTAUpdateStatus", RECORD_PHASES), ("JobStatus", JOB_PHASES), ("JobExecutionStatus", EXECUTION_OUTCOMES)]


@pytest.mark.parametrize(("shape", "table"), TABLES)
def test_a_status_table_has_the_words_of_the_sdk(shape: str, table: dict[str, object]) -> None:
    known = set(MODEL[shape]["enum"])
    assert known <= set(table)
    # The page of GetOTAUpdate and older models lack some of the record's words; we know those too.
    assert set(table) - known <= {"DELETE_IN_PROGRESS", "DELETE_FAILED", "SCHEDULED"}


def test_every_count_and_config_is_a_member_of_the_sdks_job() -> None:
    assert set(COUNTS) | {"processingTargets"} == set(MODEL["JobProcessDetails"]["members"])
    assert set(JOB_FIELDS.values()) <= set(MODEL["Job"]["members"])
    assert set(JOB_FIELDS.values()) <= set(MODEL["UpdateJobRequest"]["members"])


def test_an_unknown_status_is_unknown_and_never_a_guess() -> None:
    assert record_phase("CREATE_ENCHANTED") is UnitPhase.UNKNOWN
    assert job_phase("LEVITATING") is UnitPhase.UNKNOWN
    assert execution_outcome("TELEPORTED") == (Outcome.UNKNOWN, Reason.UNKNOWN)


def test_a_completed_job_and_a_complete_creation_are_not_success() -> None:
    assert JOB_PHASES["COMPLETED"] is UnitPhase.ENDED
    assert RECORD_PHASES["CREATE_COMPLETE"] is UnitPhase.RUNNING
    assert [s for s, (outcome, _) in EXECUTION_OUTCOMES.items() if outcome is Outcome.SUCCEEDED] == ["SUCCEEDED"]


@pytest.mark.parametrize(
    ("reported", "version"),
    [
        ("0x90001", "0.9.1"),
        ("0x01020003", "1.2.3"),
        ("0xffffffff", "255.255.65535"),
        ("2.4.0", "2.4.0"),
        ("0x", "0x"),
        ("0x123456789", "0x123456789"),
        ("", ""),
    ],
)
def test_the_version_that_did_an_update_is_read_from_number_and_from_text(reported: str, version: str) -> None:
    assert app_version(reported) == version
