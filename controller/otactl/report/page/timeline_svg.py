"""Draws the rows of a timeline as SVG that stretches with the page: places in percent, heights and text in pixels.

Colours are the page's style; every stretch and mark has a title, and its shape or pattern says what its colour says.
"""

from __future__ import annotations

from markupsafe import Markup

from otactl.report.page.timeline import Mark, Stretch, Timeline, TimeRow
from otactl.report.sanitize import plain

_ROW, _AXIS = 28, 22
_PLACES = {
    "prepared": (13, 2),
    "lead": (12, 4),
    "planned": (7, 14),
    "session": (7, 14),
    "soak": (9, 10),
    "allow": (6, 16),
    "deny": (6, 16),
    "freeze": (6, 16),
    "hold": (8, 12),
    "stalled": (8, 12),
}
"""Top and height of each kind in a row."""
_MARKS = {
    "passed": "M0,-8 8,0 0,8 -8,0Z",
    "failed": "M-6,-6 6,6M6,-6 -6,6",
    "undecided": "M-6,-6h12v12h-12Z",
}
_ORDER = ("allow", "deny", "freeze", "prepared", "lead", "planned", "session", "soak")


def row_svg(timeline: Timeline, row: TimeRow) -> Markup:
    """Draw one row."""
    ordered = sorted(row.stretches, key=lambda s: _ORDER.index(s.kind) if s.kind in _ORDER else len(_ORDER))
    parts = [_ground(timeline), *(_stretch(timeline, s) for s in ordered), *(_mark(timeline, m) for m in row.marks)]
    return Markup('<svg class="tl" height="{}" aria-hidden="true">{}</svg>').format(_ROW, Markup("").join(parts))


def axis_svg(timeline: Timeline) -> Markup:
    """Draw the axis: round times in UTC, and now."""
    parts = []
    days = (timeline.end - timeline.start).total_seconds() > 3 * 86400
    for number, tick in enumerate(timeline.ticks):
        words = f"{tick:%d %b}" if days else f"{tick:%H:%M}" if number else f"{tick:%d %b %H:%M}"
        kind = "tick" if number % 2 == 0 else "tick odd"
        parts.append(_label(timeline.percent(tick), kind, words))
    return Markup('<svg class="tl axis" height="{}" aria-hidden="true">{}</svg>').format(_AXIS, Markup("").join(parts))


def legend_svg(kind: str) -> Markup:
    """Draw the sample of one kind."""
    if kind in _MARKS:
        inner = Markup('<svg x="14" y="10" overflow="visible"><path class="mark {}" d="{}"/></svg>').format(
            kind, _MARKS[kind]
        )
    else:
        top, tall = _PLACES.get(kind, (8, 12))
        inner = Markup('<rect class="bar {}" x="1" y="{}" width="26" height="{}"/>').format(kind, top - 4, tall)
    return Markup('<svg class="sample" width="28" height="20" aria-hidden="true">{}</svg>').format(inner)


def _ground(timeline: Timeline) -> Markup:
    lines = [
        Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(timeline.percent(t))
        for t in timeline.ticks
    ]
    if timeline.now is not None:
        here = timeline.percent(timeline.now)
        lines.append(Markup('<line class="now" x1="{0}%" x2="{0}%" y1="0" y2="100%"/>').format(here))
    return Markup("").join(lines)


def _stretch(timeline: Timeline, stretch: Stretch) -> Markup:
    left = timeline.percent(stretch.start)
    wide = round(timeline.percent(stretch.end) - left, 2)
    top, tall = _PLACES.get(stretch.kind, (8, 12))
    return Markup('<rect class="bar {}" x="{}%" y="{}" width="{}%" height="{}"><title>{}</title></rect>').format(
        stretch.kind, left, top, wide, tall, plain(stretch.title)
    )


def _mark(timeline: Timeline, mark: Mark) -> Markup:
    place = Markup('<svg x="{}%" y="14" overflow="visible">').format(timeline.percent(mark.at))
    shape = Markup('<path class="mark {}" d="{}"><title>{}</title></path></svg>')
    return place + shape.format(mark.kind, _MARKS[mark.kind], plain(mark.title))


def _label(left: float, kind: str, words: str) -> Markup:
    anchor = "start" if left < 8 else "end" if left > 92 else "middle"
    line = Markup('<line class="grid" x1="{0}%" x2="{0}%" y1="16" y2="100%"/>').format(left)
    text = Markup('<text class="{}" x="{}%" y="12" text-anchor="{}">{}</text>')
    return line + text.format(kind, left, anchor, words)
