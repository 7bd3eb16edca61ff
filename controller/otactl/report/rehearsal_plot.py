"""Draws a rehearsal for a pull request: sessions, waits and verdicts of each wave over time.

1. One seed is drawn, the one in the middle; how the ends of all seeds lie is drawn below each rollout.
2. Everything that colour shows, shape and words show too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from otactl.rehearsal.results import Rehearsal, RolloutCourse, Span, Wait, WaveCourse
from otactl.report.rehearsal import length
from otactl.report.svg import GOOD, GRID, STRONG, escape, opening, text
from otactl.wording import count

_LEFT, _RIGHT, _TOP, _ROW = 270, 830, 102, 26
_WAIT, _BAD = "#999999", "#990000"
_STEPS = (60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000)
SHORTEST_WAIT = 60.0

Scale = Callable[[datetime], float]


def as_svg(found: Rehearsal) -> str:
    """Draw the picture."""
    course = found.typical
    ends = [c.ended_at for c in found.courses]
    whole = max((max(ends) - found.at).total_seconds(), 60.0)

    def x(moment: datetime) -> float:
        share = (moment - found.at).total_seconds() / whole
        return round(_LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share)), 1)

    rows = sum(len(r.waves) + 1 for r in course.rollouts)
    bottom = _TOP + rows * _ROW
    height = bottom + 82
    good = sum(c.succeeded for c in found.courses)
    began = f"{found.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    title = f"Rehearsal from {began}: all succeed in {good} of {count(len(found.courses), 'seed')}"
    parts = [
        *opening(height, title),
        _hatch(),
        text(20, 28, title, size=17, weight="bold"),
        text(20, 48, f"drawn is seed {course.seed}, the one in the middle", size=13, colour="#444444"),
        text((_LEFT + _RIGHT) / 2, _TOP - 34, "time since the start", anchor="middle"),
        *_axis(whole, bottom),
    ]
    down = _TOP
    for rollout in course.rollouts:
        parts += [text(20, down + 17, _short(rollout.name, 26), weight="bold"), *_ends(found, rollout, down, x)]
        down += _ROW
        for wave in rollout.waves:
            parts += [text(34, down + 17, _label(wave)), *_wave(rollout, wave, down, x)]
            down += _ROW
    return "\n".join([*parts, *_legend(bottom + 48), "</svg>"]) + "\n"


def _label(wave: WaveCourse) -> str:
    """Name a wave, and count its devices."""
    reached = f"{wave.succeeded} of {count(wave.devices, 'device')}" if wave.devices else "not started"
    return f"wave {_short(wave.name, 14)}: {reached}"


def _axis(whole: float, bottom: int) -> Iterator[str]:
    step = next((s for s in _STEPS if whole / s <= 8), _STEPS[-1])
    for number in range(int(whole // step) + 1):
        across = round(_LEFT + (_RIGHT - _LEFT) * number * step / whole, 1)
        yield _line(across, _TOP - 6, across, bottom, GRID)
        yield text(across, _TOP - 12, length(number * step), anchor="middle")
    yield _line(_LEFT, bottom, _RIGHT, bottom, "#000000")


def _ends(found: Rehearsal, rollout: RolloutCourse, down: int, x: Scale) -> Iterator[str]:
    """Yield where the seeds end: a bar from the first to the last, and a mark for the one that is drawn."""
    ends = [r.ended_at for c in found.courses for r in c.rollouts if r.key == rollout.key]
    middle = down + _ROW / 2
    yield _line(x(min(ends)), middle, x(max(ends)), middle, "#000000", width=3)
    good = rollout.outcome.value == "succeeded"
    across = x(rollout.ended_at)
    yield f'<circle cx="{across}" cy="{middle}" r="5" fill="{GOOD if good else _BAD}" stroke="#ffffff"/>'
    near = across > (_LEFT + _RIGHT) / 2
    words = f"{rollout.outcome.value} after {length((rollout.ended_at - found.at).total_seconds())}"
    left = min(x(min(ends)), across)
    place, anchor = (left - 10, "end") if near else (max(x(max(ends)), across) + 10, "start")
    yield text(place, middle + 4, words, anchor=anchor, colour=GOOD if good else _BAD)


def _wave(rollout: RolloutCourse, wave: WaveCourse, down: int, x: Scale) -> Iterator[str]:
    for wait in rollout.waits:
        if wait.wave == wave.name and (wait.until - wait.since).total_seconds() >= SHORTEST_WAIT:
            yield _bar(wait.since, wait.until, down + 8, 10, "url(#wait)", _wait_title(wait), x)
    for span in wave.attempts:
        if span.start_at is not None:
            title = f"{span.unit}: {span.succeeded} updated, {span.failed} failed"
            sent = _sent(rollout, span)
            if sent is not None and span.start_at - sent >= timedelta(seconds=SHORTEST_WAIT):
                lasts = length((span.start_at - sent).total_seconds())
                lead = f"{span.unit}: sent {lasts} before its start"
                yield _bar(sent, span.start_at, down + 11, 4, STRONG, lead, x)
            end = span.ended_at or rollout.ended_at
            yield _bar(span.start_at, max(end, span.start_at), down + 5, 16, STRONG, title, x)
    if wave.verdict_at is not None:
        across, middle = x(wave.verdict_at), down + 13
        if wave.passed:
            points = f"{across},{middle - 7} {across + 7},{middle} {across},{middle + 7} {across - 7},{middle}"
            mark = f'<polygon points="{points}" fill="{GOOD}" stroke="#ffffff">'
            yield f"{mark}<title>{escape(f'passed: {wave.verdict}')}</title></polygon>"
        else:
            strokes = f"M{across - 6},{middle - 6}l12,12m0,-12l-12,12"
            mark = f'<path d="{strokes}" stroke="{_BAD}" stroke-width="4" fill="none">'
            yield f"{mark}<title>{escape(f'failed: {wave.verdict}')}</title></path>"


def _sent(rollout: RolloutCourse, span: Span) -> datetime | None:
    """Return when the start of an attempt was sent: with its own call, or with the creation where that is the start."""
    sent = [e for e in rollout.events if e.kind == "sent" and e.subject == span.unit]
    for action in ("startUnit", "createUnit"):
        found = [e.at for e in sent if e.message.startswith(f"{action}:")]
        if found:
            return found[-1]
    return None


def _wait_title(wait: Wait) -> str:
    return f"{wait.reason}: {wait.message}"


def _bar(since: datetime, until: datetime, y: float, tall: float, fill: str, title: str, x: Scale) -> str:
    wide = round(max(2.0, x(until) - x(since)), 1)
    place = f'x="{x(since)}" y="{y}" width="{wide}" height="{tall}"'
    return f'<rect {place} fill="{fill}"><title>{escape(title)}</title></rect>'


def _hatch() -> str:
    lines = f'<path d="M0,6 l6,-6" stroke="{_WAIT}" stroke-width="1.5"/>'
    return f'<defs><pattern id="wait" width="6" height="6" patternUnits="userSpaceOnUse">{lines}</pattern></defs>'


def _legend(down: int) -> Iterator[str]:
    yield f'<rect x="20" y="{down - 11}" width="30" height="14" fill="{STRONG}"/>'
    yield text(58, down, "on air, or a job that runs")
    yield f'<rect x="250" y="{down - 6}" width="30" height="4" fill="{STRONG}"/>'
    yield text(288, down, "start sent: lead time")
    yield f'<rect x="460" y="{down - 9}" width="30" height="10" fill="url(#wait)"/>'
    yield text(498, down, "held: window, soak, answers, retry")
    down += 22
    yield f'<polygon points="35,{down - 11} 42,{down - 4} 35,{down + 3} 28,{down - 4}" fill="{GOOD}"/>'
    yield text(58, down, "gate passed")
    yield f'<path d="M259,{down - 10}l12,12m0,-12l-12,12" stroke="{_BAD}" stroke-width="4" fill="none"/>'
    yield text(288, down, "gate failed")
    yield _line(460, down - 4, 490, down - 4, "#000000", width=3)
    yield text(498, down, "ends of all seeds")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" stroke-width="{width}"/>'
