"""Sets, adds or removes one field in the text of a manifest, and keeps every other character.

1. A new field goes behind the last one of its block, on a line of its own where the block has lines. What replaces
   a value is put in its place, and a comment behind it stays.
2. Taking a field away takes its lines, with the comment on the last of them; comments on lines around it stay.
3. Setting what was not there and taking it away again gives the text of before.
"""

from __future__ import annotations

import re

from otactl.manifest.positions import Path
from otactl.manifest.serialize import as_json, flow
from otactl.manifest.source_ranges import BREAK, Node

_COMMENTED = re.compile("([ \t]*),([ \t]*#[^\r\n\x85\u2028\u2029]*)((?:\r\n|[\r\n\x85\u2028\u2029])[ \t]*)")
"""What may be between two members on lines of their own: a comma, a comment, a line end."""
_COMMENT = re.compile("[ \t]+#[^\r\n\x85\u2028\u2029]*")


class CannotRewriteError(Exception):
    """Why a field cannot be changed in its text, as the end of a sentence about it."""


class Text:
    """The text of a file, and the places of the values of one of its documents."""

    def __init__(self, text: str, root: Node, *, is_json: bool) -> None:
        self.text = text
        self.root = root
        # JSON may also be in a file of another name; it is YAML then, and stays JSON.
        self.json = is_json or (root.flow and bool(root.keys) and root.keys[0].quoted == '"')
        found = re.search("\r\n|[\r\n]", text)
        self.line_end = found.group() if found is not None else "\n"

    def put(self, path: Path, value: object) -> str:
        """Set a field, whether or not it is there."""
        parent, last = self._parent(path), path[-1]
        number = parent.find(last)
        return self._made(parent, last, value) if number is None else self._replaced(parent, number, value)

    def append(self, path: Path, value: object) -> str:
        """Add an item to a list; create the list if there is none.

        Raises: CannotRewriteError when the field is not a list that can be extended.
        """
        parent, last = self._parent(path), path[-1]
        number = parent.find(last)
        if number is None:
            return self._made(parent, last, [value], long=True)
        listed = parent.values[number]
        if listed.kind != "list":
            raise CannotRewriteError("is no list of its own")
        if listed.flow:
            return self._into_brackets(listed, self._written(listed, value))
        return self._new_lines(listed, f"- {flow(value)}")

    def remove(self, path: Path) -> str:
        """Remove a field or an item.

        Raises: CannotRewriteError when it is not there.
        """
        parent = self._parent(path)
        number = parent.find(path[-1])
        if number is None:
            raise CannotRewriteError("is not there")
        return self._out_of_brackets(parent, number) if parent.flow else self._out_of_lines(parent, number)

    def has_comment(self, path: Path) -> bool:
        """Return whether a comment follows a field, on the last of its lines."""
        node = self.root.at(path)
        return node is not None and _COMMENT.match(self.text, self._content_end(node)) is not None

    def _parent(self, path: Path) -> Node:
        parent = self.root.at(path[:-1])
        if parent is None or parent.kind not in ("mapping", "list"):
            raise CannotRewriteError("is behind an alias, or inside no value")
        return parent

    def _cut(self, start: int, end: int, instead: str = "") -> str:
        return self.text[:start] + instead + self.text[end:]

    # Values

    def _replaced(self, parent: Node, number: int, value: object) -> str:
        old, written = parent.values[number], self._written(parent, value)
        if old.start == old.end:  # `key:` and nothing behind it
            return self._cut(old.start, old.end, f" {written}")
        if old.flow or parent.kind == "list":
            return self._cut(old.start, self._content_end(old), written)
        colon = self.text.index(":", parent.keys[number].end) + 1
        return self._cut(colon, self._content_end(old), f" {written}")

    def _made(self, parent: Node, key: str | int, value: object, *, long: bool = False) -> str:
        if parent.kind != "mapping" or not isinstance(key, str):
            raise CannotRewriteError("is not there, and a list takes no fields")
        if parent.flow:
            name = as_json(key) if self.json else flow(key)
            return self._into_brackets(parent, f"{name}: {self._written(parent, value)}")
        if long and isinstance(value, list):
            return self._new_lines(parent, f"{flow(key)}:", *(f"  - {flow(each)}" for each in value))
        return self._new_lines(parent, f"{flow(key)}: {flow(value)}")

    def _written(self, parent: Node, value: object) -> str:
        """Return a value as its document writes them: flow YAML, or JSON, with lines if its neighbours have some."""
        if not self.json:
            return flow(value)
        before = self._indentation(parent)
        if not before:
            return as_json(value)
        return as_json(value, self._indentation(self.root) or "  ", before).replace("\n", self.line_end)

    def _indentation(self, parent: Node) -> str:
        """Return what the last member in brackets is indented with, if it has a line of its own; else nothing."""
        firsts = parent.keys or parent.values
        lead = self.text[self._line_start(firsts[-1].start) : firsts[-1].start] if firsts else ""
        return "" if lead.strip(" \t") else lead

    # Between brackets

    def _into_brackets(self, parent: Node, item: str) -> str:
        """Insert behind the last member, set off from it as that is from the one before."""
        opened = self._opened(parent)
        if not parent.values:
            return self._cut(opened, opened, item)
        firsts, end = parent.keys or parent.values, parent.values[-1].end
        if len(firsts) > 1:
            between = self.text[parent.values[-2].end : firsts[-1].start]
        else:
            lead = self.text[opened : firsts[-1].start]
            between = f",{lead}" if BREAK.search(lead) else ", "
        commented = _COMMENTED.fullmatch(between)
        if commented is not None:
            between = f",{commented.group(3)}"
        elif between.strip() != ",":
            between = ", "
        comment = _COMMENT.match(self.text, end)
        if comment is not None and BREAK.search(between):
            lead = between[between.index(",") + 1 :]
            return self._cut(end, comment.end(), f",{comment.group()}{lead}{item}")
        return self._cut(end, end, between + item)

    def _out_of_brackets(self, parent: Node, number: int) -> str:
        firsts = parent.keys or parent.values
        start, end = firsts[number].start, parent.values[number].end
        if number:
            before = parent.values[number - 1].end
            between = self.text[before:start]
            if between.strip() == ",":
                return self._cut(before, end)
            commented = _COMMENTED.fullmatch(between)
            if commented is not None and number + 1 == len(firsts):
                return self._cut(before, end, commented.group(1) + commented.group(2))
        elif len(firsts) > 1:
            if self.text[end : firsts[1].start].strip() == ",":
                return self._cut(start, firsts[1].start)
        else:
            opened, closed = self._opened(parent), parent.end - 1
            lead, tail = self.text[opened:start], self.text[end:closed]
            alone = BREAK.search(lead) and not lead.strip() and not tail.strip(", \t\r\n")
            return self._cut(opened, closed) if alone else self._cut(start, end)
        raise CannotRewriteError("has a comment between it and its neighbour")

    def _opened(self, node: Node) -> int:
        """Return the place behind the opening bracket; an anchor may precede it."""
        return self.text.index("{" if node.kind == "mapping" else "[", node.start) + 1

    # On lines

    def _new_lines(self, parent: Node, *lines: str) -> str:
        """Insert behind the last line of an indented block, at the indentation of its members."""
        column = self._column(parent)
        end = self._behind_line(parent.values[-1].end)
        while end < len(self.text) and self._is_comment_deeper(end, column):
            end = self._next_line(end)  # it belongs to the last member
        text = "".join(f"{' ' * column}{line}{self.line_end}" for line in lines)
        if not self._starts_line(end):
            text = self.line_end + text[: -len(self.line_end)]
        return self._cut(end, end, text)

    def _is_comment_deeper(self, start: int, column: int) -> bool:
        line = self.text[start : self._next_line(start)]
        inside = line.lstrip(" ")
        return inside.startswith("#") and len(line) - len(inside) > column

    def _out_of_lines(self, parent: Node, number: int) -> str:
        if len(parent.values) == 1:
            return self._cut(parent.start, self._content_end(parent), " {}" if parent.kind == "mapping" else " []")
        first = parent.keys[number].start if parent.keys else self._dash(parent, number)
        start, end = self._line_start(first), self._behind_line(parent.values[number].end)
        if self.text[start:first].strip(" "):
            raise CannotRewriteError("shares its line with what holds it")
        if not self._starts_line(end):  # the last line has no end: take that of the line before
            start = self._content_start(start)
        return self._cut(start, end)

    def _column(self, parent: Node) -> int:
        first = parent.keys[0].start if parent.keys else parent.start
        lead = self.text[self._line_start(first) : first]
        return len(lead) if not lead.endswith("? ") else len(lead) - 2  # a key may be marked as such

    def _dash(self, parent: Node, number: int) -> int:
        """Return the dash of an item of a list: in the list's column, on the item's line or above it."""
        column, line = self._column(parent), self._line_start(parent.values[number].start)
        while self.text[line + column] != "-" and line > 0:
            line = self._line_start(line - 1)
        return line + column

    def _content_start(self, start: int) -> int:
        found = [each for each in BREAK.finditer(self.text, 0, start) if each.end() == start]
        return found[0].start() if found else start

    def _content_end(self, node: Node) -> int:
        """Return where a value's text ends, the line ends after a `|` block not counted."""
        return node.start + len(self.text[node.start : node.end].rstrip("\r\n\x85\u2028\u2029"))

    def _starts_line(self, offset: int) -> bool:
        return offset == 0 or BREAK.fullmatch(self.text[offset - 1]) is not None

    def _line_start(self, offset: int) -> int:
        return max((found.end() for found in BREAK.finditer(self.text, 0, offset)), default=0)

    def _behind_line(self, end: int) -> int:
        """Return the place behind the line a value ends in; a `|` block ends behind its line already."""
        return end if self._starts_line(end) else self._next_line(end)

    def _next_line(self, offset: int) -> int:
        found = BREAK.search(self.text, offset)
        return found.end() if found is not None else len(self.text)
