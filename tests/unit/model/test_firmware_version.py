"""Which firmware version is the newer one: the rules as a table, and what holds for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.model.firmware_version import Order, compare, downgraded

OLDER, SAME, NEWER = Order.OLDER, Order.SAME, Order.NEWER

TABLE = [
    ("2.4.0", "2.4.1", OLDER),
    ("2.9", "2.10", OLDER),
    ("3", "2.99.99", NEWER),
    ("2.4", "2.4.0", SAME),
    ("0", "0.0.0", SAME),
    ("2.4.1.7", "2.4.1", NEWER),
    ("02.04", "2.4", SAME),
    ("v2.4.1", "2.4.1", SAME),
    ("2.4.1+a1b2", "2.4.1+ffff", SAME),
    ("20261121093000.1", "20261120", NEWER),
    # Semantic Versioning 2.0.0, point 11: each is older than the one below it.
    ("1.0.0-alpha", "1.0.0-alpha.1", OLDER),
    ("1.0.0-alpha.1", "1.0.0-alpha.beta", OLDER),
    ("1.0.0-alpha.beta", "1.0.0-beta", OLDER),
    ("1.0.0-beta", "1.0.0-beta.2", OLDER),
    ("1.0.0-beta.2", "1.0.0-beta.11", OLDER),
    ("1.0.0-beta.11", "1.0.0-rc.1", OLDER),
    ("1.0.0-rc.1", "1.0.0", OLDER),
    ("1.0.1-rc.1", "1.0.0", NEWER),
    ("1.0.0-rc.1+7", "1.0.0-rc.1", SAME),
]
INCOMPARABLE = [
    "",
    " ",
    "2.4.1rc2",
    "2.4.1 ",
    "2..4",
    ".4",
    "2.4.",
    "build 7",
    "release-2024",
    "9f3c1a",
    "V2.4",
    "2.4.1-",
    "2.4.1+",
    "2.4.1-rc..1",
    "-1",
    "2,4",
    "\u0662.4",
    "2.4\n",
    "9" * 19,
]


@pytest.mark.parametrize(("one", "other", "order"), TABLE)
def test_two_versions_are_ordered(one: str, other: str, order: Order) -> None:
    assert compare(one, other) is order


@pytest.mark.parametrize("text", INCOMPARABLE)
def test_what_is_no_such_version_is_not_comparable_not_even_to_itself(text: str) -> None:
    assert (compare(text, "2.4.1"), compare("2.4.1", text), compare(text, text)) == (None, None, None)


def test_a_downgrade_names_the_devices_that_report_a_newer_version_and_of_no_other() -> None:
    reported = {"b": "2.5.0", "a": "3", "old": "2.4.0", "same": "2.4.1", "strange": "build 7", "mute": None}

    assert downgraded(reported, "2.4.1") == ("a", "b")


_NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda ns: ".".join(map(str, ns)))
_PRE = st.lists(st.sampled_from(["alpha", "rc", "0", "1", "2", "10", "x-1"]), max_size=3).map(".".join)
_BUILD = st.sampled_from(["", "+7", "+a.b"])
VERSIONS = st.builds(lambda n, p, b: n + (f"-{p}" if p else "") + b, _NUMBERS, _PRE, _BUILD)
OPPOSITE = {OLDER: NEWER, NEWER: OLDER, SAME: SAME}


@given(VERSIONS, VERSIONS)
def test_the_other_way_round_is_the_opposite(one: str, other: str) -> None:
    order = compare(one, other)

    assert order is not None
    assert compare(other, one) is OPPOSITE[order]


@given(VERSIONS, VERSIONS, VERSIONS)
def test_what_is_not_newer_than_what_is_not_newer_is_not_newer(a: str, b: str, c: str) -> None:
    if compare(a, b) is not NEWER and compare(b, c) is not NEWER:
        assert compare(a, c) is not NEWER


@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_that_are_the_same_stand_alike_to_every_other(a: str, b: str, c: str) -> None:
    if compare(a, b) is SAME:
        assert compare(a, c) is compare(b, c)


@given(VERSIONS)
def test_a_version_is_the_same_as_itself(one: str) -> None:
    assert compare(one, one) is SAME


@given(st.text(max_size=8), st.text(max_size=8))
def test_no_text_is_too_strange_to_be_asked_about(one: str, other: str) -> None:
    order, back = compare(one, other), compare(other, one)

    assert (order is None) == (back is None)
