"""Defines the switches of Tuya's gateway: one for each point that is [U] or [I], so that both ways are tried."""

from __future__ import annotations

from datetime import timedelta

from otactl_simulator.switches import NUMBER, Switch, Switchboard

SWITCHES: dict[str, Switch] = {
    "tuyaFailureStatus": Switch(200, (200, 400), "the HTTP status of a failure [U]"),
    "tuyaClockSkewSeconds": Switch(900, NUMBER, "how far a Timestamp may be off [U; Alibaba: 15 minutes]"),
    "tuyaNonceSeconds": Switch(900, NUMBER, "how long a SignatureNonce is remembered [U; Alibaba: 15 minutes]"),
    "tuyaCommonParameters": Switch(
        "lenient", ("lenient", "strict"), "whether Version and SignatureVersion may be left out, as the samples do"
    ),
    "tuyaDefaultFormat": Switch("JSON", ("JSON", "XML"), "the Format of who gives none: samples against the page [V]"),
    "tuyaCallsPerSecond": Switch(0, NUMBER, "calls a second for each operation, 0 for no limit [U]"),
    "tuyaStaleSeconds": Switch(60, NUMBER, "how far behind a stale read may be [U]"),
    "tuyaBillOverdue": Switch(False, (True, False), "whether every call is answered Iot.system.BillIsOverDue"),
    "tuyaSecondBatch": Switch(
        "failsLater", ("failsLater", "refused"), "a batch for a device with an unfinished task [D Alibaba: task fails]"
    ),
    "tuyaNoDeviceLeft": Switch(
        "refused", ("refused", "emptyBatch"), "a batch whose every device is at the version already [U]"
    ),
    "tuyaCanceledBatch": Switch(
        "CANCELED", ("CANCELED", "COMPLETED"), "a batch all of whose last tasks were canceled by job [U]"
    ),
    "tuyaCancelQueuedTakesUnconfirmed": Switch(
        True, (True, False), "whether CancelQueuedTask alone cancels CONFIRM too [I from Alibaba]"
    ),
    "tuyaDeleteInUse": Switch("cancels", ("cancels", "refused"), "deleting a package with unfinished tasks [U]"),
    "tuyaDefaultTimeoutMinutes": Switch(0, NUMBER, "the timeout of a batch that gives none, 0 for never [U]"),
    "tuyaPushSeconds": Switch(1, NUMBER, "how long after a task is QUEUED an online device is notified [U]"),
}


class Settings(Switchboard):
    """The switches of Tuya's gateway as they stand."""

    def __init__(self) -> None:
        super().__init__(SWITCHES)

    def lag(self, *, stale: bool) -> timedelta:
        """Return how far behind a read is."""
        return timedelta(seconds=self.number("tuyaStaleSeconds") if stale else 0)
