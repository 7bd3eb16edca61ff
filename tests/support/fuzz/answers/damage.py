"""Damages an answer: one of its values, its pages, its bytes, its headers.

A damage is plain data, so that an input can be kept as a file: the number of the call on the tape, how, where and with
what. An answer in XML is damaged by the number of an element.
"""

from __future__ import annotations

import json
import random
from typing import Any
from xml.etree import ElementTree

import msgspec

from tests.support.fuzz.answers.tape import Raw
from tests.support.fuzz.damage import HUGE, places

HTML = b"<!DOCTYPE html><html><body><h1>Sign in to the network</h1></body></html>"
TIMES: tuple[object, ...] = (
    0,
    -1,
    1e10,
    1e18,
    1e308,
    -1e18,
    "1970-01-01T00:00:00Z",
    "2999-01-01T00:00:00Z",
    "2025-03-03T12:00:00",
    "0000-00-00",
    "Mon, 03 Mar 2025 12:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "2025-02-30T25:61:61Z",
)
VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63,
    -(2**63) - 1,
    10**40,
    1e308,
    0.5,
    "",
    " ",
    "0",
    "null",
    "NoSuchStatus",
    "a\nb\r\nc\u2028d",
    "\0",
    "\u202e\x1b[31m",
    "\ud7ff",
    HUGE,
    "../../etc/passwd",
    "[secret]",
    [],
    [None],
    [[]],
    [1, "a", {}],
    {},
    {"a": None},
    {"": ""},
)
PAGES = ("repeat", "cycle", "endless")
TOKEN = {"iotwireless": "NextToken", "iot": "nextToken", "iam": "Marker"}


