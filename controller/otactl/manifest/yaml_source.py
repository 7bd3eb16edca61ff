"""Parses YAML text into values with places, from libyaml's events.

1. Events, not composed nodes: PyYAML's C composer recurses on the C stack; 100,000 opening brackets end the process.
2. Tags, duplicate keys and keys that are not text are problems; reading continues after them.
3. Aliases are allowed, counted as what they expand to, and may not contain themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from otactl.errors import Problem
from otactl.manifest.phrases import printable, quoted
from otactl.manifest.positions import MAX_DEPTH, MAX_DOCUMENTS, MAX_NODES, Block, Path, Place, Position, problem
from otactl.manifest.source import Document
from otactl.manifest.yaml_scalars import NumberError, resolve

_NO_KEY = "\0no key"
"""The key that replaces one that is not text; compared by identity, so that no file can write it."""

_HINTS = {
    "mapping values are not allowed": "a colon inside a bare value? put the value in quotes",
    "could not find expected ':'": "is a colon or a space after it missing?",
    "cannot start any token": "put a value that starts with @, ` or % in quotes",
    "did not find expected key": "check the indentation against the line above",
    "unexpected end of stream": "is a closing quote or bracket missing?",
    "expected ',' or": "is a comma or a closing bracket missing?",
    "unknown escape": "in double quotes a backslash starts an escape; use single quotes, or write it twice",
}


_Tagged = ScalarEvent | CollectionStartEvent


class _Stop(Exception):  # noqa: N818 - not an error: the way out of the loop, with the problem already noted
    """Reading the file ends here."""


class _Frame:
    """A mapping or list being read. `size` counts everything in it, aliases expanded."""

    __slots__ = ("anchor", "key", "mapping", "place", "sequence", "size")

    def __init__(self, place: Place, anchor: str | None, is_mapping: bool) -> None:
        self.place = place
        self.anchor = anchor
        self.mapping: dict[str, object] | None = {} if is_mapping else None
        self.sequence: list[object] = []
        self.key: str | None = None
        self.size = 1


def compose(file: str, data: bytes) -> tuple[list[Document], list[Problem]]:
    """Read every document of a YAML stream; after a syntax error nothing of the file counts."""
    composer = _Composer(file)
    parser = CParser(data)
    handlers = composer.handlers()
    try:
        while (event := parser.get_event()) is not None and type(event) is not StreamEndEvent:
            if (handle := handlers.get(type(event))) is not None:
                handle(event)
    except _Stop:
        return [], composer.problems
    except YAMLError as error:
        composer.problems.append(_syntax(file, data, error))
        return [], composer.problems
    finally:
        parser.dispose()
    return composer.documents, composer.problems


class _Composer:
    def __init__(self, file: str) -> None:
        self.file = file
        self.documents: list[Document] = []
        self.problems: list[Problem] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[object, Place, int] | None] = {}
        self.root: Document | None = None

    def handlers(self) -> dict[type[Event], Callable[[Any], None]]:
        """Return the handler of each type of event; the other types say nothing."""
        return {
            ScalarEvent: self.scalar,
            MappingStartEvent: self.open,
            SequenceStartEvent: self.open,
            MappingEndEvent: self.close,
            SequenceEndEvent: self.close,
            AliasEvent: self.alias,
            DocumentEndEvent: self.end_document,
        }

    def end_document(self, _event: Event) -> None:
        if self.root is not None:
            self.keep(self.root)
        self.root = None
        self.anchors = {}

    def keep(self, document: Document) -> None:
        """Add a finished document to those of the file."""
        if len(self.documents) >= MAX_DOCUMENTS:
            at = (document.place.line, document.place.column)
            text = f"the file has more than {MAX_DOCUMENTS} documents"
            self.stop(at, "too_many_documents", text, "write one manifest to a file")
        self.documents.append(document)

    def scalar(self, event: ScalarEvent) -> None:
        at = _position(event)
        bare = not event.style
        place = Place(*at, event.value if bare else None)
        if event.tag is not None:
            self.refuse_tag(event)
        value: object = event.value
        if bare:
            try:
                value = resolve(event.value)
            except NumberError as error:
                self.note(
                    at,
                    "number_not_usable",
                    f"{printable(event.value[:40])} {error}",
                    "put it in quotes if it is text",
                )
        self.add(value, place, 1, at)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, place, 1)

    def open(self, event: _Tagged) -> None:
        at = _position(event)
        if event.tag is not None:
            self.refuse_tag(event)
        if len(self.stack) >= MAX_DEPTH:
            self.stop(
                at,
                "too_deep",
                f"values are nested deeper than {MAX_DEPTH} levels",
                "no manifest needs that; is a bracket not closed?",
            )
        frame = _Frame(Block(*at), event.anchor, isinstance(event, MappingStartEvent))
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # open: an alias to it now would contain itself
        if self.stack and self.stack[-1].mapping is not None and self.stack[-1].key is None:
            self.note(
                at,
                "key_not_text",
                "a list or a mapping is where a key must be",
                "braces or brackets inside a bare value? put the value in quotes",
            )
        self.stack.append(frame)

    def close(self, _event: Event) -> None:
        frame = self.stack.pop()
        value: object = frame.sequence if frame.mapping is None else frame.mapping
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (value, frame.place, frame.size)
        self.add(value, frame.place, frame.size, (frame.place.line, frame.place.column))

    def alias(self, event: AliasEvent) -> None:
        at, name = _position(event), printable(event.anchor or "")
        if (event.anchor or "") not in self.anchors:
            self.stop(
                at,
                "unknown_alias",
                f"*{name} has no anchor &{name} before it",
                f"put {quoted('*' + name)} in quotes if it is text",
            )
        known = self.anchors[event.anchor or ""]
        if known is None:
            self.stop(at, "alias_contains_itself", f"*{name} is inside its own anchor &{name}", "write the value out")
        else:
            self.add(known[0], known[1], known[2], at)

    def add(self, value: object, place: Place, size: int, at: Position) -> None:
        """Add a finished value where it belongs: as a key, under the pending key, into the list, or as the root."""
        if not self.stack:
            self.root = Document(value, place)
            return
        frame = self.stack[-1]
        frame.size += size
        if frame.size > MAX_NODES:
            text = f"the document has more than {MAX_NODES} values once its aliases are expanded"
            self.stop(at, "too_many_values", text, "keep long device lists in a CSV file: {file: devices.csv}")
        if frame.mapping is None:
            frame.sequence.append(value)
            frame.place.items.append(place)
        elif frame.key is None:
            frame.key = self.name_key(frame, value, place)
        else:
            if frame.key is not _NO_KEY and frame.key not in frame.mapping:
                frame.mapping[frame.key] = value
                frame.place.members[frame.key] = place
            frame.key = None

    def name_key(self, frame: _Frame, value: object, place: Place) -> str:
        if not isinstance(value, str):
            if not isinstance(value, dict | list):
                hint = f'put it in quotes: "{printable(place.text or "")}"'
                self.note((place.line, place.column), "key_not_text", f"the key {quoted(value)} is not text", hint)
            return _NO_KEY
        value = sys.intern(value)  # the same few names in every file
        first = frame.place.keys.get(value)
        if first is not None:
            text = f"the key {printable(value)} occurs twice, first in line {first[0]}"
            self.note((place.line, place.column), "duplicate_key", text, "keep one of them", value)
        else:
            frame.place.keys[value] = (place.line, place.column)
        return value

    def refuse_tag(self, event: _Tagged) -> None:
        tag = printable(str(event.tag).replace("tag:yaml.org,2002:", "!!"))
        self.note(
            _position(event),
            "tag_refused",
            f"the tag {tag} is not accepted",
            "remove it; put text that looks like a number in quotes",
        )

    def path(self) -> Path:
        parts: list[str | int] = []
        for frame in self.stack:
            if frame.mapping is None:
                parts.append(len(frame.sequence))
            elif frame.key is not None:
                parts.append(frame.key)
        return tuple(parts)

    def note(self, at: Position, code: str, message: str, hint: str, key: str | None = None) -> None:
        path = self.path() if key is None else (*self.path(), key)
        self.problems.append(problem(self.file, at, path, code, message, hint))

    def stop(self, at: Position, code: str, message: str, hint: str) -> None:
        self.note(at, code, message, hint)
        raise _Stop


def _position(event: Event) -> Position:
    mark = event.start_mark
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)


def _syntax(file: str, data: bytes, error: YAMLError) -> Problem:
    if isinstance(error, ReaderError):
        text = data[: error.position].decode(errors="replace")
        at = (text.count("\n") + 1, len(text) - text.rfind("\n"))
        message = f"the file holds the control character U+{error.character:04X}"
        return problem(file, at, (), "control_character", message, "remove it")
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return problem(file, (1, 1), (), "yaml_syntax", printable(str(error)), "")
    mark = error.problem_mark
    at = (mark.line + 1, mark.column + 1)
    line = data.decode().split("\n")[mark.line : mark.line + 1]
    message = printable(error.problem or "cannot be read")
    if line and "\t" in line[0][: len(line[0]) - len(line[0].lstrip())]:
        return problem(file, at, (), "tab_indentation", "a tab is where YAML requires spaces", "indent with spaces")
    if error.context and error.context_mark is not None:
        message = f"{message} ({printable(error.context)} from line {error.context_mark.line + 1})"
    hint = next((text for part, text in _HINTS.items() if part in message), "")
    return problem(file, at, (), "yaml_syntax", message, hint)
