"""Replaces what only the real world has, and reports each replacement in a sentence.

1. A stack output that is not at hand becomes a name of its own; an environment that is not found becomes one of its
   name. Names of units do not change by either: they are over content, owner and environment.
2. Approvals that are required are given, a suspension is lifted: a rehearsal asks what would come after a person's yes.
3. The simulator's devices report in one attribute: a proof by another is read there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from otactl.model import (
    Approval,
    Environment,
    Record,
    Rollout,
    Source,
    VersionConfirm,
    Wave,
)
from otactl.planning import membership
from otactl.rehearsal.fleets import FLEETS

ACCOUNT, REGION, OWNER = "123456789012", "eu-west-1", "rehearsal"
ATTRIBUTE = "firmwareVersion"  # where the simulator's devices report
_OUTPUT = re.compile(r"\$\{stack:([A-Za-z0-9_.-]+)\}")


class Cast:
    """Environments and rollouts as they are rehearsed, and the sentences on what was put in for what."""

    def __init__(self, environments: Iterable[Environment], rollouts: Iterable[Rollout], at: datetime) -> None:
        self._sentences: dict[str, None] = {}
        known = {e.name: e for e in environments}
        declared = list(rollouts)
        for rollout in declared:
            if rollout.environment not in known:
                known[rollout.environment] = self._environment(rollout.environment)
        used = {r.environment for r in declared}
        self.environments = tuple(known[name] for name in sorted(used))
        ordered = sorted(declared, key=lambda r: (r.environment, r.name))
        self.rollouts = tuple(self._rollout(r, at) for r in ordered)

    @property
    def assumed(self) -> tuple[str, ...]:
        """Return what was put in for what, a sentence each."""
        return tuple(self._sentences)

    def _tell(self, sentence: str) -> None:
        self._sentences[sentence] = None

    def _environment(self, name: str) -> Environment:
        self._tell(f"environment {name} was not found: account {ACCOUNT} in {REGION} is used, without freezes")
        source = Source(file="", digest="")
        return Environment(name=name, owner=OWNER, account=ACCOUNT, region=REGION, source=source)

    def _rollout(self, rollout: Rollout, at: datetime) -> Rollout:
        firmware = rollout.firmware
        image = self._filled(firmware.image)
        found = msgspec.structs.replace(rollout, firmware=msgspec.structs.replace(firmware, image=image))
        config = FLEETS[rollout.backend_kind].filled(rollout.backend, self._filled, self._role)
        found = msgspec.structs.replace(found, backend=config)
        if rollout.suspend is not None:
            self._tell(f"{rollout.name} is suspended ({rollout.suspend.reason}): rehearsed as if it were not")
            found = msgspec.structs.replace(found, suspend=None)
        found = self._proved(found)
        return msgspec.structs.replace(found, approvals=self._approvals(found, at))

    def _filled(self, text: str) -> str:
        def put(output: re.Match[str]) -> str:
            self._tell(f"the stack output {output.group(1)} is missing: a name of the rehearsal is used")
            return "rehearsal-" + re.sub(r"[^a-z0-9]+", "-", output.group(1).lower()).strip("-")

        return _OUTPUT.sub(put, text)

    def _role(self, text: str) -> str:
        named = self._filled(text)
        return named if named.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{named}"

    def _proved(self, rollout: Rollout) -> Rollout:
        confirm = rollout.strategy.confirm
        if not isinstance(confirm, VersionConfirm) or confirm.version.attribute in (None, ATTRIBUTE):
            return rollout
        self._tell(f"{rollout.name}: devices report in the attribute {ATTRIBUTE}, not {confirm.version.attribute}")
        version = msgspec.structs.replace(confirm.version, attribute=ATTRIBUTE)
        strategy = msgspec.structs.replace(rollout.strategy, confirm=msgspec.structs.replace(confirm, version=version))
        return msgspec.structs.replace(rollout, strategy=strategy)

    def _approvals(self, rollout: Rollout, at: datetime) -> tuple[Approval, ...]:
        """Return one approval for each wave that requires it, of exactly what is rehearsed."""
        named = membership.resolved(rollout, Record(environment=rollout.environment, name=rollout.name))
        return tuple(self._approval(named, wave, at) for wave in named.strategy.waves if wave.requires is not None)

    def _approval(self, named: Rollout, wave: Wave, at: datetime) -> Approval:
        role = wave.requires.approval if wave.requires is not None else ""
        self._tell(f"{named.name}: the approval of wave {wave.name} by {role} is given at once")
        digest = membership.approval_digest(named, wave)
        devices = membership.ANY_DEVICES
        return Approval(wave=wave.name, role=role, by="rehearsal", digest=digest, at=at, devices=devices)


def at_home(environment: Environment, url: str, services: Iterable[str]) -> Environment:
    """Return the environment with every endpoint the simulator's: no role to assume, no key of a cloud."""
    access = {kind: found for kind, fleet in FLEETS.items() if (found := fleet.access(url)) is not None}
    endpoints = dict.fromkeys(services, url)
    return msgspec.structs.replace(
        environment, assumed_role=None, endpoints=endpoints, access=access, stack_outputs=None
    )
