r"""Parses fleet indexing's query language into a test of one document.

1. A term is `field:value`: a word with `*` and `?`, a phrase in double quotes, a range `[a TO b]` or `{a TO b}`, a
   comparison `>a`, or such values in parentheses. A word without a field is searched for in every field; `*` is in all.
   `\` takes the meaning of the next character away.
2. Terms are put together by AND, OR, NOT, `-` and parentheses; side by side means AND. NOT binds closest, then AND.
3. Case does not count. A text is searched as a whole and by its words, which white space separates.
4. At most 12 terms; one of them may start with a wildcard, and then the query has at most 100 characters.
5. A field that is none of the index's is refused with InvalidQueryException, as is what the language does not know
   [inferred: the pages do not tell]. Locations, Device Defender and versions are not searched here.

Source: developer guide, "Query syntax" and "Example thing queries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from otactl_simulator.service import ModelledError

Document = Mapping[str, object]
Test = Callable[[Document], bool]
T = TypeVar("T", float, str)
MAX_TERMS = 12
MAX_LEADING = 100
_TOKEN = re.compile(r"""\s*(?:([()])|(-?(?:[^\s()":]+:)?(?:"[^"]*"|[\[{][^\]}]*[\]}]))|((?:\\.|[^\s()"\\])+))""")
_RANGE = re.compile(r"([\[{])\s*(\S+)\s+TO\s+(\S+)\s*([\]}])")
_COMPARED = re.compile(r"(>=|<=|>|<)(.+)")
_REFUSED = frozenset("`@#%/';,<>[]{}~^=\"")
_THINGS = re.compile(
    r"thingName|thingId|thingTypeName|thingGroupNames|attributes\.[^:]+|connectivity\.(connected|timestamp|"
    r"disconnectReason)|shadow\.(name\.[^.:]+\.)?(hasDelta|(reported|desired|delta|metadata)\.[^:]+)"
)
_GROUPS = re.compile(r"thingGroupName|thingGroupId|thingGroupDescription|parentGroupNames|attributes\.[^:]+")
FIELDS = {"AWS_Things": _THINGS, "AWS_ThingGroups": _GROUPS}


def test_of(query: str, index: str) -> Test:
    """Return what a query asks of a document of an index; InvalidQueryException."""
    return _Reader(query, FIELDS[index]).read()


class _Reader:
    def __init__(self, query: str, fields: re.Pattern[str]) -> None:
        self._query = query
        self._fields = fields
        self._tokens = list(self._split(query))
        self._at = self._terms = self._leading = 0

    def read(self) -> Test:
        test = self._any("")
        if self._next() is not None:
            raise self._wrong(f"{self._next()!r} is not expected")
        if self._terms > MAX_TERMS:
            raise self._wrong(f"it has {self._terms} terms, of at most {MAX_TERMS}")
        if self._leading > 1 or (self._leading and len(self._query) > MAX_LEADING):
            raise self._wrong(f"one term may begin with a wildcard, in at most {MAX_LEADING} characters")
        return test

    def _split(self, query: str) -> list[str]:
        found, at, text = [], 0, query.rstrip()
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise self._wrong("a quote is not closed")
            found.append(token.group().strip())
            at = token.end()
        return found

    def _wrong(self, why: str) -> ModelledError:
        return ModelledError("InvalidQueryException", f"Invalid query {self._query!r}: {why}")

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, token: str) -> bool:
        taken = self._next() == token
        self._at += taken
        return taken

    def _any(self, field: str) -> Test:
        tests = [self._all(field)]
        while self._take("OR"):
            tests.append(self._all(field))
        return lambda document: any(test(document) for test in tests)

    def _all(self, field: str) -> Test:
        tests = [self._one(field)]
        while self._take("AND") or self._next() not in (None, "OR", ")"):
            tests.append(self._one(field))
        return lambda document: all(test(document) for test in tests)

    def _one(self, field: str) -> Test:
        if self._take("NOT") or self._take("-"):
            inner = self._one(field)
            return lambda document: not inner(document)
        if self._take("("):
            group = self._any(field)
            if not self._take(")"):
                raise self._wrong("a parenthesis is not closed")
            return group
        return self._term(field)

    def _term(self, field: str) -> Test:
        token = self._next()
        if token is None or token in ("AND", "OR", ")"):
            raise self._wrong("a term is missing")
        self._at += 1
        if token.startswith("-") and len(token) > 1:
            self._tokens.insert(self._at, token[1:])
            inner = self._term(field)
            return lambda document: not inner(document)
        named, colon, value = _parted(token)
        if not colon:
            named, value = field, token
        elif self._fields.fullmatch(named) is None:
            raise self._wrong(f"{named!r} is not a field that can be searched here")
        if not value:
            if not self._take("("):
                raise self._wrong(f"{named} has no value")
            self._at -= 1
            return self._one(named)
        return self._value(named, value)

    def _value(self, field: str, value: str) -> Test:
        self._terms += 1
        matches = self._matches(value)
        path = _path(field)
        if value == "*" and not field:
            return lambda _document: True
        return lambda document: any(matches(found) for found in _values(document, path))

    def _matches(self, value: str) -> Callable[[object], bool]:
        if value.startswith('"'):
            phrase = f" {' '.join(value[1:-1].lower().split())} "
            return lambda found: phrase in f" {' '.join(_text(found).split())} "
        ranged, compared = _RANGE.fullmatch(value), _COMPARED.fullmatch(value)
        if ranged is not None:
            low = _compared(">=" if ranged[1] == "[" else ">", ranged[2])
            high = _compared("<=" if ranged[4] == "]" else "<", ranged[3])
            return lambda found: low(found) and high(found)
        if compared is not None:
            return _compared(compared[1], compared[2])
        if not _REFUSED.isdisjoint(re.sub(r"\\.", "", value)):
            raise self._wrong(f"{value!r} is not a value that can be searched here")
        self._leading += value[0] in "*?" and len(value) > 1
        pattern = re.compile(_pattern(value.lower()), re.DOTALL)
        return lambda found: any(pattern.fullmatch(word) for word in (_text(found), *_text(found).split()))


def _parted(token: str) -> tuple[str, str, str]:
    """Return a token's field, colon and value; a colon after a backslash parts nothing."""
    found = re.search(r"(?<!\\):", token)
    return (token[: found.start()], ":", token[found.end() :]) if found else (token, "", "")


def _path(field: str) -> list[str]:
    head, dot, name = field.partition(".")
    return [head, name] if dot and head == "attributes" else field.split(".") if field else []


def _pattern(value: str) -> str:
    parts = re.findall(r"\\.|.", value, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return "".join(wild.get(part) or re.escape(part[-1]) for part in parts)


def _compared(how: str, bound: str) -> Callable[[object], bool]:
    """Return a comparison: of numbers where both are, else of texts; `*` bounds nothing."""

    def test(found: object) -> bool:
        if bound == "*":
            return True
        try:
            order = _order(float(_text(found)), float(bound))
        except ValueError:
            order = _order(_text(found), bound.lower())
        return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[how]

    return test


def _order(one: T, other: T) -> int:
    """Below 0 when the first comes first, above when the second does."""
    return 0 if one == other else min((one, -1), (other, 1))[1]


def _values(value: object, path: list[str]) -> Iterator[object]:
    """Yield what stands at a path, or anywhere without one; a list has each of its values."""
    if isinstance(value, Mapping):
        inner = value.values() if not path else [value[path[0]]] if path[0] in value else []
        for found in inner:
            yield from _values(found, path[1:])
    elif isinstance(value, list):
        for item in value:
            yield from _values(item, path)
    elif value is not None and not path:
        yield value


def _text(value: object) -> str:
    return str(value).lower()
