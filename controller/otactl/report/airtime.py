"""Renders the radio planner's result as text, Markdown and JSON."""

from __future__ import annotations

import math

import msgspec

from otactl.lorawan.loss_models import Bursts, Loss, described
from otactl.lorawan.report import AirtimeReport, Setting
from otactl.report import sanitize
from otactl.report.airtime_values import AirtimeResult, AssumedLoss, GatewayTime, RadioWarning, RecommendationResult
from otactl.report.sanitize import cell, plain
from otactl.wording import about, count

_NOTICEABLE = 0.0005
_SURELY = 0.99995
"""From here on four digits read 1.0000."""


def result(airtime: AirtimeReport) -> AirtimeResult:
    """Return the figures as JSON has them: the session's own, whom it reaches, what it costs, what to do instead."""
    session = msgspec.structs.asdict(airtime.session)
    fleet = msgspec.structs.asdict(airtime.fleet)
    chance = airtime.chance
    del session["violations"], session["warnings"], fleet["worst_class"]
    gateway, advice = airtime.gateway, airtime.recommendation
    return AirtimeResult(
        **session,
        ts004=airtime.variant,
        losses=tuple(_loss(each.devices, each.loss) for each in airtime.classes),
        success_probability=chance.probability,
        success_interval=(chance.low, chance.high),
        trials=chance.trials,
        seed=airtime.seed,
        success_closed_form=airtime.closed_form,
        target=airtime.target,
        reaches_target=airtime.reaches_target,
        window_seconds=airtime.window_seconds,
        fits_window=airtime.fits_window,
        **fleet,
        rx_energy_joules=airtime.energy.until_end,
        rx_energy_joules_until_timeout=airtime.energy.until_timeout,
        start_lead_seconds=airtime.lead_seconds,
        gateway_total=GatewayTime(**msgspec.structs.asdict(gateway)) if gateway is not None else None,
        warnings=tuple(RadioWarning(code=each.code, message=each.message) for each in airtime.warnings),
        recommendation=msgspec.convert(msgspec.to_builtins(advice), RecommendationResult)
        if advice is not None
        else None,
    )


def _loss(devices: int, loss: Loss) -> AssumedLoss:
    burst = loss.mean_length if isinstance(loss, Bursts) else None
    return AssumedLoss(devices=devices, loss=loss.loss, burst_fragments=burst)


def as_json(airtime: AirtimeReport) -> str:
    """Return one JSON object, as schemas/v1/airtime.schema.json says."""
    return sanitize.as_json(result(airtime))


def as_text(airtime: AirtimeReport) -> str:
    """Return the answer for a terminal."""
    plan = airtime.session
    lines = [
        f"{plan.region} data rate {plan.data_rate}, {plan.image_bytes} bytes in fragments of {plan.fragment_bytes}"
    ]
    lines += [f"  {title:<11} {text}" for title, text in rows(airtime)]
    lines += [f"  warning: {each.code}: {each.message}" for each in airtime.warnings]
    return "\n".join(plain(line) for line in lines)


def as_markdown(airtime: AirtimeReport) -> str:
    """Return the answer for a pull request."""
    plan = airtime.session
    lines = [f"### Radio: {plan.region} data rate {plan.data_rate}, fragments of {plan.fragment_bytes} bytes", ""]
    lines += [*table(airtime), "", *(f"- warning `{each.code}`: {cell(each.message)}" for each in airtime.warnings)]
    return "\n".join(lines)


def table(airtime: AirtimeReport) -> list[str]:
    """Return all figures as a table of a pull request."""
    return ["| | |", "|---|---|", *(f"| {title} | {cell(text)} |" for title, text in rows(airtime))]


def line(airtime: AirtimeReport) -> str:
    """Return the session in one line; single devices are sent one each, so theirs ends with what the gateway needs."""
    plan, total = airtime.session, airtime.gateway
    lasts = about(plan.session_seconds)
    if total is not None and total.devices > 1:
        lasts += f" each, {about(total.shortest_seconds)} at least for the {total.devices} devices of a gateway"
    return (
        f"{plan.fragments} + {plan.parity_fragments} fragments, {plan.time_on_air_ms:.1f} ms each every "
        f"{plan.spacing_ms / 1000:g} s: {lasts}, duty cycle {plan.duty_cycle_percent:.2f} %"
    )


def chance_line(airtime: AirtimeReport) -> str:
    """Return whom the session reaches, and what would reach more, in one line."""
    chance = airtime.chance
    real = share(chance.probability, known=not chance.trials)
    textbook = share(airtime.closed_form)
    text = f"a device rebuilds the image with {real} (textbook {textbook}) at {losses(airtime)}"
    if airtime.meets:
        return text
    return f"{text}; {_missed(airtime)}"


