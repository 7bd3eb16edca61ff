"""Provides the SVG parts of report pictures.

1. SVG, written here: forges render it in a pull request and no plotting library (tens of megabytes) is needed for it.
2. The ground is white whatever the page's is.
"""

from __future__ import annotations

from html import escape as _markup

from otactl.report.sanitize import plain

WIDTH = 860
GRID, GOOD, STRONG = "#d9d9d9", "#38761d", "#0b5394"


def opening(height: int, title: str) -> list[str]:
    """Return how a picture starts; `title` is for those who do not see it."""
    extent = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {extent} role="img" aria-label="{escape(title)}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]


def escape(text: str) -> str:
    """Escape a service's words for XML: a control character would make the whole picture unreadable."""
    return _markup(plain(text))


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 12,
    weight: str = "normal",
    colour: str = "#000000",
    anchor: str = "start",
) -> str:
    """Draw words at a place."""
    style = f'font-family="sans-serif" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" {style}>{escape(words)}</text>'
