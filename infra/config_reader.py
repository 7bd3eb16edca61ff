"""Reads typed values from a stack's file; the first wrong one raises with its key and file. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn


class SettingsError(Exception):
    """A key is missing or wrong: what, where, what next."""


class Reader:
    """Takes typed values out of one object and refuses what is left."""

    def __init__(self, file: str, key: str, given: object) -> None:
        self._file, self._key = file, key
        if not isinstance(given, Mapping):
            self.refuse("", f"is {_kind(given)}; it must be an object")
        self._left = dict(given)

    def refuse(self, name: str, why: str) -> NoReturn:
        """Raise with the key and the file."""
        joint = ":" if self._key == "otactl" else "."
        raise SettingsError(f"{self._file}: {f'{self._key}{joint}{name}' if name else self._key} {why}")

    def text(self, name: str, pattern: re.Pattern[str], what: str, default: str | None = None) -> str:
        """Return a string of a shape."""
        value = self._left.pop(name, default)
        if value is None:
            self.refuse(name, f"is missing; it is {what}")
        if value == default:
            return str(value)
        if not isinstance(value, str):
            self.refuse(name, f"is {_kind(value)}; it is {what}, quoted")
        if not pattern.fullmatch(value):
            self.refuse(name, f"is {value!r}; it is {what}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            self.refuse(name, f"is {_kind(value)}; it must be true or false")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number of a range."""
        value = self._left.pop(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(name, f"is {value!r}; it is a whole number from {least} to {most}")
        return value

    def texts(self, name: str, pattern: re.Pattern[str], what: str, least: int = 0) -> tuple[str, ...]:
        """Return a list of strings of a shape."""
        value = self._left.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and pattern.fullmatch(v) for v in value):
            self.refuse(name, f"must be a list, each {what}")
        if len(value) < least:
            self.refuse(name, f"needs at least {least}, each {what}")
        return tuple(value)

    def take(self, name: str) -> object:
        """Return the value, of any type."""
        return self._left.pop(name, None)

    def inner(self, name: str) -> Reader | None:
        """Return a nested object, if given."""
        value = self._left.pop(name, None)
        return None if value is None else Reader(self._file, f"{self._key}.{name}", value)

    def end(self) -> None:
        """Refuse keys that were not read."""
        if self._left:
            self.refuse(str(sorted(map(str, self._left))[0]), "is not a setting; see Pulumi.yaml for those there are")


def _kind(value: object) -> str:
    words = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "nothing" if value is None else words.get(type(value), type(value).__name__)