def rows(airtime: AirtimeReport) -> list[tuple[str, str]]:
    """Return all figures for people, each a title and a text."""
    plan, chance, fleet = airtime.session, airtime.chance, airtime.fleet
    counted = chance.trials > 0
    all_of_them = _range(fleet.all_updated_low, fleet.all_updated, known=not counted)
    gate = _range(fleet.gate_passes_low, fleet.gate_passes, known=not counted)
    chances = f"{share(chance.probability, known=not counted)} ({share(chance.low)} to {share(chance.high)})"
    if chance.low < _SURELY <= chance.probability:
        chances = f"at least {math.floor(1e4 * chance.low) / 1e4:.4f}"
    figures = {
        "fragments": f"{plan.fragments} + {plan.parity_fragments} parity ({plan.parity_fragments_rounded_up} if the "
        f"service rounds up), {plan.padding_bytes} bytes padding",
        "on air": f"{plan.time_on_air_ms:.1f} ms each, one every {plan.spacing_ms / 1000:g} s: "
        f"{plan.duty_cycle_percent:.2f} % of the time, the limit is {plan.duty_cycle_limit_percent:g} %",
        "session": f"{about(plan.session_seconds)}, expected timeout {about(plan.class_c_timeout_seconds)}"
        + _lead(airtime),
        "success": f"{chances} per device at {losses(airtime)}, on {airtime.variant.value} rows; "
        f"textbook {share(airtime.closed_form)}",
        "fleet": f"{fleet.expected_updated:.1f} of {count(fleet.devices, 'device')} expected; "
        f"the chance that all are is {all_of_them}, that every gate passes {gate}",
        "energy": f"{airtime.energy.until_end:.1f} J receiving per device, "
        f"{airtime.energy.until_timeout:.1f} J if it listens until the timeout",
    }
    if airtime.gateway is not None:
        total = airtime.gateway
        figures["gateway"] = (
            f"{about(total.on_air_seconds)} on air for {count(total.devices, 'device')} one by one, "
            f"at least {about(total.shortest_seconds)} within the duty cycle"
        )
    figures["verdict"] = f"reaches the target of {airtime.target}" if airtime.meets else _missed(airtime)
    advice = airtime.recommendation
    listed = list(figures.items())
    if advice is not None:
        uncounted = "" if airtime.outage is None else "; the shared outage is not counted"
        listed.append(("recommended", f"{_setting(advice)}: {advice.why}{uncounted}"))
        listed += [("or", f"{_setting(other)}: {other.why}") for other in advice.runners_up]
    return listed


def _missed(airtime: AirtimeReport) -> str:
    parts = []
    if not airtime.reaches_target:
        parts.append(f"misses the target of {airtime.target}")
    if not airtime.fits_window and airtime.window_seconds is not None:
        parts.append(f"does not fit the window of {about(airtime.window_seconds)}")
    advice = airtime.recommendation
    if advice is None or airtime.reaches_target:
        return " and ".join(parts)
    # The recommendation does not count a shared outage: no promise may rest on it.
    without = "" if airtime.outage is None else " if there were no outage"
    return f"{' and '.join(parts)}; {_setting(advice)} would reach it{without}"


def _setting(setting: Setting) -> str:
    return (
        f"{setting.fragment_bytes} bytes, {setting.redundancy_percent} %, every {setting.interval_ms / 1000:g} s "
        f"({setting.fragments} + {setting.parity_fragments}, {about(setting.session_seconds)})"
    )


def losses(airtime: AirtimeReport) -> str:
    """Return what is assumed to be lost, in words."""
    parts = [described(each.loss) for each in airtime.classes]
    return parts[0] if len(parts) == 1 else "the worst of " + ", ".join(parts)


def _lead(airtime: AirtimeReport) -> str:
    return (
        ""
        if airtime.lead_seconds is None
        else f", begins {about(airtime.lead_seconds)} or more after the start request"
    )


def share(value: float, *, known: bool = True) -> str:
    """Return a probability to four digits that never reads as certain when it is not; one that was counted never is."""
    text = f"{value:.4f}"
    if text == "1.0000" and (value < 1 or not known):
        return "above 0.9999"
    return "below 0.0001" if text == "0.0000" and (value > 0 or not known) else text


def _range(low: float, value: float, *, known: bool) -> str:
    """Return a chance of a whole fleet: from its low end to what was counted, or one figure where they are alike.

    A doubt of 0.001 about one device is large for 500: "above 0.9999" is said only where the low end is above, too.
    """
    if value - low < _NOTICEABLE and not low < _SURELY <= value:
        return share(value, known=known)
    digits = 3 if value - low >= 10 * _NOTICEABLE else 4
    unit = 10**digits
    return f"{math.floor(low * unit) / unit:.{digits}f} to {min(round(value, digits), 1 - 1 / unit):.{digits}f}"
