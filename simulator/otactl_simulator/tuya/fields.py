"""Reads the parameters of an operation: all arrive as text, lists as `Name.N`.

Codes are of the families the error page names [V]: iot.check and iot.common; the words after them are inferred [I],
but for iot.common.InvalidPageParams [V].
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from otactl_simulator.service import ModelledError

T = TypeVar("T")
MOST_ROWS = 100_000  # CurrentPage times PageSize [V Alibaba, I Tuya]
_TRUTH = {"true": True, "false": False}


class Given:
    """The parameters of one request."""

    def __init__(self, parameters: Mapping[str, object]) -> None:
        self._parameters = parameters

    def has(self, name: str) -> bool:
        """Return whether a parameter was given; an empty text counts as none."""
        return self._parameters.get(name) not in (None, "", [])

    def text(self, name: str, default: str = "", *, longest: int = 1024, pattern: str = "") -> str:
        """Return a text that may be left out."""
        value = self._parameters.get(name)
        if value in (None, "", []):
            return default
        if not isinstance(value, str):
            raise wrong(name, "is one value, not a list")
        if len(value) > longest:
            raise wrong(name, f"has at most {longest} characters")
        if pattern and re.fullmatch(pattern, value) is None:
            raise wrong(name, f"must match {pattern}")
        return value

    def needed(self, name: str, *, longest: int = 1024, pattern: str = "") -> str:
        """Return a text that must be there."""
        if not self.has(name):
            raise missing(name)
        return self.text(name, longest=longest, pattern=pattern)

    def one_of(self, name: str, choices: Sequence[str], default: str = "") -> str:
        """Return a word of an enum."""
        value = self.text(name, default)
        if value and value not in choices:
            raise wrong(name, f"is one of {', '.join(choices)}")
        return value

    def whole(self, name: str, low: int, high: int) -> int | None:
        """Return a whole number in a range, None when it is left out."""
        text = self.text(name)
        if not text:
            return None
        if re.fullmatch(r"-?\d{1,12}", text) is None or not low <= int(text) <= high:
            raise wrong(name, f"is a whole number from {low} to {high}")
        return int(text)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean."""
        text = self.text(name, "true" if default else "false")
        if text.lower() not in _TRUTH:
            raise wrong(name, "is true or false")
        return _TRUTH[text.lower()]

    def texts(self, name: str, most: int) -> list[str]:
        """Return a list, each value once."""
        value = self._parameters.get(name)
        if value in (None, "", []):
            return []
        if not isinstance(value, list):
            raise wrong(name, f"is a list: {name}.1, {name}.2")
        if len(value) > most:
            raise wrong(name, f"has at most {most} values")
        return list(dict.fromkeys(str(item) for item in value))

    def page(self, largest: int, *, needed: bool = True) -> tuple[int, int]:
        """CurrentPage and PageSize."""
        if needed:
            for name in ("CurrentPage", "PageSize"):
                self.needed(name)
        current, size = self.text("CurrentPage", "1"), self.text("PageSize", "10")
        if not (current.isdigit() and size.isdigit() and len(current) < 10 and len(size) < 10):
            raise _page_wrong("CurrentPage and PageSize are whole numbers")
        number, rows = int(current), int(size)
        if number < 1 or not 1 <= rows <= largest:
            raise _page_wrong(f"CurrentPage starts at 1, PageSize is from 1 to {largest}")
        if number * rows > MOST_ROWS:
            raise _page_wrong(f"CurrentPage times PageSize is at most {MOST_ROWS}")
        return number, rows


def paged(rows: Sequence[T], page: tuple[int, int]) -> tuple[list[T], dict[str, object]]:
    """Return the rows of a page, and the members that tell of it."""
    number, size = page
    pages = (len(rows) + size - 1) // size
    paging: dict[str, object] = {"currentPage": number, "pageSize": size, "pageCount": pages, "total": len(rows)}
    return list(rows[(number - 1) * size : number * size]), paging


def utc(moment: datetime) -> str:
    """Return a time as the gateway writes it: 2024-09-11T03:40:02.734Z [V]."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def missing(name: str) -> ModelledError:
    """Return a required parameter that was left out."""
    return ModelledError("iot.check.MissingParameter", f"{name} is required")


def wrong(name: str, why: str) -> ModelledError:
    """Return a parameter that cannot be so."""
    return ModelledError("iot.check.InvalidParameter", f"{name} {why}")


def _page_wrong(why: str) -> ModelledError:
    return ModelledError("iot.common.InvalidPageParams", why)
