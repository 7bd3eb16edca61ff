"""Draws a session for a pull request: success and duration over redundancy.

1. Session time is linear in redundancy, so it is a second scale above the same axis, not a second curve.
2. The scale of the chance is that of log-odds, so 0.97, 0.99 and 0.999 are apart: they mean 30, 10 and 1 failed devices
   of 1,000. It ends at the chances that are named on it; what lies beyond is drawn there.
3. Everything that colour shows, line style, shape and words show too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from otactl.lorawan.report import AirtimeReport, Point, Recommendation
from otactl.report.airtime import losses, share
from otactl.report.svg import GOOD, GRID, STRONG, opening, text
from otactl.wording import about, count

HEIGHT = 590
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 830, 182, 492
_TEXTBOOK = "#b45f06"
_MUTED = "#444444"
CHANCES = (0.01, 0.1, 0.5, 0.9, 0.97, 0.99, 0.997, 0.999, 0.9999)
"""The chances that the scale names, from its bottom to its top."""
_ADVISED = "#674ea7"
_LABEL = 100

REDUNDANCY = "redundancy: parity fragments in percent of the image's own"

Scale = Callable[[float], float]


def as_svg(airtime: AirtimeReport, points: Sequence[Point]) -> str:
    """Draw the picture; `points` rise in redundancy and are at least two."""
    most = points[-1].percent

    def x(percent: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * percent / most, 1)

    below = [_subtitle(airtime), _declared(airtime), *_recommended(airtime), _fleet(airtime), *_lead(airtime)]
    parts = [
        *opening(HEIGHT, f"{_title(airtime)}: {'; '.join(below)}"),
        text(20, 28, _title(airtime), size=17, weight="bold"),
        *(text(20, 48 + 18 * n, line, size=13, colour=_MUTED) for n, line in enumerate(below)),
        *_axes(points, x),
        *_curves(points, x),
        *_marks(airtime, points, x),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def y(chance: float) -> float:
    """Return how far down a chance lies (rule 2)."""
    low, high = _log_odds(CHANCES[0]), _log_odds(CHANCES[-1])
    share = (_log_odds(min(max(chance, CHANCES[0]), CHANCES[-1])) - low) / (high - low)
    return round(_BOTTOM - (_BOTTOM - _TOP) * share, 1)


def _log_odds(chance: float) -> float:
    return math.log(chance / (1 - chance))


def _title(airtime: AirtimeReport) -> str:
    plan = airtime.session
    many = count(plan.fragments, "fragment")
    return (
        f"{plan.region} data rate {plan.data_rate}: {plan.image_bytes} bytes as {many} of "
        f"{plan.fragment_bytes}, one every {plan.spacing_ms / 1000:g} s"
    )


def _subtitle(airtime: AirtimeReport) -> str:
    if any(each.code == "device_refuses_session" for each in airtime.warnings):
        return "the device refuses the session: no redundancy rebuilds the image"
    without = "" if airtime.outage is None else "; curves without the shared outage"
    return f"chance that a device rebuilds the image at {losses(airtime)}{without}"


def _declared(airtime: AirtimeReport) -> str:
    chance, parity = airtime.chance, airtime.session.parity_fragments
    many = count(parity, "parity fragment")
    chances = share(chance.probability, known=not chance.trials)
    return f"declared: {many}, {chances} ({share(chance.low)} to {share(chance.high)})"


def _recommended(airtime: AirtimeReport) -> list[str]:
    advice = airtime.recommendation
    if advice is None:
        return []
    low, _ = advice.success_interval
    chances = f"{share(advice.success_probability)} (at least {share(low)}), {about(advice.session_seconds)}"
    return [f"recommended: {_setting(advice)}: {chances}"]


def _setting(advice: Recommendation) -> str:
    return f"{advice.fragment_bytes} bytes, {advice.redundancy_percent} %, every {advice.interval_ms / 1000:g} s"


def _fleet(airtime: AirtimeReport) -> str:
    fleet = airtime.fleet
    return f"{fleet.expected_updated:,.1f} of {count(fleet.devices, 'device')} expected to rebuild the image"


def _lead(airtime: AirtimeReport) -> list[str]:
    seconds = airtime.lead_seconds
    return [f"lead time: the session starts {about(seconds)} or more after the start request"] if seconds else []


def _axes(points: Sequence[Point], x: Scale) -> Iterator[str]:
    for chance in CHANCES:
        height = y(chance)
        yield _line([(_LEFT, height), (_RIGHT, height)], GRID)
        yield text(_LEFT - 8, height + 4, f"{chance:g}", anchor="end")
    shown = ""
    for point in _ticks(points):
        across = x(point.percent)
        yield _line([(across, _BOTTOM), (across, _BOTTOM + 5)], "#000000")
        yield text(across, _BOTTOM + 20, f"{point.percent} %", anchor="middle")
        yield _line([(across, _TOP - 5), (across, _TOP)], "#000000")
        if shown != (shown := about(point.session_seconds)):  # little redundancy of few fragments takes no longer
            yield text(across, _TOP - 10, shown, anchor="middle")
    yield _line([(_LEFT, _BOTTOM), (_RIGHT, _BOTTOM)], "#000000")
    yield _line([(_LEFT, _TOP), (_RIGHT, _TOP)], "#000000")
    yield text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, REDUNDANCY, anchor="middle")
    yield text((_LEFT + _RIGHT) / 2, _TOP - 30, "session time", anchor="middle")
    yield text(20, _TOP - 30, "chance (log-odds)")


def _ticks(points: Sequence[Point]) -> Iterable[Point]:
    step = next(s for s in (1, 2, 5, 10) if (len(points) - 1) / s <= 10)
    return points[::step]


def _curves(points: Sequence[Point], x: Scale) -> Iterator[str]:
    upper = [(x(p.percent), y(p.chance.high)) for p in points]
    lower = [(x(p.percent), y(p.chance.low)) for p in reversed(points)]
    yield f'<polygon points="{_joined([*upper, *lower])}" fill="{STRONG}" fill-opacity="0.25"/>'
    yield _line([(x(p.percent), y(p.textbook)) for p in points], _TEXTBOOK, width=2, dashes="7 5")
    yield _line([(x(p.percent), y(p.chance.probability)) for p in points], STRONG, width=2.5)


def _marks(airtime: AirtimeReport, points: Sequence[Point], x: Scale) -> Iterator[str]:
    target = y(airtime.target)
    yield _line([(_LEFT, target), (_RIGHT, target)], GOOD, width=1.5, dashes="2 4")
    yield text(_LEFT + 6, target + 15, f"target {airtime.target}", colour=GOOD)
    plan = airtime.session
    declared = min(
        -(-100 * plan.parity_fragments // plan.fragments), points[-1].percent
    )  # the least that makes as many
    across, up = x(declared), y(airtime.chance.probability)
    yield _line([(across, _TOP), (across, _BOTTOM)], "#000000", dashes="1 3")
    yield f'<circle cx="{across}" cy="{up}" r="5" fill="{STRONG}" stroke="#ffffff"/>'
    near_right = across > (_LEFT + _RIGHT) / 2
    yield text(across + (-8 if near_right else 8), _BOTTOM - 8, "declared", anchor="end" if near_right else "start")
    advice = airtime.recommendation
    if advice is None:
        return
    # Of other fragments than the declared ones: it need not lie on the curve.
    across, up = x(min(advice.redundancy_percent, points[-1].percent)), y(advice.success_probability)
    diamond = [(across, up - 7), (across + 7, up), (across, up + 7), (across - 7, up)]
    yield f'<polygon points="{_joined(diamond)}" fill="{_ADVISED}" stroke="#ffffff"/>'
    place, anchor = (across - 11, "end") if across - _LEFT > _LABEL else (across + 11, "start")
    yield text(place, up - 2, "recommended", anchor=anchor, colour=_ADVISED)


def _legend() -> Iterator[str]:
    height = HEIGHT - 30
    yield _line([(_LEFT, height - 4), (_LEFT + 34, height - 4)], STRONG, width=2.5)
    yield text(_LEFT + 42, height, "rows the standard uses")
    band = f'x="{_LEFT + 230}" y="{height - 11}" width="34" height="14"'
    yield f'<rect {band} fill="{STRONG}" fill-opacity="0.25"/>'
    yield text(_LEFT + 272, height, "their 95 % interval")
    yield _line([(_LEFT + 430, height - 4), (_LEFT + 464, height - 4)], _TEXTBOOK, width=2, dashes="7 5")
    yield text(_LEFT + 472, height, "textbook (uniform rows)")
    height += 20
    yield f'<circle cx="{_LEFT + 17}" cy="{height - 4}" r="5" fill="{STRONG}" stroke="#ffffff"/>'
    yield text(_LEFT + 42, height, "declared")
    across = _LEFT + 247
    diamond = [(across, height - 11), (across + 7, height - 4), (across, height + 3), (across - 7, height - 4)]
    yield f'<polygon points="{_joined(diamond)}" fill="{_ADVISED}" stroke="#ffffff"/>'
    yield text(_LEFT + 272, height, "recommended, of the fragments it names")


def _line(places: Sequence[tuple[float, float]], colour: str, *, width: float = 1, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{_joined(places)}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _joined(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{across},{down}" for across, down in places)
