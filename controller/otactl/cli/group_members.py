"""Reads the devices inside the groups of a wave, as a run before its start would."""

from __future__ import annotations

import msgspec

from otactl.backends.registry import backends_for, transport_for
from otactl.errors import StalledError
from otactl.model import Environment, Observation, Record, Rollout, Survey, Wave
from otactl.reconcile.observe import observe_rollout


def look_into(environment: Environment, rollout: Rollout, wave: Wave) -> Observation:
    """Read what the service shows of the targets of a wave; raises an `OtactlError` where that fails."""
    transport = transport_for(environment)
    account = transport.identity()
    if account != environment.account:
        text = f"these credentials are of account {account}, environment {environment.name} is {environment.account}"
        raise StalledError("AccountDiffers", text)
    strategy = msgspec.structs.replace(rollout.strategy, waves=(wave,))
    alone = msgspec.structs.replace(rollout, strategy=strategy)
    nothing = Record(environment=rollout.environment, name=rollout.name)
    backend = backends_for(environment, transport)[rollout.backend_kind]
    return observe_rollout(backend, alone, nothing, Survey(account=account))
