"""Defines the switches: one for each point that AWS does not document; scenarios pass both ways.

A switch is settable by POST /_simulator/settings; `otactl`'s own tests run with both answers.
"""

from __future__ import annotations

from otactl_simulator.switches import NUMBER, Switch, Switchboard

SWITCHES: dict[str, Switch] = {
    "startWithoutTime": Switch("soonest", ("refuse", "soonest"), "StartFuotaTask without StartTime"),
    "secondStart": Switch("conflict", ("conflict", "moves"), "a second start while the first one waits"),
    "startTooSoonError": Switch(
        "ValidationException",
        ("ValidationException", "ConflictException"),
        "error of a start less than 30 minutes ahead",
    ),
    "outsidePendingError": Switch(
        "ConflictException", ("ConflictException", "ValidationException"), "error of an edit outside Pending"
    ),
    "deleteStopsSession": Switch(True, (True, False), "whether deleting a task in session stops its transmission"),
    "deleteWaitingSeconds": Switch(60, NUMBER, "how long a task stays Delete_Waiting"),
    "listByTaskIncludesGroupMembers": Switch(
        True, (True, False), "whether the filter by task lists its groups' devices"
    ),
    "tokenAfterDelete": Switch("new", ("new", "old"), "what a used token gives once its task was deleted"),
    "usedToken": Switch(
        "same", ("same", "conflict"), "the same token with the same parameters: older texts say exception"
    ),
    "sourceConditions": Switch(True, (True, False), "whether the role is assumed with aws:SourceAccount and SourceArn"),
    "echoDefaults": Switch(False, (True, False), "whether Get shows defaults for fragment settings never given"),
    "roundInterval": Switch(True, (True, False), "whether Get shows the fragment interval rounded to whole seconds"),
    "doneHoldsDevices": Switch(False, (True, False), "whether a FuotaDone task holds its devices against a new one"),
    "associateAgain": Switch("success", ("success", "conflict"), "associating what is associated already"),
    "multicastReadySeconds": Switch(0, NUMBER, "how long after joining a group a device is ready for multicast"),
    "staleSeconds": Switch(60, NUMBER, "how long after a write a stale read may still show the state before it"),
    "keepsToRadio": Switch(
        False, (True, False), "whether a session takes as long as time on air and duty cycle make it (radio.py)"
    ),
    "parityRounding": Switch("ceil", ("ceil", "floor"), "how M x redundancy / 100 becomes whole parity fragments"),
    "unicastFragIndex": Switch(
        0, (0, 1), "the index of the fragmentation session of single devices; of groups it is 1"
    ),
    "silentHoldSession": Switch(
        False, (True, False), "whether a group's session goes on to its timeout while devices have not answered"
    ),
    "unicastFragmentBytes": Switch(48, NUMBER, "the fragment size the service chooses for single devices"),
    "unicastIntervalSeconds": Switch(2, NUMBER, "the interval it chooses for single devices"),
}


class Settings(Switchboard):
    """The switches of AWS IoT Wireless as they stand."""

    def __init__(self) -> None:
        super().__init__(SWITCHES)
