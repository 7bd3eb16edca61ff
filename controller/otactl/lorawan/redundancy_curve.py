"""Computes success and session length over redundancy for a picture: one run of trials for all points."""

from __future__ import annotations

from otactl.lorawan.closed_form import textbook
from otactl.lorawan.decode_probability import Code, Trials
from otactl.lorawan.parity import MAX_COUNTER
from otactl.lorawan.report import AirtimeReport, Chance, Point
from otactl.lorawan.request import AirtimeRequest
from otactl.lorawan.session_values import SessionPlan

_TRIALS = 16_384
_LEAST_TOP = 10
_NEVER = Chance(probability=0.0, low=0.0, high=0.0, trials=0)


def curve(question: AirtimeRequest, airtime: AirtimeReport) -> tuple[Point, ...]:
    """Follow the class that loses most from no redundancy to twice what is declared or recommended.

    A device that refuses the session at its set-up never succeeds, whatever the redundancy.
    """
    plan, m = airtime.session, airtime.session.fragments
    loss = max((each.loss for each in airtime.classes), key=lambda each: each.loss)
    declared = -(-100 * plan.parity_fragments // m)
    advised = airtime.recommendation.redundancy_percent if airtime.recommendation else 0
    top = min(100, max(_LEAST_TOP, 2 * declared, 2 * advised))
    percents = [p for p in range(top + 1) if m + m * p // 100 <= MAX_COUNTER]
    if question.caps.refusal(m, plan.fragment_bytes) is not None:
        return tuple(_point(plan, p, _NEVER, 0.0) for p in percents)
    code = Code(fragments=m, variant=question.variant, max_lost=question.caps.max_lost)
    trials = Trials(code, tuple(m * p // 100 for p in percents), loss, question.seed)
    trials.run(min(_TRIALS, trials.affordable()))
    return tuple(
        _point(plan, p, trials.chance(m * p // 100), textbook(m, m * p // 100, loss, question.caps.max_lost))
        for p in percents
    )


def _point(plan: SessionPlan, percent: int, chance: Chance, formula: float) -> Point:
    frames = plan.fragments + plan.fragments * percent // 100
    seconds = ((frames - 1) * plan.spacing_ms + plan.time_on_air_ms) / 1000
    return Point(percent=percent, chance=chance, textbook=formula, session_seconds=seconds)
