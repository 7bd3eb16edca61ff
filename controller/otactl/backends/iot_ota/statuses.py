"""Maps statuses of AWS IoT OTA updates and Jobs to our phases and outcomes; no other module has their strings.

1. The tables are total over the SDK's own enums (a test compares them): a new status turns the build red, and at run
   time it is `UNKNOWN`, never a guess.
2. The record's status covers creation and deletion only; whether devices are being updated only its Job says.
3. Job COMPLETED is not success: it is reached when every execution has ended, failed ones too.
"""

from __future__ import annotations

import re

from otactl.model import Outcome, Reason, UnitPhase

RECORD_PHASES: dict[str, UnitPhase] = {
    "CREATE_PENDING": UnitPhase.SCHEDULED,
    "CREATE_IN_PROGRESS": UnitPhase.SCHEDULED,
    "CREATE_COMPLETE": UnitPhase.RUNNING,
    "CREATE_FAILED": UnitPhase.FAILED,
    "DELETE_IN_PROGRESS": UnitPhase.DELETING,
    "DELETE_FAILED": UnitPhase.ENDED,
}
JOB_PHASES: dict[str, UnitPhase] = {
    "SCHEDULED": UnitPhase.RUNNING,
    "IN_PROGRESS": UnitPhase.RUNNING,
    "COMPLETED": UnitPhase.ENDED,
    "CANCELED": UnitPhase.ENDED,
    "DELETION_IN_PROGRESS": UnitPhase.BROKEN,
}
EXECUTION_OUTCOMES: dict[str, tuple[Outcome, Reason | None]] = {
    "QUEUED": (Outcome.WAITING, None),
    "IN_PROGRESS": (Outcome.WAITING, None),
    "SUCCEEDED": (Outcome.SUCCEEDED, None),
    "FAILED": (Outcome.FAILED, Reason.UNKNOWN),
    "TIMED_OUT": (Outcome.FAILED, Reason.TIMEOUT),
    "REJECTED": (Outcome.FAILED, Reason.REJECTED),
    "REMOVED": (Outcome.FAILED, Reason.REMOVED),
    "CANCELED": (Outcome.FAILED, Reason.CANCELED),
}
# Member of DescribeJob's jobProcessDetails -> what we count.
COUNTS: dict[str, str] = {
    "numberOfQueuedThings": "queued",
    "numberOfInProgressThings": "inProgress",
    "numberOfSucceededThings": "succeeded",
    "numberOfFailedThings": "failed",
    "numberOfRejectedThings": "rejected",
    "numberOfTimedOutThings": "timedOut",
    "numberOfRemovedThings": "removed",
    "numberOfCanceledThings": "canceled",
}
# Status of an execution -> what it counts as.
STATUS_COUNTS: dict[str, str] = {
    "QUEUED": "queued",
    "IN_PROGRESS": "inProgress",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "REJECTED": "rejected",
    "TIMED_OUT": "timedOut",
    "REMOVED": "removed",
    "CANCELED": "canceled",
}
MOVING = ("queued", "inProgress")
UNSUCCESSFUL = ("failed", "rejected", "timedOut")
# Manifest field -> member of DescribeJob and UpdateJob: what can be set while a job runs.
JOB_FIELDS: dict[str, str] = {
    "awsJobExecutionsRolloutConfig": "jobExecutionsRolloutConfig",
    "awsJobPresignedUrlConfig": "presignedUrlConfig",
    "awsJobAbortConfig": "abortConfig",
    "awsJobTimeoutConfig": "timeoutConfig",
}
JOB_PREFIX = "AFR_OTA-"
CANCEL_CODE, SUSPEND_CODE = "OTACTL_SUPERSEDED", "OTACTL_SUSPENDED"
OUR_CODES = (CANCEL_CODE, SUSPEND_CODE)
DEFAULT_URL_SECONDS = 1800
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,8}")


def record_phase(status: object) -> UnitPhase:
    """Return our phase of an OTA update's status; one we do not know is UNKNOWN."""
    return RECORD_PHASES.get(str(status), UnitPhase.UNKNOWN)


def job_phase(status: object) -> UnitPhase:
    """Return our phase of a job's status; one we do not know is UNKNOWN."""
    return JOB_PHASES.get(str(status), UnitPhase.UNKNOWN)


def execution_outcome(status: object) -> tuple[Outcome, Reason | None]:
    """Return our outcome of an execution's status; one we do not know is UNKNOWN."""
    return EXECUTION_OUTCOMES.get(str(status), (Outcome.UNKNOWN, Reason.UNKNOWN))


def app_version(shown: str) -> str:
    """Return the version in an execution's `updatedBy`.

    The FreeRTOS agent writes its AppVersion32_t as one hexadecimal number: eight bits major, eight minor, sixteen
    build. An agent that writes a text is believed.
    """
    if _HEXADECIMAL.fullmatch(shown) is None:
        return shown
    number = int(shown, 16)
    return f"{number >> 24}.{number >> 16 & 0xFF}.{number & 0xFFFF}"
