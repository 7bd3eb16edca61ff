"""The three backend blocks of a `Rollout` manifest: what reaches devices, and what only the service holds.

Field meanings, limits and examples stand in schemas/v1 (`otactl explain FIELD`).
"""

from __future__ import annotations

import msgspec

from otactl.model.values import JsonObject, Value

DEFAULT_MODULE = "default"  # what Tuya calls the module of a device that names none


class FuotaSpec(Value, frozen=True, kw_only=True, tag_field="backend", tag="fuota"):
    """The `fuota` block: one AWS IoT Wireless FUOTA task per wave and attempt."""

    role: str
    rf_region: str | None = None
    redundancy_percent: int | None = None
    data_rate: int | None = None
    fragment_size_bytes: int | None = None
    fragment_interval_ms: int | None = None
    descriptor: str | None = None
    description: str | None = None
    start_lead: str = "35m"
    tags: dict[str, str] = {}

    @property
    def radio_region(self) -> str | None:
        """The LoRaWAN region every target must be of; None where none is declared."""
        return self.rf_region

    @property
    def settle_time(self) -> str:
        """None: a create sends nothing to devices, and is sent again at once."""
        return "0s"

    @property
    def endless(self) -> bool:
        """No: a session ends."""
        return False

    @property
    def sent(self) -> FuotaSpec:
        """The part that reaches devices; the rest may change without sending anything again."""
        return msgspec.structs.replace(self, role="", description=None, tags={}, start_lead="", data_rate=None)

    @property
    def annotations(self) -> JsonObject:
        """The part that only the service holds."""
        return {"role": self.role, "description": self.description, "tags": dict(self.tags)}


class _Document(Value, frozen=True, kw_only=True):
    """A block that stays as written, of a service without a radio whose units start as they are made."""

    document: JsonObject

    @property
    def radio_region(self) -> None:
        """None: no radio is planned."""
        return

    @property
    def start_lead(self) -> str:
        """None: creating is starting."""
        return "0s"


class OtaUpdateSpec(_Document, frozen=True, kw_only=True, tag_field="backend", tag="otaUpdate"):
    """The `otaUpdate` block: one AWS IoT OTA update, and the Job behind it, per wave and attempt.

    `document` is the block as written; its names are those of CreateOTAUpdate.
    """

    @property
    def role(self) -> str:
        """The OTA service role."""
        return str(self.document["role"])

    @property
    def settle_time(self) -> str:
        """How long an update whose answer was lost is waited for: three times the window of a signed request."""
        return "15m"

    @property
    def rate(self) -> int | None:
        """How many devices a minute begin at most; None for no limit, or one that grows."""
        config = self.document.get("awsJobExecutionsRolloutConfig")
        given = config.get("maximumPerMinute") if isinstance(config, dict) and "exponentialRate" not in config else None
        return given if isinstance(given, int) else None

    @property
    def endless(self) -> bool:
        """Whether a unit goes on serving who joins, and never ends."""
        return self.document.get("targetSelection") == "CONTINUOUS"

    @property
    def once(self) -> OtaUpdateSpec:
        """The same for the devices it is made for, and nobody who joins later."""
        return OtaUpdateSpec(document={**self.document, "targetSelection": "SNAPSHOT"})

    @property
    def sent(self) -> OtaUpdateSpec:
        """What devices receive and who gets it; pace, limits, names and notes may change without sending anything."""
        kept: JsonObject = {k: self.document[k] for k in ("protocols", "targetSelection") if k in self.document}
        files = self.document["files"]
        listed = files if isinstance(files, list) else []
        kept["files"] = [{k: v for k, v in f.items() if k != "attributes"} for f in listed if isinstance(f, dict)]
        return OtaUpdateSpec(document=kept)

    @property
    def annotations(self) -> JsonObject:
        """The part that only the service holds."""
        files = self.document["files"]
        listed = files if isinstance(files, list) else []
        noted: JsonObject = {k: v for k, v in self.document.items() if k not in self.sent.document}
        return {**noted, "attributes": [f.get("attributes") for f in listed if isinstance(f, dict)]}


class TuyaSpec(_Document, frozen=True, kw_only=True, tag_field="backend", tag="tuya"):
    """The `tuya` block: one upgrade batch per wave and attempt."""

    @property
    def product(self) -> str:
        """The key of the product whose devices are updated."""
        return str(self.document["productKey"])

    @property
    def module(self) -> str:
        """The module of a device that is updated."""
        return str(self.document.get("moduleName", DEFAULT_MODULE))

    @property
    def selection(self) -> str:
        """How its devices are chosen: SPECIFIC names them, else the service selects them."""
        return str(self.document.get("targetSelection", "SPECIFIC"))

    @property
    def sources(self) -> tuple[str, ...]:
        """The versions a device must report one of to get it; none: any."""
        given = self.document.get("srcVersions")
        return tuple(str(version) for version in given) if isinstance(given, list) else ()

    @property
    def role(self) -> str:
        """None: Tuya reads no image of ours."""
        return ""

    @property
    def endless(self) -> bool:
        """No: a batch ends."""
        return False

    @property
    def settle_time(self) -> str:
        """How long a batch whose answer was lost blocks another one."""
        return str(self.document.get("settleTime", "15m"))

    @property
    def sent(self) -> TuyaSpec:
        """What devices receive and who gets it; how long we wait and what we confirm reaches none of it."""
        return TuyaSpec(document={k: v for k, v in self.document.items() if k not in ("settleTime", "confirmWaves")})

    @property
    def annotations(self) -> JsonObject:
        """Nothing: a batch holds no notes."""
        return {}


BackendSpec = FuotaSpec | OtaUpdateSpec | TuyaSpec
