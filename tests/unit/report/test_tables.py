"""Tables fit a terminal: sentences are wrapped between words, and nothing that is copied is broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.report.tables import NARROWEST, columns, row_lines, table, wrapped

SENTENCE = "the wave waits for devices that have not reported for a day"
WORDS = st.lists(st.text(alphabet="ab土`;:-", min_size=1, max_size=30), min_size=1, max_size=12).map(" ".join)


def test_columns_align_by_what_a_terminal_shows() -> None:
    lines = table(("A", "N"), [("土", "1"), ("e\u0301", "10"), ("abc", "2")], numbers=frozenset({1}))
    assert lines == ["A     N", "土    1", "e\u0301    10", "abc   2"]


def test_a_sentence_is_wrapped_below_itself_between_words() -> None:
    lines = table(("ROLLOUT", "WHAT"), [("soil", SENTENCE), ("plug", "it waits")], sentences=frozenset({1}), width=40)

    assert lines == [
        "ROLLOUT  WHAT",
        "soil     the wave waits for devices that",
        "         have not reported for a day",
        "plug     it waits",
    ]


@pytest.mark.parametrize("width", [None, 200])
def test_without_a_width_or_with_enough_of_it_each_row_is_one_line(width: int | None) -> None:
    lines = table(("ROLLOUT", "WHAT"), [("soil", SENTENCE)], sentences=frozenset({1}), width=width)

    assert lines == ["ROLLOUT  WHAT", f"soil     {SENTENCE}"]


def test_a_column_of_names_is_never_broken_however_narrow_the_terminal() -> None:
    lines = table(("NAME", "WHAT"), [("a name with spaces " * 3, SENTENCE)], sentences=frozenset({1}), width=30)

    assert lines[1].startswith("a name with spaces " * 3)


def test_two_columns_of_sentences_share_the_room_and_a_narrow_one_keeps_its_own() -> None:
    short = "a b"
    rows = [(SENTENCE, short, SENTENCE)]
    lines = table(("X", "Y", "Z"), rows, sentences=frozenset({0, 1, 2}), width=80)

    assert all(columns(line) <= 80 for line in lines)
    assert short in lines[1]
    assert len(lines) == 3


def test_rows_keep_their_lines_together_for_what_is_shown_below_them() -> None:
    head, first, second = row_lines(
        ("A", "WHAT"), [("1", SENTENCE), ("2", "b")], sentences=frozenset({1}), width=NARROWEST
    )

    assert (len(head), len(second)) == (1, 1)
    assert " ".join(line.strip() for line in first).removeprefix("1  ") == SENTENCE


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (
            "give it back with `otactl approve a.yaml --wave canary` now or never",
            "`otactl approve a.yaml --wave canary`",
        ),
        (
            "there is none; create it: otactl journal init s3://bucket/prefix; then again",
            "otactl journal init s3://bucket/prefix",
        ),
        ("of no one; to remove it: cloud delete-task --id 17 --force", "cloud delete-task --id 17 --force"),
    ],
)
def test_a_command_to_copy_stays_on_one_line(text: str, command: str) -> None:
    lines = wrapped(text, 20)

    assert len(lines) > 1
    assert any(command in line for line in lines)


@given(WORDS, st.integers(min_value=1, max_value=60))
def test_no_character_of_a_text_is_lost_and_no_word_is_broken(text: str, room: int) -> None:
    lines = wrapped(text, room)

    assert " ".join(lines) == text
    assert all(columns(line) <= room or " " not in line or "`" in line for line in lines)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.integers(min_value=1, max_value=80))
def test_a_table_is_no_wider_than_it_is_without_a_width(rows: list[tuple[str, str]], width: int) -> None:
    narrow = table(("A", "WHAT"), rows, sentences=frozenset({1}), width=width)
    wide = table(("A", "WHAT"), rows)

    assert max(map(columns, narrow)) <= max(map(columns, wide))
