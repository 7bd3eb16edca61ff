"""Defines what the core asks of the backend block of a `Rollout` manifest, whichever service it is of.

Each backend has its own class with the fields of its block; field meanings, limits and examples are in schemas/v1
(`otactl explain FIELD`).
"""

from __future__ import annotations

from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from otactl.model.values import JsonObject, Value

if TYPE_CHECKING:
    from otactl.model.rollout import Strategy


class Selection(Value, frozen=True, kw_only=True):
    """Devices that the service selects by the version they run: `versions`, none for any; `field` declares them."""

    versions: tuple[str, ...]
    field: str


class Declared(Protocol):
    """A rollout, or one of its units."""

    @property
    def backend(self) -> BackendConfig:
        """Return its backend block."""
        ...


class BackendConfig:
    """A frozen backend block. Subclasses are `Value`s whose tag `backend` is their kind.

    1. What is not overridden is the answer for a service without a radio whose units start as they are created.
    2. `sent` decides what a generation is: two blocks with equal `sent` reach devices as the same update.
    """

    __slots__ = ()
    kind: ClassVar[str]

    @classmethod
    def of(cls, declared: Declared) -> Self:
        """Return the block of a rollout or a unit. Raises: TypeError for one of another backend."""
        return cls.narrow(declared.backend)

    @classmethod
    def narrow(cls, block: BackendConfig) -> Self:
        """Return a block as one of this backend. Raises: TypeError for one of another backend."""
        if not isinstance(block, cls):
            raise TypeError(f"{cls.kind} was asked for, and the block is {block.kind}")
        return block

    @classmethod
    @abstractmethod
    def parse(cls, block: JsonObject) -> Self:
        """Parse a block that its schema accepts."""

    @property
    @abstractmethod
    def sent(self) -> BackendConfig:
        """Return the part that reaches devices; the rest may change without sending anything again."""

    @property
    @abstractmethod
    def annotations(self) -> JsonObject:
        """Return the part that only the service holds."""

    @property
    @abstractmethod
    def settle_time(self) -> str:
        """Return how long a create whose answer was lost may still be carried out."""

    @property
    def role(self) -> str:
        """Return the ARN of the role that reads the image; empty where the service reads none of ours."""
        return ""

    @property
    def radio_region(self) -> str | None:
        """Return the LoRaWAN region every target must be of; None where none is declared."""
        return None

    @property
    def start_lead(self) -> str:
        """Return how far ahead of its start a unit is scheduled."""
        return "0s"

    @property
    def endless(self) -> bool:
        """Return whether a unit keeps serving devices that join, and never ends."""
        return False

    @property
    def selection(self) -> Selection | None:
        """Return how the service selects the devices itself; None where the manifest names them."""
        return None

    def session_length(self, size_bytes: int, strategy: Strategy, try_number: int = 1) -> timedelta | None:
        """Return the time from the start of a try to the end of its session; None where no one can compute it.

        Raises: LorawanError for a region, data rate or size that cannot exist.
        """
        del size_bytes, strategy, try_number
        return None

    def for_retry(self, strategy: Strategy, try_number: int) -> BackendConfig:
        """Return the block for devices that a retry names one by one."""
        del strategy, try_number
        return self
