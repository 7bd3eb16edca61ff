"""Finds where every value of a manifest starts and ends in its text, so that one value can be edited.

Offsets count characters from 0, a byte order mark not counted. Text is expected to be readable: whoever edits has read
it with `read_source` before, which says what is wrong with it.
"""

from __future__ import annotations

import json
import re

from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    StreamEndEvent,
)

from otactl.manifest.positions import Path

BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What ends a line, as libyaml counts lines."""
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD = re.compile(r"[^\s,\]}]+")
_DECODER = json.JSONDecoder()


class Node:
    """One value: text[start:end] is its text, with its anchor.

    `kind` is scalar, alias, mapping or list; `flow` tells brackets from indentation. A mapping has `keys` and as many
    `values`, a list has `values` only. `quoted` is how a scalar is written: '', "'", '"', '|' or '>'.
    """

    __slots__ = ("end", "flow", "keys", "kind", "quoted", "start", "text", "values")

    def __init__(self, kind: str, start: int, end: int, *, flow: bool = True, text: str = "", quoted: str = "") -> None:
        self.kind = kind
        self.start = start
        self.end = end
        self.flow = flow
        self.text = text
        self.quoted = quoted
        self.keys: list[Node] = []
        self.values: list[Node] = []

    def find(self, part: str | int) -> int | None:
        """Return the number of a member or item; None if it is not there."""
        if isinstance(part, str):
            return next((n for n, key in enumerate(self.keys) if key.text == part), None)
        return part if self.kind == "list" and 0 <= part < len(self.values) else None

    def at(self, path: Path) -> Node | None:
        """Return the value at a path; None where there is nothing, or where an alias is in the way."""
        here: Node | None = self
        for part in path:
            found = here.find(part) if here is not None else None
            here = here.values[found] if here is not None and found is not None else None
        return here


def yaml_nodes(text: str) -> list[Node]:
    """Return the root of every document of a YAML text that `read_source` takes; empty documents left out as there."""
    parser = CParser(text.encode())
    roots: list[Node] = []
    stack: list[tuple[Node, list[Node]]] = []
    try:
        while (event := parser.get_event()) is not None and not isinstance(event, StreamEndEvent):
            done = _take(event, stack)
            if done is None:
                continue
            if stack:
                stack[-1][1].append(done)
            elif done.kind != "scalar" or done.text not in ("", "~", "null", "Null", "NULL") or done.quoted:
                roots.append(done)
    finally:
        parser.dispose()
    return roots


def _take(event: Event, stack: list[tuple[Node, list[Node]]]) -> Node | None:
    """Return the value an event finishes, if it does."""
    start = event.start_mark.index if event.start_mark is not None else 0
    end = event.end_mark.index if event.end_mark is not None else 0
    if isinstance(event, CollectionStartEvent):
        kind = "mapping" if isinstance(event, MappingStartEvent) else "list"
        stack.append((Node(kind, start, end, flow=bool(event.flow_style)), []))
    elif isinstance(event, ScalarEvent):
        return Node("scalar", start, end, text=event.value, quoted=event.style or "")
    elif isinstance(event, AliasEvent):
        return Node("alias", start, end)
    elif isinstance(event, CollectionEndEvent):
        node, inside = stack.pop()
        if node.kind == "mapping":
            node.keys, node.values = inside[::2], inside[1::2]
        else:
            node.values = inside
        # The end of a block is reported where the next token starts; what it says ends with its last value.
        node.end = end if node.flow else max(inside[-1].end if inside else node.end, node.end)
        return node
    return None


def json_node(text: str) -> Node:
    """Return the value of a JSON text."""
    return _json_value(text, _skip(text, 0))


def _skip(text: str, offset: int) -> int:
    found = _SPACE.match(text, offset)
    return found.end() if found else offset


def _json_value(text: str, start: int) -> Node:
    first = text[start]
    if first == '"':
        value, end = _DECODER.raw_decode(text, start)
        return Node("scalar", start, end, text=str(value), quoted='"')
    if first not in "{[":
        word = _WORD.match(text, start)
        literal = word.group() if word else ""
        return Node("scalar", start, start + len(literal), text=literal)
    node = Node("mapping" if first == "{" else "list", start, start)
    offset = _skip(text, start + 1)
    while text[offset] not in "}]":
        if node.kind == "mapping":
            key = _json_value(text, offset)
            node.keys.append(key)
            offset = _skip(text, _skip(text, key.end) + 1)
        value = _json_value(text, offset)
        node.values.append(value)
        offset = _skip(text, value.end)
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
    node.end = offset + 1
    return node
