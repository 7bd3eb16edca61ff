"""A chain of events as values, and every way to tamper with one place of it."""

from __future__ import annotations

import json
import random
from typing import NamedTuple

from otactl.state.event_chain import Break, ChainCheck, Link, linked

ENVIRONMENT, NAME = "prod-eu", "soil"


class Row(NamedTuple):
    """An event as a journal keeps it."""

    revision: int
    text: str
    link: Link | None


class Chain(NamedTuple):
    """The events of a rollout, and the head in its record."""

    rows: tuple[Row, ...]
    head: Link | None


def text(number: int) -> str:
    data = {"from": number, "counts": [number, number + 1], "why": None, "rate": number / 7}
    event = {"at": "2026-03-01T12:00:00Z", "kind": "note", "subject": NAME, "message": f"event {number}", "data": data}
    return json.dumps(event)


def chain(length: int, *, old: int = 0) -> Chain:
    """A chain of `length` events, behind `old` ones without a hash; two come with each revision."""
    rows = [Row(n // 2 + 1, text(n), None) for n in range(old)]
    head: Link | None = None
    if old:
        check = ChainCheck(ENVIRONMENT, NAME)
        for row in rows:
            check.add("", row.revision, row.text, None)
        began = json.dumps({"kind": "chainBegins", "data": check.beginning_data()})
        (head,) = linked(ENVIRONMENT, NAME, old, [began], None)
        rows.append(Row(old, began, head))
    for n in range(old, old + length):
        revision = n // 2 + 1
        (head,) = linked(ENVIRONMENT, NAME, revision, [text(n)], head)
        rows.append(Row(revision, text(n), head))
    return Chain(tuple(rows), head)


def broken(found: Chain, environment: str = ENVIRONMENT, name: str = NAME) -> Break | None:
    """What a check says; events are named by their place, from 0."""
    check = ChainCheck(environment, name)
    for place, row in enumerate(found.rows):
        check.add(str(place), row.revision, row.text, row.link)
    return check.broken(found.head)


def tampered(whole: Chain, draw: random.Random) -> tuple[str, int, Chain]:
    """Change one place of a chain, drawn at random: what was done, the first place that differs, what is left."""
    rows, kind = list(whole.rows), draw.choice(("edit", "removal", "swap", "insertion"))
    at = draw.randrange(len(rows))
    if kind == "edit":
        return _edited(whole, rows, at, draw)
    if kind == "removal":
        del rows[at]
        return kind, at, Chain(tuple(rows), whole.head)
    if kind == "swap":
        other = draw.choice([n for n in range(len(rows)) if n != at])
        rows[at], rows[other] = rows[other], rows[at]
        return kind, min(at, other), Chain(tuple(rows), whole.head)
    added = draw.choice((rows[at], rows[draw.randrange(len(rows))], Row(rows[at].revision, text(10**6), None)))
    rows.insert(at, added._replace(link=draw.choice((added.link, None, rows[at].link))))
    return kind, at, Chain(tuple(rows), whole.head)


def _edited(whole: Chain, rows: list[Row], at: int, draw: random.Random) -> tuple[str, int, Chain]:
    row, part = rows[at], draw.choice(("text", "revision", "number", "hash", "no link", "head"))
    if part == "head" or (row.link is None and part in ("number", "hash", "no link")):
        head = whole.head
        assert head is not None
        moved = Link(number=head.number + draw.choice((-1, 1)), hash=head.hash)
        return "edit of head", len(rows), Chain(tuple(rows), draw.choice((None, moved, _flipped(head, draw))))
    if part == "text":
        rows[at] = row._replace(text=_character(row.text, draw))
    elif part == "revision":
        rows[at] = row._replace(revision=row.revision + draw.choice((-1, 1)))
    elif row.link is not None:
        links = {
            "number": Link(number=row.link.number + draw.choice((-1, 1)), hash=row.link.hash),
            "hash": _flipped(row.link, draw),
            "no link": None,
        }
        rows[at] = row._replace(link=links[part])
    return f"edit of {part}", at, Chain(tuple(rows), whole.head)


def _flipped(link: Link, draw: random.Random) -> Link:
    at = draw.randrange(64)
    digit = draw.choice([d for d in "0123456789abcdef" if d != link.hash[at]])
    return Link(number=link.number, hash=link.hash[:at] + digit + link.hash[at + 1 :])


def _character(was: str, draw: random.Random) -> str:
    """Change one letter inside a text, so that what is left is JSON and says something else."""
    at = draw.choice([n for n, c in enumerate(was) if c.isalpha() and was[:n].count('"') % 2])
    return was[:at] + draw.choice([c for c in "aZ059" if c != was[at]]) + was[at + 1 :]
