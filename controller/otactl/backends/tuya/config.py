"""Types the `tuya` block of a manifest: one upgrade batch per wave and attempt.

1. `document` is the block as written, which is what is sent and compared; `fields` are the same, typed.
2. Limits and examples: schemas/v1/tuya.schema.json.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

import msgspec

from otactl.model.backend_config import BackendConfig, Selection
from otactl.model.environment import BackendAccess, Environment
from otactl.model.values import JsonObject, Value

if TYPE_CHECKING:
    from otactl.model.rollout import Strategy

DEFAULT_MODULE = "default"  # what Tuya calls the module of a device that names none
_SELECTING = ("targetSelection", "groupId", "grayPercent")
_OURS = ("settleTime", "confirmWaves")  # how long we wait and what we confirm: no part of a batch


class TuyaFields(Value, frozen=True, kw_only=True):
    """The block with its types."""

    product_key: str
    firmware_id: str | None = None
    module_name: str = DEFAULT_MODULE
    target_selection: str = "SPECIFIC"
    gray_percent: int | None = None
    group_id: str | None = None
    src_versions: tuple[str, ...] = ()
    retry_interval: int | None = None
    retry_count: int | None = None
    timeout_in_minutes: int | None = None
    need_push: bool | None = None
    need_confirm: bool = False
    confirm_waves: tuple[str, ...] = ()
    download_protocol: str | None = None
    settle_time: str = "15m"


class TuyaAccess(Value, BackendAccess, frozen=True, kw_only=True):
    """The `tuya` block of an environment: Tuya's gateway and where its secret comes from, never the secret."""

    endpoint: str
    access_key_id_env: str | None = None
    access_key_secret_env: str | None = None
    secret_arn: str | None = None

    @property
    def place(self) -> str:
        """Return the gateway's host, port and path: each is a data centre, or an instance in one, of its own."""
        parts = urlsplit(self.endpoint)
        default = 80 if parts.scheme == "http" else 443
        try:
            port = parts.port or default
        except ValueError:
            return ""  # the client says what is wrong with it
        return f"{(parts.hostname or '').rstrip('.')}:{port}{parts.path.rstrip('/')}"


def access_of(environment: Environment) -> TuyaAccess | None:
    """Return the access that an environment declares; None without one."""
    found = environment.access.get(TuyaConfig.kind)
    return found if isinstance(found, TuyaAccess) else None


class TuyaConfig(Value, BackendConfig, frozen=True, kw_only=True, dict=True, tag_field="backend", tag="tuya"):
    """The block: as written in `document`, typed in `fields`."""

    kind: ClassVar[str] = "tuya"

    document: JsonObject

    @classmethod
    def parse(cls, block: JsonObject) -> TuyaConfig:
        """Keep a block as written."""
        return cls(document=block)

    @cached_property
    def fields(self) -> TuyaFields:
        """Return the block with its types, parsed when it is first asked for."""
        return msgspec.convert(self.document, TuyaFields)

    @property
    def product(self) -> str:
        """Return the key of the product whose devices are updated."""
        return self.fields.product_key

    @property
    def module(self) -> str:
        """Return the module of a device that is updated."""
        return self.fields.module_name

    @property
    def sources(self) -> tuple[str, ...]:
        """Return the versions a device must report one of to get it; none: any."""
        return self.fields.src_versions

    @property
    def selects(self) -> bool:
        """Return whether Tuya selects the devices; else the manifest names them."""
        return self.fields.target_selection != "SPECIFIC"

    @property
    def selection(self) -> Selection | None:
        """Return the selection by the versions that devices report, if Tuya selects the devices."""
        return Selection(versions=self.sources, field="tuya.srcVersions") if self.selects else None

    @property
    def settle_time(self) -> str:
        """Return how long a batch whose answer was lost blocks another one."""
        return self.fields.settle_time

    @property
    def sent(self) -> TuyaConfig:
        """Return what devices receive and who gets it; how long we wait and what we confirm reaches none of it."""
        return TuyaConfig(document={k: v for k, v in self.document.items() if k not in _OURS})

    @property
    def annotations(self) -> JsonObject:
        """Return nothing: a batch holds no notes."""
        return {}

    def for_retry(self, strategy: Strategy, try_number: int) -> TuyaConfig:
        """Return the block for devices named one by one, whoever selected them first."""
        del strategy, try_number
        return TuyaConfig(document={k: v for k, v in self.document.items() if k not in _SELECTING})
