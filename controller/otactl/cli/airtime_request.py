"""Asks the radio planner about a rollout, where its backend has a radio."""

from __future__ import annotations

import msgspec

from otactl.backends.registry import BACKENDS
from otactl.lorawan.report import AirtimeReport
from otactl.lorawan.request import AirtimeRequest
from otactl.model import Rollout


def question_of(rollout: Rollout) -> AirtimeRequest | None:
    """Ask what a rollout's session costs and reaches; None when it has no radio, or too little is declared."""
    return BACKENDS[rollout.backend_kind].airtime(rollout)


def airtime_of(rollout: Rollout) -> AirtimeReport | None:
    """Compute a rollout's radio session for its plan; a recommendation only if its target is missed."""
    question = question_of(rollout)
    if question is None:
        return None
    from otactl.lorawan.planner import forecast

    return forecast(msgspec.structs.replace(question, advice="whenMissed"))