class Damage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One damage; `later` damages every later answer to the same call, too."""

    call: int
    how: str
    path: tuple[str | int, ...] = ()
    value: Any = None
    later: bool = False


class Input(msgspec.Struct, frozen=True):
    """What is damaged in which recorded run."""

    scene: str
    damages: tuple[Damage, ...]


def parsed(raw: Raw) -> Any:
    """Return the JSON value of an answer; None for another body."""
    try:
        return json.loads(raw.body)
    except ValueError:
        return None


def elements(raw: Raw) -> int:
    """Return how many elements an XML body has."""
    try:
        return sum(1 for _ in ElementTree.fromstring(raw.body).iter())  # noqa: S314 - our own simulator's
    except ElementTree.ParseError:
        return 0


def draw(generator: random.Random, call: int, service: str, raw: Raw) -> Damage:
    """Draw a damage of one answer."""
    later = generator.random() < 0.3
    document, kind = parsed(raw), generator.random()
    if kind < 0.12:
        return Damage(call, *_bytes(generator, raw), later=later)
    if kind < 0.18 or not raw.body:
        return _header(generator, call, raw, later)
    if isinstance(document, dict):
        if kind < 0.26 and (service in TOKEN or "pageCount" in str(document)):
            return Damage(call, generator.choice(PAGES), value=service, later=True)
        return _value(generator, call, document, later)
    return _element(generator, call, raw, later)


def _bytes(generator: random.Random, raw: Raw) -> tuple[str, tuple[()], object]:
    how = generator.choice(("cut", "html", "body", "flip"))
    if how == "cut":
        return how, (), generator.randrange(len(raw.body) + 1)
    if how == "html":
        return how, (), generator.choice((200, 200, 302, 400, 403, 404, 429, 500, 503))
    if how == "flip":
        return how, (), [generator.randrange(max(1, len(raw.body))), generator.randrange(256)]
    return how, (), generator.choice(("", " ", "null", "[]", "{}", "1", '"a"', "[" * 3000, "{", "\0", HUGE))


def _header(generator: random.Random, call: int, raw: Raw, later: bool) -> Damage:
    name = generator.choice(sorted(raw.headers) or ["Date"])
    if name.lower() == "date":
        value: object = generator.choice(("", "soon", *(t for t in TIMES if isinstance(t, str))))
    else:
        value = generator.choice(("", "0", "-1", "1e9", "text/html", raw.headers.get(name, "") + "x", HUGE[:500]))
    return Damage(call, "header", (name,), generator.choice((None, value)), later=later)


def _value(generator: random.Random, call: int, document: Any, later: bool) -> Damage:
    path = generator.choice(places(document)[1:] or [()])
    found = document
    for part in path:
        found = found[part]
    how = generator.choice(("drop", "set", "set", "set", "null", "extra", "other"))
    if isinstance(found, list) and generator.random() < 0.6:
        how = generator.choice(("empty", "double", "short"))
    if how == "set":
        time = isinstance(found, int | float) and found > 10**9
        value: object = generator.choice(TIMES if time and generator.random() < 0.7 else VALUES)
        refusal = path[-1:] == ("success",) and value is False  # a true answer: the service refused
        return Damage(call, "set", path, None if refusal else value, later)
    if how == "other":
        texts = sorted({t for t in _texts(document) if t != found})
        return Damage(call, "set", path, generator.choice([*texts, "other", f"{found}0"]), later)
    if how == "extra":
        return Damage(call, how, path if isinstance(found, dict) else (), generator.choice(VALUES), later)
    return Damage(call, how, path, later=later)


def _texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [t for value in node.values() for t in _texts(value)]
    if isinstance(node, list):
        return [t for value in node for t in _texts(value)]
    return [node] if isinstance(node, str) else []


def _element(generator: random.Random, call: int, raw: Raw, later: bool) -> Damage:
    count = elements(raw)
    if not count:
        return Damage(call, *_bytes(generator, raw), later=later)
    how = generator.choice(("drop", "double", "text", "text", "text"))
    value = generator.choice(("", " ", "NoSuchStatus", "{", "{}", "[]", "null", "%7B%7D", "-1", HUGE, "a\nb"))
    return Damage(call, f"xml-{how}", (generator.randrange(count),), value if how == "text" else None, later)


def damaged(raw: Raw, damage: Damage, asked: int = 0) -> Raw:
    """Return an answer with a damage; `asked` counts how often pages without an end were asked for."""
    how, value = damage.how, damage.value
    if how == "cut":
        return Raw(raw.status, raw.headers, raw.body[:value])
    if how == "html":
        page = _with(raw, HTML)
        return Raw(value, {**page.headers, "Content-Type": "text/html"}, HTML)
    if how == "body":
        return _with(raw, value.encode())
    if how == "flip":
        body = bytearray(raw.body)
        if body:
            body[value[0] % len(body)] = value[1]
        return _with(raw, bytes(body))
    if how == "header":
        kept = {k: v for k, v in raw.headers.items() if k != damage.path[0]}
        return Raw(raw.status, kept if value is None else {**kept, str(damage.path[0]): value}, raw.body)
    if how.startswith("xml-"):
        return _with(raw, _in_xml(raw.body, how, int(damage.path[0]), value))
    document = parsed(raw)
    if not isinstance(document, dict):
        return raw
    changed = _paged(document, how, str(value), asked) if how in PAGES else _in_json(document, damage)
    return _with(raw, json.dumps(changed).encode())


def _with(raw: Raw, body: bytes) -> Raw:
    """Return an answer with another body; one that is cut keeps the length it had."""
    headers = {n: str(len(body)) if n.lower() == "content-length" else value for n, value in raw.headers.items()}
    return Raw(raw.status, headers, body)


def _in_json(document: Any, damage: Damage) -> Any:
    path = damage.path
    if damage.how == "extra":
        here = document
        for part in path:
            here = here[part]
        here["AnotherMember"] = damage.value
        return document
    if not path:
        return damage.value
    here = document
    for part in path[:-1]:
        here = here[part]
    last: Any = path[-1]
    match damage.how:
        case "drop":
            del here[last]
        case "null":
            here[last] = None
        case "set":
            here[last] = damage.value
        case "empty":
            here[last] = []
        case "double":
            here[last] = [*here[last], *here[last]]
        case "short":
            here[last] = here[last][:-1]
    return document


def _paged(document: dict[str, Any], how: str, service: str, asked: int) -> dict[str, Any]:
    token = {"repeat": "again", "cycle": f"page-{asked % 2}", "endless": f"page-{asked}"}[how]
    if service in TOKEN:
        document[TOKEN[service]] = token
        if service == "iam":
            document["IsTruncated"] = True
    for place in (document, document.get("data"), document.get("firmwareInfo")):
        if isinstance(place, dict) and "pageCount" in place:
            place["pageCount"] = 10**9
    return document


def _in_xml(body: bytes, how: str, number: int, value: object) -> bytes:
    root = ElementTree.fromstring(body)  # noqa: S314 - our own simulator's
    found = list(root.iter())
    here = found[number % len(found)]
    if how == "xml-text":
        for below in list(here):
            here.remove(below)
        here.text = str(value)
    else:
        parent = next((each for each in found if here in list(each)), None)
        if parent is None:
            return b""
        if how == "xml-drop":
            parent.remove(here)
        else:
            parent.append(here)
    return bytes(ElementTree.tostring(root))
