"""Renders which journals a run used, from one value for every verb."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from otactl.model import JsonObject, Value
from otactl.report.sanitize import cell, plain


class UsedJournal(Value, frozen=True, kw_only=True):
    """A journal, of one environment or ("") of all that name no other; `origin` is who named it, "" for the default.

    `place` is the whole path or URL, `shown` the same as short as it is clear from the working folder.
    """

    environment: str = ""
    place: str
    shown: str
    origin: str = ""


class Journals(Value, frozen=True, kw_only=True):
    """The journals a report is from; a report has these fields only where a journal was read."""

    journal: Annotated[
        str | None,
        Meta(
            description="The journal that was used, as a whole path or URL; null where there was none, or several.",
            examples=["/srv/firmware/.otactl/journal.db", "s3://acme-otactl-journal/prod-eu"],
        ),
    ]
    journals: Annotated[
        dict[str, str],
        Meta(
            description="The journal of each environment of which it is known that it has one.",
            examples=[{"prod-eu": "/srv/firmware/.otactl/journal.db"}],
        ),
    ]


def document(used: Iterable[UsedJournal]) -> JsonObject:
    """Return the JSON keys: `journal`, the one that was used, null for several or none; `journals`, by environment."""
    known = tuple(used)
    places = {each.place for each in known}
    return {
        "journal": places.pop() if len(places) == 1 else None,
        "journals": {each.environment: each.place for each in known if each.environment},
    }


def with_journals(report: Value, used: tuple[UsedJournal, ...]) -> JsonObject:
    """Return a report as JSON, with the journals it is from."""
    built: JsonObject = msgspec.to_builtins(report)
    return {**built, **document(used)} if used else built


def footer(used: tuple[UsedJournal, ...], style: str) -> list[str]:
    """Return the lines below a report: none where no journal was read."""
    if style == "markdown":
        return ["", *(f"*{cell(line)}*" for line in lines(used))] if used else []
    return [plain(line) for line in lines(used)] if used else []


def lines(used: Iterable[UsedJournal]) -> list[str]:
    """Return a line for people, or one for each environment where they differ."""
    known = tuple(used)
    if len({each.place for each in known}) == 1:
        return [f"journal {_named(known[0])}"]
    return [f"journal of {each.environment or 'other environments'}: {_named(each)}" for each in known]


def _named(used: UsedJournal) -> str:
    return f"{used.shown} ({used.origin})" if used.origin else used.shown
