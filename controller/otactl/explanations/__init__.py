"""Explains every code that otactl reports: what it means, why it exists and how to get out.

1. The YAML files of this package are the only text: `otactl explain CODE` and the pages of docs/reference show it.
2. A code is found in every form in which it is shown: `window_is_closed` is also the condition reason `WindowIsClosed`.
3. One code may have several explanations, as a hold and as a problem of a manifest.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

_FOLDER = Path(__file__).parent
PAGES = ("holds", "errors", "manifest", "airtime", "journal", "conditions", "failures", "adoption")
"""The files, in the order in which a person reads them."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The text of one code, in plain sentences; commands stand in backquotes."""

    means: str
    why: str
    fix: str


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes that belong together."""

    title: str
    codes: dict[str, Explanation]


class Page(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of codes: a file of this package and a page of docs/reference."""

    title: str
    intro: str
    sections: tuple[Section, ...]

    @property
    def codes(self) -> dict[str, Explanation]:
        """Return every explanation of the page by its code."""
        return {code: text for section in self.sections for code, text in section.codes.items()}


@cache
def page(name: str) -> Page:
    """Read one page; `name` is one of `PAGES`."""
    return msgspec.yaml.decode((_FOLDER / f"{name}.yaml").read_bytes(), type=Page)


def find(code: str) -> list[tuple[Page, str, Explanation]]:
    """Return each page that explains a code, with the code as the page writes it and its text."""
    wanted = _plain(code)
    pages = [page(name) for name in PAGES]
    return [(each, name, text) for each in pages for name, text in each.codes.items() if _plain(name) == wanted]


def every_code() -> list[str]:
    """Return all codes, in the order of the pages."""
    return list(dict.fromkeys(code for name in PAGES for code in page(name).codes))


def _plain(code: str) -> str:
    return code.replace("_", "").replace("-", "").lower()
