"""Parses JSON text into values with places; errors use JSON terms.

1. Python's own parser says whether it is JSON at all, fast and with its position; only then is it scanned for places.
2. Tabs and any indentation are fine; comments, trailing commas, NaN and a second document are not JSON.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right

from otactl.errors import Problem
from otactl.manifest.phrases import printable
from otactl.manifest.positions import MAX_DEPTH, MAX_NODES, Block, Path, Place, Position, problem
from otactl.manifest.source import Document
from otactl.manifest.yaml_scalars import NumberError, resolve

_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r"[^\s,\]}]+")
_HINTS = {
    "Expecting property name": "JSON takes no trailing comma, no comment and no single quotes",
    "Illegal trailing comma": "remove the comma",
    "Expecting ',' delimiter": "is a comma or a closing bracket missing?",
    "Expecting ':' delimiter": "is a colon after the key missing?",
    "Expecting value": "JSON takes no trailing comma, no comment and no bare words; text needs double quotes",
    "Invalid control character": "write line breaks and tabs inside text as \\n and \\t",
    "Unterminated string": "is a closing quote missing?",
    "Extra data": "a JSON file holds one manifest",
    "Invalid \\escape": "write a backslash twice",
}


class _Stop(Exception):  # noqa: N818 - not an error: the way out of the recursion, with the problem already noted
    """Reading the file ends here."""


def compose(file: str, text: str) -> tuple[list[Document], list[Problem]]:
    """Read the one document of a JSON file."""
    if not text.strip():
        return [], []
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        hint = next((hint for part, hint in _HINTS.items() if part in error.msg), "")
        return [], [problem(file, (error.lineno, error.colno), (), "json_syntax", f"not JSON: {error.msg}", hint)]
    except RecursionError:
        return [], [_too_deep(file, (1, 1), ())]
    except ValueError:  # an integer of more digits than Python converts
        return [], [
            problem(
                file,
                (1, 1),
                (),
                "number_not_usable",
                "the file holds a number too large to hold",
                "put it in quotes if it is text",
            )
        ]
    scanner = _Scanner(file, text)
    try:
        document = scanner.document()
    except _Stop:
        return [], scanner.problems
    return [document], scanner.problems


def _too_deep(file: str, at: Position, path: Path) -> Problem:
    text = f"values are nested deeper than {MAX_DEPTH} levels"
    return problem(file, at, path, "too_deep", text, "no manifest needs that")


class _Scanner:
    """Walks text that is known to be JSON (but for NaN and Infinity, which Python's parser takes)."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.problems: list[Problem] = []
        self.path: list[str | int] = []
        self.count = 0
        self.lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self.escapes = "\\u" in text

    def where(self, offset: int) -> Position:
        line = bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def space(self, offset: int) -> int:
        found = _SPACE.match(self.text, offset)
        return found.end() if found else offset

    def document(self) -> Document:
        value, place, _ = self.value(self.space(0))
        return Document(value, place)

    def value(self, offset: int) -> tuple[object, Place, int]:
        first = self.text[offset]
        place = (Block if first in "{[" else Place)(*self.where(offset))
        self.count += 1
        if self.count > MAX_NODES:
            self.stop(place, "too_many_values", f"the document has more than {MAX_NODES} values")
        if first in "{[":
            if len(self.path) >= MAX_DEPTH:
                self.problems.append(_too_deep(self.file, (place.line, place.column), tuple(self.path)))
                raise _Stop
            return self.mapping(offset + 1, place) if first == "{" else self.sequence(offset + 1, place)
        if first == '"':
            text, end = self.string(offset, place)
            return text, place, end
        word = _WORD.match(self.text, offset)
        place.text = word.group() if word else ""
        value: object = place.text
        try:
            value = resolve(place.text)
        except NumberError as error:
            self.note(
                place, "number_not_usable", f"{printable(place.text[:40])} {error}", "put it in quotes if it is text"
            )
        if isinstance(value, str):  # NaN, Infinity, -Infinity: the only words left
            self.note(
                place, "number_not_usable", f"{place.text} is not a finite number", "put it in quotes if it is text"
            )
        return value, place, offset + len(place.text)

    def string(self, offset: int, place: Place) -> tuple[str, int]:
        text, end = _DECODER.raw_decode(self.text, offset)
        if not isinstance(text, str):  # cannot be: the caller saw the quote
            return str(text), end
        if self.escapes and any("\ud800" <= c <= "\udfff" for c in text):
            self.note(place, "not_unicode", "the text holds half of a surrogate pair", "write the whole character")
            text = text.encode(errors="replace").decode()
        return text, end

    def mapping(self, offset: int, place: Place) -> tuple[dict[str, object], Place, int]:
        result: dict[str, object] = {}
        offset = self.space(offset)
        while self.text[offset] != "}":
            key_place = Place(*self.where(offset))
            key, offset = self.string(offset, key_place)
            offset = self.space(self.space(offset) + 1)
            self.path.append(key)
            if key in place.keys:
                text = f"the key {printable(key)} occurs twice, first in line {place.keys[key][0]}"
                self.note(key_place, "duplicate_key", text, "keep one of them")
            else:
                place.keys[key] = (key_place.line, key_place.column)
            value, below, offset = self.value(offset)
            self.path.pop()
            if key not in result:
                result[key] = value
                place.members[key] = below
            offset = self.comma(offset)
        return result, place, offset + 1

    def sequence(self, offset: int, place: Place) -> tuple[list[object], Place, int]:
        result: list[object] = []
        offset = self.space(offset)
        while self.text[offset] != "]":
            self.path.append(len(result))
            value, below, offset = self.value(offset)
            self.path.pop()
            result.append(value)
            place.items.append(below)
            offset = self.comma(offset)
        return result, place, offset + 1

    def comma(self, offset: int) -> int:
        offset = self.space(offset)
        return self.space(offset + 1) if self.text[offset] == "," else offset

    def note(self, place: Place, code: str, message: str, hint: str) -> None:
        at = (place.line, place.column)
        self.problems.append(problem(self.file, at, tuple(self.path), code, message, hint))

    def stop(self, place: Place, code: str, message: str) -> None:
        self.note(place, code, message, "keep long device lists in a CSV file: {file: devices.csv}")
        raise _Stop
