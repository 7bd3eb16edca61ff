"""Types the `fuota` block of a manifest: one AWS IoT Wireless FUOTA task per wave and attempt."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import msgspec

from otactl.model.backend_config import BackendConfig
from otactl.model.values import JsonObject, Value

if TYPE_CHECKING:
    from otactl.lorawan.session import SessionPlan
    from otactl.model.rollout import Strategy


class FuotaConfig(Value, BackendConfig, frozen=True, kw_only=True, tag_field="backend", tag="fuota"):
    """Fields, limits and examples: schemas/v1/fuota.schema.json."""

    kind: ClassVar[str] = "fuota"

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

    @classmethod
    def parse(cls, block: JsonObject) -> FuotaConfig:
        """Parse a block that its schema accepts."""
        return msgspec.convert(block, cls)

    @property
    def sent(self) -> FuotaConfig:
        """Return the part that reaches devices: not the assumed data rate, and nothing that only the service holds."""
        return msgspec.structs.replace(self, role="", description=None, tags={}, start_lead="", data_rate=None)

    @property
    def annotations(self) -> JsonObject:
        """Return role, description and tags."""
        return {"role": self.role, "description": self.description, "tags": dict(self.tags)}

    @property
    def settle_time(self) -> str:
        """Return None: a create sends nothing to devices, and is sent again at once."""
        return "0s"

    @property
    def radio_region(self) -> str | None:
        """Return the declared region."""
        return self.rf_region

    def redundancy_of(self, strategy: Strategy, try_number: int) -> int | None:
        """Return redundancy of a try in percent: it grows with each retry, up to 100.

        None where the service chooses.
        """
        if self.redundancy_percent is None:
            return None
        raised = strategy.retry.raise_redundancy_percent if strategy.retry is not None else None
        return min(100, self.redundancy_percent + (raised or 0) * (try_number - 1))

    def session(
        self, size_bytes: int, redundancy: int | None = None, data_rate: int | None = None
    ) -> SessionPlan | None:
        """Compute the figures of a session to groups, with the declared redundancy and data rate or others.

        None where a field is left to the service. Raises: LorawanError for figures that cannot exist.
        """
        from otactl.backends.fuota.session_length import session_plan

        return session_plan(
            self.rf_region,
            self.data_rate if data_rate is None or self.data_rate is None else data_rate,
            size_bytes,
            self.fragment_size_bytes,
            self.redundancy_percent if redundancy is None else redundancy,
            self.fragment_interval_ms,
        )

    def session_length(self, size_bytes: int, strategy: Strategy, try_number: int = 1) -> timedelta | None:
        """Return the time from StartTime to the end of the session.

        None for single devices: the service chooses theirs.
        """
        plan = self.session(size_bytes, self.redundancy_of(strategy, try_number))
        return None if plan is None else timedelta(seconds=plan.occupied_seconds)

    def for_retry(self, strategy: Strategy, try_number: int) -> FuotaConfig:
        """Return the block of a retry: the service chooses fragments and rate, redundancy is that of the try."""
        redundancy = self.redundancy_of(strategy, try_number)
        return msgspec.structs.replace(self, redundancy_percent=redundancy, fragment_size_bytes=None, data_rate=None)
