"""Answers a request to the radio planner: cost, reach, warnings, recommendation.

1. Impossible input raises `ImpossibleSessionError` with every reason, one line each.
2. What is not given is assumed and a warning says so: 5 % loss, the largest undisputed fragment, the shortest lawful
   interval; without a redundancy the recommended one, and with it the recommended size.
3. A session reaches its target when the chance of the class of devices that does worst is at least the target; it fits
   its window when it is no longer than that.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from otactl.lorawan.closed_form import textbook
from otactl.lorawan.decode_probability import HALF_WIDTH, Code
from otactl.lorawan.energy import gateway_total, receive_energy
from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fleet_probability import fleet_chance, gates_of
from otactl.lorawan.lints import lints
from otactl.lorawan.loss_models import Independent
from otactl.lorawan.recommend import Wish, recommend
from otactl.lorawan.report import AirtimeReport, Chance, FleetChance, Recommendation
from otactl.lorawan.request import ASSUMED_LOSS, ASSUMED_REDUNDANCY, AirtimeRequest, DeviceClass, SuccessCriteria
from otactl.lorawan.session import plan_session
from otactl.lorawan.session_values import AirtimeWarning, SessionPlan


class ImpossibleSessionError(LorawanError):
    """The session cannot be sent; `reasons` are one line each."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@lru_cache(maxsize=256)
def forecast(question: AirtimeRequest) -> AirtimeReport:
    """Answer a question; raises LorawanError (ImpossibleSessionError with several reasons) for what cannot be sent."""
    classes = question.classes or (DeviceClass(devices=question.devices, loss=Independent(ASSUMED_LOSS)),)
    assumed = [] if question.classes else [_loss_is_assumed()]
    asked, advice = question, None
    if question.redundancy_percent is None:
        _check_size(question)
        advice = _advice(question, classes)
        asked = _with_advice(question, advice if question.fragment_bytes is None else _of_its_size(question, classes))
        percent = asked.redundancy_percent
        text = f"no redundancy is declared; the figures assume {percent} %"
        assumed.append(AirtimeWarning("redundancy_is_assumed", text))
    plan = _plan(asked, asked.redundancy_percent or 0)
    _check(plan)
    gates, spread = gates_of(question, sum(each.devices for each in classes))
    fleet = _fleet(asked, plan, classes, gates)
    chance = fleet.worst_class
    reaches = chance.probability >= question.target
    fits = question.window_seconds is None or plan.occupied_seconds <= question.window_seconds
    if advice is None and (question.advice == "always" or not (reaches and fits)):
        advice = _advice(msgspec.structs.replace(question, data_rate=plan.data_rate), classes)
    warnings = [*assumed, *spread, *plan.warnings, *lints(plan, question.caps, question.variant)]
    warnings += _doubts(question, plan, chance, advice)
    worst = max(classes, key=lambda each: each.loss.loss)
    m, r = plan.fragments, plan.parity_fragments
    return AirtimeReport(
        session=plan,
        fleet=fleet,
        classes=classes,
        outage=question.outage,
        closed_form=textbook(m, r, worst.loss, question.caps.max_lost),
        energy=receive_energy(plan, question.sent, question.power_mw),
        target=question.target,
        reaches_target=reaches,
        fits_window=fits,
        window_seconds=question.window_seconds,
        lead_seconds=question.lead_seconds,
        gateway=None if question.devices_per_gateway is None else gateway_total(plan, question.devices_per_gateway),
        variant=question.variant,
        seed=question.seed,
        warnings=tuple(dict.fromkeys(warnings)),
        recommendation=advice,
    )


def _check_size(question: AirtimeRequest) -> None:
    """Refuse a declared size that cannot be sent with any redundancy, before advice is sought for a minute."""
    if question.fragment_bytes is not None:
        _check(_plan(question, 0))


def _check(plan: SessionPlan) -> None:
    if plan.violations:
        raise ImpossibleSessionError(tuple(each.message for each in plan.violations))


def _plan(question: AirtimeRequest, percent: int) -> SessionPlan:
    return plan_session(
        question.region,
        question.data_rate,
        question.image_bytes,
        question.fragment_bytes,
        percent,
        question.interval_ms,
        question.sent,
    )


