"""Defines the switches of AWS IoT: one for each point that AWS does not document; scenarios pass both ways."""

from __future__ import annotations

from otactl_simulator.switches import NUMBER, Switch, Switchboard

SWITCHES: dict[str, Switch] = {
    "iotStaleSeconds": Switch(60, NUMBER, "how long after a write a stale read may still show the state before it"),
    "otaCreateSeconds": Switch(5, NUMBER, "how long an OTA update is being created"),
    "otaDeleteSeconds": Switch(5, NUMBER, "how long an OTA update is being deleted"),
    "otaDeleteFails": Switch(False, (True, False), "whether the deletion of an OTA update ends DELETE_FAILED"),
    "jobDeleteSeconds": Switch(5, NUMBER, "how long a job is DELETION_IN_PROGRESS"),
    "deleteUpdateDeletesJob": Switch(True, (True, False), "whether DeleteOTAUpdate deletes the job behind it"),
    "unsetRolloutReadsBack": Switch("empty", ("empty", "zero"), "an unset rollout config: {} or maximumPerMinute 0"),
    "abortReason": Switch("both", ("both", "code", "comment", "neither"), "how DescribeJob shows an abort by criteria"),
    "abortCounts": Switch(
        "ended", ("ended", "executed"), "the executions abort criteria count: all that ended, or those that were run"
    ),
    "abortTypeTwice": Switch("refuse", ("refuse", "take"), "two abort criteria of one failureType"),
    "updateJobChecks": Switch(
        True, (True, False), "whether UpdateJob refuses an exponential rate without maximumPerMinute, and the like"
    ),
    "leavingRemoves": Switch(
        "queued", ("queued", "pending"), "what a thing that leaves a group loses: QUEUED of CONTINUOUS jobs, or all"
    ),
    "rejoining": Switch(
        "always", ("always", "removedOnly"), "who gets a new execution on coming back to a CONTINUOUS job"
    ),
    "jobCounts": Switch(
        "executions", ("executions", "things"), "what DescribeJob counts: every execution, or each thing once"
    ),
    "deviceDetails": Switch(
        "replace", ("replace", "merge"), "what statusDetails of UpdateJobExecution do to the former"
    ),
    "timeoutChangeReaches": Switch("notStarted", ("notStarted", "all"), "whom a timeout changed by UpdateJob reaches"),
    "longUpdateId": Switch("refuse", ("refuse", "createFails"), "an otaUpdateId too long for its job id"),
    "deleteStreamInUse": Switch("allowed", ("allowed", "conflict"), "DeleteStream on the stream of an OTA update"),
    "jobDescription": Switch("copied", ("copied", "empty"), "whether the job carries the OTA update's description"),
}


class Settings(Switchboard):
    """The switches of AWS IoT as they stand."""

    def __init__(self) -> None:
        super().__init__(SWITCHES)
