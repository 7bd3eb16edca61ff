"""Asks the radio planner about a rollout, where its backend has a radio."""

from __future__ import annotations

from importlib.util import find_spec

import msgspec

from otactl.backends.registry import BACKENDS
from otactl.errors import UsageError
from otactl.lorawan.report import AirtimeReport
from otactl.lorawan.request import AirtimeRequest
from otactl.model import Record, Rollout
from otactl.planning.membership import resolved

RADIO = "pip install 'otactl[radio]'"
"""What installs the one dependency of the chance of success that the command itself does without."""


def radio_is_installed() -> bool:
    """Return whether the chance of success can be computed: it needs numpy, the extra `radio`."""
    return find_spec("numpy") is not None


def require_radio() -> None:
    """Check that the chance of success can be computed here; raises UsageError if it cannot."""
    if not radio_is_installed():
        raise UsageError(f"the airtime is computed with numpy, which is not installed; install it: {RADIO}")


def question_of(rollout: Rollout) -> AirtimeRequest | None:
    """Ask what a rollout's session costs and reaches; None when it has no radio, or too little is declared."""
    whole = resolved(rollout, Record(environment=rollout.environment, name=rollout.name))
    return BACKENDS[rollout.backend_kind].airtime(whole)


def airtime_of(rollout: Rollout, counted: tuple[int | None, ...] = ()) -> AirtimeReport | None:
    """Compute a rollout's radio session for its plan; a recommendation only if its target is missed.

    `counted` are the devices of its waves, as far as the service shows them.
    """
    question = question_of(rollout)
    if question is None:
        return None
    from otactl.lorawan.planner import forecast

    numbers = [number for number in counted if number]
    if question.devices_unknown and len(numbers) == len(question.waves):
        each = zip(question.waves, numbers, strict=True)
        waves = tuple(msgspec.structs.replace(wave, devices=number) for wave, number in each)
        question = msgspec.structs.replace(question, devices=sum(numbers), waves=waves, devices_unknown=False)
    return forecast(msgspec.structs.replace(question, advice="whenMissed"))
