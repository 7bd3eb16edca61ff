"""Any single change of a chain of events is found, and the first event that does not fit is named."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime

import pytest

from otactl.state.event_chain import BEGINS, FIRST, ChainCheck, canonical, linked, parsed
from tests.support.chained_events import ENVIRONMENT, NAME, Chain, Row, broken, chain, tampered, text
from tests.support.sampling import everything

TAMPERINGS = 10_000


def test_a_hash_is_the_sha256_of_what_the_definition_says() -> None:
    event = {"kind": "note", "message": "grün", "data": {"b": 1, "a": None}}
    (link,) = linked(ENVIRONMENT, NAME, 3, [json.dumps(event)], None)
    written = (
        '{"environment":"prod-eu","event":{"data":{"a":null,"b":1},"kind":"note","message":"grün"},"name":"soil",'
        f'"number":1,"previous":"{FIRST}","revision":3}}'
    )
    assert (link.number, link.hash) == (1, hashlib.sha256(written.encode()).hexdigest())


def test_events_of_one_commit_and_of_several_give_the_same_chain() -> None:
    texts = [text(n) for n in range(3)]
    (one,) = linked(ENVIRONMENT, NAME, 1, texts[:1], None)
    assert [one, *linked(ENVIRONMENT, NAME, 1, texts[1:], one)] == linked(ENVIRONMENT, NAME, 1, texts, None)


@pytest.mark.parametrize("old", [0, 1, 7])
@pytest.mark.parametrize("length", [1, 2, 40])
def test_a_whole_chain_has_no_break(length: int, old: int) -> None:
    assert broken(chain(length, old=old)) is None


def test_a_rollout_without_events_has_no_break_and_counts_none() -> None:
    check = ChainCheck(ENVIRONMENT, NAME)
    assert (check.broken(None), check.chained, check.unchained) == (None, 0, 0)


def test_old_events_are_counted_apart() -> None:
    check = ChainCheck(ENVIRONMENT, NAME)
    for row in chain(5, old=3).rows:
        check.add("", row.revision, row.text, row.link)
    assert (check.chained, check.unchained) == (6, 3)


@pytest.mark.parametrize("old", [0, 5])
def test_every_single_tampering_of_a_chain_is_found(old: int) -> None:
    draw, whole = random.Random(20261130 + old), chain(20, old=old)  # noqa: S311 - seeded
    seen: set[str] = set()
    found = 0
    wanted = TAMPERINGS // 2 if everything() else 250
    while found < wanted:
        kind, place, left = tampered(whole, draw)
        if left == whole:  # an event that was put in the place of its equal
            continue
        assert broken(left) is not None, (kind, place)
        seen.add(kind)
        found += 1
    parts = {f"edit of {part}" for part in ("text", "revision", "number", "hash", "no link", "head")}
    assert seen == {"removal", "swap", "insertion", *parts}


def test_the_first_event_that_does_not_fit_is_named() -> None:
    draw, whole = random.Random(1), chain(12)  # noqa: S311 - seeded
    for _ in range(200):
        kind, place, left = tampered(whole, draw)
        found = broken(left)
        assert found is not None
        if place < len(left.rows) and left.rows[place] != whole.rows[place]:
            assert found.where == str(place), kind


@pytest.mark.parametrize(
    ("rows", "head", "where", "message"),
    [
        (slice(0, 3), 4, "prod-eu/soil", "1 event after it is missing"),
        (slice(0, 0), 4, "prod-eu/soil", "4 events after it are missing"),
        (slice(1, 4), 4, "0", "its number is 2, not 1"),
        (slice(0, 4), 0, "prod-eu/soil", "the record names no newest event"),
        (slice(0, 4), 3, "prod-eu/soil", "the record names number 3"),
    ],
)
def test_what_is_cut_off_is_named(rows: slice, head: int, where: str, message: str) -> None:
    whole = chain(4)
    found = broken(Chain(whole.rows[rows], whole.rows[head - 1].link if head else None))
    assert found is not None
    assert (found.where, message in found.message) == (where, True), found


def test_a_chain_of_another_rollout_does_not_fit() -> None:
    found = broken(chain(4), name="other")
    assert found is not None
    assert found.where == "0"


def test_an_old_event_behind_chained_ones_is_named_as_inserted() -> None:
    whole = chain(4)
    found = broken(Chain((*whole.rows, Row(2, text(9), None)), whole.head))
    assert found is not None
    assert (found.where, "it was inserted, or an older version wrote it" in found.message) == ("4", True)


def test_a_change_of_an_old_event_shows_where_the_chain_begins() -> None:
    whole = chain(2, old=3)
    first = whole.rows[0]._replace(text=text(77))
    found = broken(Chain((first, *whole.rows[1:]), whole.head))
    assert found is not None
    assert (found.where, "behind 3 events without a hash" in found.message) == ("3", True)


@pytest.mark.parametrize("spoiled", ["{", '{"a":1,"a":2}', "[" * 100_000], ids=["cut", "twice", "deep"])
def test_text_that_is_no_json_or_names_a_key_twice_breaks_the_chain(spoiled: str) -> None:
    whole = chain(3)
    rows = (whole.rows[0], whole.rows[1]._replace(text=spoiled), whole.rows[2])
    found = broken(Chain(rows, whole.head))
    assert found is not None
    assert (found.where, found.message.startswith("it is no JSON")) == ("1", True)


def test_white_space_and_the_order_of_keys_change_no_hash() -> None:
    assert canonical(parsed(' {"b": 1, "a": "\\u00fc"} ')) == canonical(parsed('{"a":"ü","b":1}'))


def test_the_event_that_begins_the_chain_says_what_was_before_it() -> None:
    check = ChainCheck(ENVIRONMENT, NAME)
    event = check.beginning(datetime(2026, 3, 1, tzinfo=UTC))

    assert (event.kind, event.subject, event.data) == (BEGINS, NAME, check.beginning_data())
    assert event.message == "the hash chain begins here; 0 events from before it have no hash"


def test_json_that_is_nested_too_deeply_is_no_event() -> None:
    deep = "[" * 100_000 + "]" * 100_000

    with pytest.raises(ValueError, match=r"^it is nested too deeply$"):
        parsed(deep)
