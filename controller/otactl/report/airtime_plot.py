"""Draws a session for a pull request: success and duration over redundancy.

1. Session time is linear in redundancy, so it is a second scale above the same axis, not a second curve.
2. Everything that colour shows, line style and words show too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from otactl.lorawan.report import AirtimeReport, Point
from otactl.report.airtime import losses, share
from otactl.report.svg import GOOD, GRID, STRONG, opening, text
from otactl.wording import about, count

HEIGHT = 516
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 830, 130, 440
_TEXTBOOK = "#b45f06"

Scale = Callable[[float], float]


def as_svg(airtime: AirtimeReport, points: Sequence[Point]) -> str:
    """Draw the picture; `points` rise in redundancy and are at least two."""
    most = points[-1].percent

    def x(percent: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * percent / most, 1)

    def y(chance: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * chance, 1)

    parts = [
        *opening(HEIGHT, _title(airtime)),
        text(_LEFT, 28, _title(airtime), size=17, weight="bold"),
        text(_LEFT, 48, _subtitle(airtime), size=13, colour="#444444"),
        text(_LEFT, 66, _declared(airtime), size=13, colour="#444444"),
        *_axes(points, x, y),
        *_curves(points, x, y),
        *_marks(airtime, points, x, y),
        *_legend(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


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


def _axes(points: Sequence[Point], x: Scale, y: Scale) -> Iterator[str]:
    for tenth in range(0, 11, 2):
        height = y(tenth / 10)
        yield _line([(_LEFT, height), (_RIGHT, height)], GRID)
        yield text(_LEFT - 8, height + 4, f"{tenth / 10:.1f}", anchor="end")
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
    yield text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "redundancy", anchor="middle")
    yield text((_LEFT + _RIGHT) / 2, _TOP - 30, "session time", anchor="middle")


def _ticks(points: Sequence[Point]) -> Iterable[Point]:
    step = next(s for s in (1, 2, 5, 10) if (len(points) - 1) / s <= 10)
    return points[::step]


def _curves(points: Sequence[Point], x: Scale, y: Scale) -> Iterator[str]:
    upper = [(x(p.percent), y(p.chance.high)) for p in points]
    lower = [(x(p.percent), y(p.chance.low)) for p in reversed(points)]
    yield f'<polygon points="{_joined([*upper, *lower])}" fill="{STRONG}" fill-opacity="0.2"/>'
    yield _line([(x(p.percent), y(p.textbook)) for p in points], _TEXTBOOK, width=2, dashes="7 5")
    yield _line([(x(p.percent), y(p.chance.probability)) for p in points], STRONG, width=2.5)


def _marks(airtime: AirtimeReport, points: Sequence[Point], x: Scale, y: Scale) -> Iterator[str]:
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


def _legend() -> Iterator[str]:
    height = HEIGHT - 8
    yield _line([(_LEFT, height - 4), (_LEFT + 34, height - 4)], STRONG, width=2.5)
    yield text(_LEFT + 42, height, "rows the standard uses, with their 95 % interval")
    yield _line([(_LEFT + 400, height - 4), (_LEFT + 434, height - 4)], _TEXTBOOK, width=2, dashes="7 5")
    yield text(_LEFT + 442, height, "textbook (uniform rows)")


def _line(places: Sequence[tuple[float, float]], colour: str, *, width: float = 1, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{_joined(places)}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'


def _joined(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{across},{down}" for across, down in places)
