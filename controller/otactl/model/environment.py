"""Defines what an `Environment` manifest declares: account, Region, endpoints and limits."""

from __future__ import annotations

from typing import Literal

from otactl.model.notices import Receiver
from otactl.model.rollout import Source, Window
from otactl.model.values import Value


class BackendAccess:
    """How one backend is reached where AWS's own credentials do not do: never a secret, only where it comes from.

    Each backend that needs it has its own class, which is a `Value`.
    """

    __slots__ = ()

    @property
    def place(self) -> str:
        """Return the address that names where the backend's units live; empty where account and Region do."""
        return ""


class ApprovalRole(Value, frozen=True, kw_only=True):
    """Who may approve for a role; self-asserted, guarded by the repository's code owners."""

    name: str
    members: tuple[str, ...] = ()


class Guards(Value, frozen=True, kw_only=True):
    """Limits of an environment: devices that one wave may start, targets that an edit may remove."""

    max_affected_devices: int | None = None
    max_affected_percent: float | None = None
    max_shrink_percent: float | None = None


class SigningKey(Value, frozen=True, kw_only=True):
    """A public key in PEM that may sign firmware; `revoked` says why it may not any more."""

    name: str
    public_key: str
    revoked: str | None = None


class RequireSignature(Value, frozen=True, kw_only=True):
    """Keys of which one must have signed the firmware."""

    keys: tuple[SigningKey, ...]


class FirmwarePolicy(Value, frozen=True, kw_only=True):
    """What an environment requires of firmware."""

    require_signature: RequireSignature


class Environment(Value, frozen=True, kw_only=True):
    """One owner's account and Region; one shard of work, one lease.

    `call_rates` are calls a second per operation (key `iot:DescribeJob`, or `iot:*`);
    `call_budget` bounds the vendor calls of one reconcile run. `every` is how often workers run it, as a duration; None
    for their default. `journal` is where its memory lies, as a URL;
    `journal_id` names the journal of this run, `replaces` lost ones whose units it takes over.
    """

    name: str
    owner: str
    account: str
    region: str
    source: Source
    assumed_role: str | None = None
    endpoints: dict[str, str] = {}
    stack_outputs: str | None = None
    approval_roles: tuple[ApprovalRole, ...] = ()
    freezes: tuple[Window, ...] = ()
    guards: Guards = Guards()
    firmware: FirmwarePolicy | None = None
    access: dict[str, BackendAccess] = {}
    call_rates: dict[str, float] = {}
    call_budget: int = 20000
    every: str | None = None
    foreign_tasks: Literal["report", "ignore"] = "report"
    notices: tuple[Receiver, ...] = ()
    journal: str | None = None
    journal_id: str = ""
    replaces: tuple[str, ...] = ()