def _with_advice(question: AirtimeRequest, advice: Recommendation | None) -> AirtimeRequest:
    """Apply the recommended redundancy, and with it the size that is not given; the interval is the shortest lawful."""
    if advice is None:
        return msgspec.structs.replace(question, redundancy_percent=ASSUMED_REDUNDANCY)
    return msgspec.structs.replace(
        question,
        data_rate=advice.data_rate,
        redundancy_percent=advice.redundancy_percent,
        fragment_bytes=advice.fragment_bytes,
    )


def _fleet(
    question: AirtimeRequest,
    plan: SessionPlan,
    classes: tuple[DeviceClass, ...],
    gates: tuple[tuple[int, SuccessCriteria], ...],
) -> FleetChance:
    if question.caps.refusal(plan.fragments, plan.fragment_bytes) is not None:
        devices = sum(each.devices for each in classes)
        never = Chance(probability=0.0, low=0.0, high=0.0, trials=0)
        none = dict.fromkeys(
            ("expected_updated", "all_updated", "all_updated_low", "gate_passes", "gate_passes_low"), 0.0
        )
        return FleetChance(devices=devices, worst_class=never, **none)
    return fleet_chance(
        Code(fragments=plan.fragments, variant=question.variant, max_lost=question.caps.max_lost),
        plan.parity_fragments,
        classes,
        gates=gates,
        outage=question.outage,
        seed=question.seed,
        target=question.target,
    )


def _of_its_size(question: AirtimeRequest, classes: tuple[DeviceClass, ...]) -> Recommendation | None:
    """Recommend for the fragment size that is given."""
    return _advice(question, classes, only_size=question.fragment_bytes)


def _advice(
    question: AirtimeRequest, classes: tuple[DeviceClass, ...], only_size: int | None = None
) -> Recommendation | None:
    where = _plan(question, 0)
    return recommend(
        Wish(
            region=question.region,
            data_rate=where.data_rate,
            only_size=only_size if question.devices_per_gateway is None else where.fragment_bytes,
            image_bytes=question.image_bytes,
            loss=max((each.loss for each in classes), key=lambda loss: loss.loss),
            target=question.target,
            window_seconds=question.window_seconds,
            variant=question.variant,
            caps=question.caps,
            sent=question.sent,
            power_mw=question.power_mw,
            seed=question.seed,
        )
    )


def _loss_is_assumed() -> AirtimeWarning:
    return AirtimeWarning("loss_is_assumed", f"no loss is given; the figures assume {100 * ASSUMED_LOSS:g} %")


def _doubts(
    question: AirtimeRequest, plan: SessionPlan, chance: Chance, advice: Recommendation | None
) -> list[AirtimeWarning]:
    found = []
    if chance.half_width > HALF_WIDTH:
        why = "this session is too large to try more often"
        if question.outage is not None:
            why = "under an outage it is counted at a few moments of it, with few trials each"
        text = f"the chance is known to {chance.half_width:.4f} only: {why}"
        found.append(AirtimeWarning("chance_is_coarse", text))
    if question.outage is not None:
        found.append(AirtimeWarning("advice_leaves_outages_out", "the recommendation does not count the shared outage"))
    if question.devices_per_gateway is not None:
        text = (
            f"single devices get one transmission each, of a size and rate the service chooses; the gateway's total "
            f"assumes {question.devices_per_gateway} devices behind one gateway"
        )
        found.append(AirtimeWarning("gateway_total_is_assumed", text))
    wanted = question.advice == "always" or chance.probability < question.target
    if wanted and advice is None:
        text = f"no lawful session at data rate {plan.data_rate} is confirmed to reach {question.target}"
        found.append(AirtimeWarning("no_setting_reaches_target", text))
    elif advice is not None and advice.fits_window is False:
        shortest = plan_session(
            question.region,
            advice.data_rate,
            question.image_bytes,
            advice.fragment_bytes,
            advice.redundancy_percent,
            advice.interval_ms,
            question.sent,
        )
        text = (
            f"even the shortest session within 80 % of the duty cycle that reaches {question.target} takes "
            f"{shortest.occupied_seconds} s, the "
            f"window has {question.window_seconds:.0f}: use a faster data rate, a smaller image or a longer window"
        )
        found.append(AirtimeWarning("no_setting_fits_window", text))
    return found
