"""Finds the thing of a wireless device, through which a LoRaWAN device reports its version.

A device's thing is read once a process: who associates another one in between is seen by the next run.
"""

from __future__ import annotations

from threading import Lock

from otactl.backends.aws.client import AwsClient, NotFoundError
from otactl.model import JsonObject


def thing_in(answer: JsonObject) -> str | None:
    """Return the thing that an answer of GetWirelessDevice names."""
    name = answer.get("ThingName") or str(answer.get("ThingArn") or "").rpartition(":thing/")[2]
    return str(name) if name else None


class ThingReader:
    """Reads the things of devices, by the service's ids."""

    def __init__(self, transport: AwsClient) -> None:
        self._transport = transport
        self._found: dict[str, str | None] = {}
        self._lock = Lock()

    def of(self, device: str) -> str | None:
        """Return the thing of a device; None where none is associated, or the device is gone."""
        with self._lock:
            if device in self._found:
                return self._found[device]
        asked: JsonObject = {"Identifier": device, "IdentifierType": "WirelessDeviceId"}
        try:
            thing = thing_in(self._transport.call("iotwireless", "GetWirelessDevice", asked, repeatable=True))
        except NotFoundError:
            thing = None
        self.note(device, thing)
        return thing

    def note(self, device: str, thing: str | None) -> None:
        """Keep the thing of a device that was read for another reason."""
        with self._lock:
            self._found[device] = thing
