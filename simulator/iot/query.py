"""Fleet indexing's query language, a small part of it, read into a test of one thing.

1. A term is `field:value`; the value a word, `word*` for what begins so, `*` for any, or a text in double quotes, taken
   as it stands. Fields: thingName, thingTypeName, thingGroupNames, attributes.NAME, shadow.reported.PATH,
   shadow.desired.PATH, shadow.name.NAME.reported.PATH and likewise desired.
2. Terms are put together by AND, OR, NOT (capitals) and parentheses; NOT binds closest, then AND, then OR.
3. Everything else (ranges, comparisons, terms without field, terms side by side, `?`) is an InvalidQueryException: the
   service knows more, but a guess here would let a search pass that finds other things there.

Source: developer guide, "Query syntax" and "Example thing queries".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from simulator.service import ModelledError

Document = Mapping[str, object]
Test = Callable[[Document], bool]
_TOKEN = re.compile(r'\s*(?:([()])|((?:[^\s()":]+:)?"[^"]*")|([^\s()"]+))')
_FIELD = re.compile(
    r"thingName|thingTypeName|thingGroupNames|attributes\.[^:]+|shadow\.(name\.[^.:]+\.)?(reported|desired)\.[^:]+"
)
_WORD = re.compile(r"[^*?<>\[\]{}\"]*\*?")


def test_of(query: str) -> Test:
    """What a query asks of a thing, given as a document of its fields; InvalidQueryException."""
    reader = _Reader(query)
    test = reader.any()
    if reader.next() is not None:
        raise reader.wrong(f"{reader.next()!r} stands where AND or OR is expected")
    return test


class _Reader:
    def __init__(self, query: str) -> None:
        self._query = query
        self._tokens = list(self._split(query))
        self._at = 0

    def _split(self, query: str) -> list[str]:
        found, at, text = [], 0, query.rstrip()
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise self.wrong("a quote is not closed")
            found.append(token.group().strip())
            at = token.end()
        return found

    def wrong(self, why: str) -> ModelledError:
        return ModelledError("InvalidQueryException", f"Invalid query {self._query!r}: {why}")

    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, token: str) -> bool:
        taken = self.next() == token
        self._at += taken
        return taken

    def any(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return lambda document: any(test(document) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("AND"):
            tests.append(self._one())
        return lambda document: all(test(document) for test in tests)

    def _one(self) -> Test:
        if self._take("NOT"):
            inner = self._one()
            return lambda document: not inner(document)
        if self._take("("):
            group = self.any()
            if not self._take(")"):
                raise self.wrong("a parenthesis is not closed")
            return group
        return self._term()

    def _term(self) -> Test:
        token = self.next()
        if token is None or token in ("AND", "OR", ")"):
            raise self.wrong("a term is missing")
        self._at += 1
        field, colon, value = token.partition(":")
        if not colon or _FIELD.fullmatch(field) is None:
            raise self.wrong(f"{token!r} does not name a field that can be searched here")
        path = field.split(".")
        if field.startswith("attributes."):
            path = ["attributes", field.removeprefix("attributes.")]
        if value.startswith('"'):
            return lambda document: value[1:-1] in _values(document, path)
        if not value or _WORD.fullmatch(value) is None:
            raise self.wrong(f"{value!r} is not a value that can be searched here")
        if value.endswith("*"):
            return lambda document: any(found.startswith(value[:-1]) for found in _values(document, path))
        return lambda document: value in _values(document, path)


def _values(document: Document, path: list[str]) -> list[str]:
    """What stands at a path, as text; a list has each of its values."""
    value: object = document
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    listed = value if isinstance(value, list) else [value]
    return [_text(item) for item in listed if item is not None and not isinstance(item, Mapping)]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
