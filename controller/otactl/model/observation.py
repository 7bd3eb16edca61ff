"""What one pass reads: the survey of an environment, and the observation of one rollout."""

from __future__ import annotations

from functools import cached_property

from otactl.model.preflight_facts import ImageFacts, RoleFacts, TargetFacts
from otactl.model.unit import Unit
from otactl.model.values import Json, Value


class Listed(Value, frozen=True, kw_only=True):
    """One item of the survey, as thin as the service lists it."""

    vendor_id: str
    name: str
    arn: str = ""
    leftover_of: str = ""
    """What left it behind, if it is a leftover."""
    end_command: str = ""
    """Command that removes it."""


class Survey(Value, frozen=True, kw_only=True, dict=True):
    """What all rollouts of an environment share in one pass."""

    account: str
    """AWS account of the credentials."""
    listed: tuple[Listed, ...] = ()
    """Everything the service lists."""
    known: frozenset[str] = frozenset()
    """The service's ids of units in the journal that are not over."""
    partial: bool = False
    """True if the list may be incomplete: what is not listed may exist."""

    @cached_property
    def unknown(self) -> tuple[Listed, ...]:
        """Return what is listed and not `known`; found once for all rollouts."""
        return tuple(item for item in self.listed if item.vendor_id not in self.known)


class AmbiguousCreate(Value, frozen=True, kw_only=True):
    """A create without an answer that several units may be the result of; `message` names them and the way out.

    With `ended` none of them reaches a device any more, so a person can decide what follows in the manifest.
    """

    unit_id: str
    message: str
    ended: bool = False


class Observation(Value, frozen=True, kw_only=True):
    """Everything a decision about one rollout may see; read once per pass."""

    units: tuple[Unit, ...] = ()
    targets: tuple[TargetFacts, ...] = ()
    image: ImageFacts | None = None
    role: RoleFacts | None = None
    unreadable: tuple[str, ...] = ()
    """Facts that could not be read, and why."""
    offline: bool = False
    """True if nothing was read."""
    expected: bool = False
    """True for an expected state of the outlook."""
    devices: tuple[str, ...] = ()
    """Identities of the devices that the next unit reaches."""
    succeeded_before: tuple[str, ...] = ()
    """Devices that show a success before the start."""
    leftovers: tuple[str, ...] = ()
    """What known attempts left behind and still exists."""
    ambiguous: tuple[AmbiguousCreate, ...] = ()
    """Creates of ours that several units may be the result of."""
    group_sizes: dict[str, int] = {}
    """Number of devices in the groups of other waves, where a guard asks for it."""
    inside: dict[str, tuple[str, ...]] = {}
    """Devices that groups of passed waves hold now, by key."""

    @property
    def names(self) -> dict[str, str]:
        """Return what people call the devices of the targets, by identity."""
        return {device: name for target in self.targets for device, name in target.names.items()}

    def unit(self, unit_id: str) -> Unit | None:
        """Find a unit by our id."""
        return next((u for u in self.units if u.unit_id == unit_id), None)


def as_json(value: object) -> Json:
    """Narrow a value that is already JSON (a manifest field) for `Unit.fields`."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} is not JSON")
