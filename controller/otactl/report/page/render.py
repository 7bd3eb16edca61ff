"""Renders the page: one HTML file that asks no one for anything.

1. Style, script, icons, pictures and data are in the file. Its Content-Security-Policy allows exactly this style and
   this script, by their digests, pictures that are written into it, and no connection at all.
2. Every value is escaped by the template, and what would act on the reading direction is shown as its code.
3. Overview, rollouts and drift are plain HTML. The list of devices needs the script, and says so where it is off.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from otactl.model import Json, iso
from otactl.report.page.device_data import device_data
from otactl.report.page.facts import FleetFacts, Picture
from otactl.report.page.fleet_view import fleet_view, is_environment
from otactl.report.page.rollout_values import age, lasting
from otactl.report.sanitize import plain, short_json

_ASSETS = Path(__file__).parent / "assets"
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_WIDEST = 120
_KINDS = {
    "allow": "window: starts are allowed",
    "deny": "no starts",
    "freeze": "freeze of the environment",
    "prepared": "created, not started",
    "lead": "start sent, lead time",
    "planned": "planned session",
    "session": "session or job, to its results",
    "soak": "soak",
    "hold": "held",
    "stalled": "held for a person",
    "passed": "gate passed",
    "failed": "gate failed",
    "undecided": "gate not decided",
}
"""What the legend of a timeline calls its kinds."""


class Page(NamedTuple):
    """The page as HTML with its Content-Security-Policy, and how many rollouts and devices it shows."""

    html: str
    policy: str
    rollouts: int
    devices: int


def page(facts: FleetFacts) -> Page:
    """Render the page. Raises: ModuleNotFoundError where Jinja2 is not installed."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    from otactl.report.page import timeline_svg

    view = fleet_view(facts)
    style, script = ((_ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    templates = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    templates.filters.update(utc=_utc, number=_number, value=_value, iso=iso, quoted=_quoted)
    templates.filters["age"] = lambda at: age(at, facts.built_at)
    templates.filters["lasting"] = lambda at: lasting(at, facts.built_at)
    templates.globals.update(
        row_svg=timeline_svg.row_svg,
        axis_svg=timeline_svg.axis_svg,
        legend_svg=timeline_svg.legend_svg,
        is_environment=is_environment,
        kind_words=_kind,
        picture_source=_source,
    )
    allowed = policy(style, script)
    html = templates.get_template("page.html").render(
        view=view,
        policy=allowed,
        style=Markup(style),  # noqa: S704 - a file of this package
        script=Markup(script),  # noqa: S704 - the same
        data=Markup(device_data(view)),  # noqa: S704 - escaped there
    )
    return Page(html, allowed, len(view.rollouts), len(view.index.devices))


def policy(style: str, script: str) -> str:
    """Return the Content-Security-Policy of a page with this style and this script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _template(name: str) -> str:
    """Read a template without its indentation, which would be a fifth of the page."""
    return _INDENT.sub("", (_ASSETS / name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _shown(value: object) -> object:
    """Return a value as the template writes it (rule 2); what is markup already stays."""
    return plain(value) if type(value) is str else value


def _utc(at: str) -> str:
    """Return a time that is not broken between lines."""
    return f"{datetime.fromisoformat(at):%Y-%m-%d\u00a0%H:%M}\u00a0UTC"


def _number(value: int) -> str:
    return f"{value:,}"


def _value(value: Json) -> str:
    text = short_json(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _kind(kind: str) -> str:
    return _KINDS.get(kind, kind.removeprefix("phase-"))


def _source(picture: Picture) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg.encode()).decode()
