"""Maps statuses of Tuya's gateway to our phases and outcomes; no other module has its status strings.

1. An unknown status is UNKNOWN, never a guess. Words are compared without case, and a list's COMPLETE is the other
   pages' COMPLETED (the twin documents both).
2. Batch COMPLETED is not success: it is reached when every task has ended, failed ones too. Success stands with each
   task, and a task succeeds only when the device reports the target version.
3. A failed task's progress says where: -1 in general, -2 download, -3 verification, -4 writing it.
"""

from __future__ import annotations

from otactl.model import Outcome, Reason, UnitPhase

TO_CONFIRM = "toConfirm"  # the ids of tasks that wait for a confirmation
JOB_PHASES: dict[str, UnitPhase] = {
    "PLANNED": UnitPhase.SCHEDULED,
    "IN_PROGRESS": UnitPhase.RUNNING,
    "COMPLETED": UnitPhase.ENDED,
    "COMPLETE": UnitPhase.ENDED,
    "CANCELED": UnitPhase.ENDED,
}
TASK_OUTCOMES: dict[str, Outcome] = {
    "CONFIRM": Outcome.WAITING,
    "QUEUED": Outcome.WAITING,
    "NOTIFIED": Outcome.WAITING,
    "IN_PROGRESS": Outcome.WAITING,
    "SUCCEEDED": Outcome.SUCCEEDED,
    "FAILED": Outcome.FAILED,
    "CANCELED": Outcome.FAILED,
}
COUNTS = {
    "CONFIRM": "toConfirm",
    "QUEUED": "queued",
    "NOTIFIED": "notified",
    "IN_PROGRESS": "inProgress",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "CANCELED": "canceled",
}
CANCELED_BATCH, CANCELED_TASK, FAILED_TASK, WAITS = "CANCELED", "CANCELED", "FAILED", "CONFIRM"
STARTED = "IN_PROGRESS"
UNFINISHED = tuple(word for word, outcome in TASK_OUTCOMES.items() if outcome is Outcome.WAITING)
FAILURES: dict[int, Reason] = {-1: Reason.UNKNOWN, -2: Reason.DOWNLOAD, -3: Reason.VERIFY, -4: Reason.FLASH}
VERIFIED = (-1, 1)  # no check needed, or passed; a batch cannot be made of any other package
UNVERIFIED = {0: "is not verified", 2: "is being verified", 3: "failed its verification"}


def job_phase(status: str) -> UnitPhase:
    """Return our phase of a batch's status."""
    return JOB_PHASES.get(status.upper(), UnitPhase.UNKNOWN)


def task_outcome(status: str, progress: int | None, words: str) -> tuple[Outcome, Reason | None]:
    """Return our outcome of a task, and why it failed."""
    outcome = TASK_OUTCOMES.get(status.upper(), Outcome.UNKNOWN)
    if outcome is Outcome.UNKNOWN:
        return outcome, Reason.UNKNOWN
    if outcome is not Outcome.FAILED:
        return outcome, None
    if status.upper() == CANCELED_TASK:
        return outcome, Reason.CANCELED
    if "timeout" in words.lower() or "timed out" in words.lower():
        return outcome, Reason.TIMEOUT
    return outcome, FAILURES.get(progress if progress is not None else -1, Reason.UNKNOWN)
