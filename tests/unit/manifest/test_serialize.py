"""Values written as text are read back as they were, by our reader and by those of YAML 1.1."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.manifest.serialize import as_json, block, flow
from otactl.manifest.source import read_source

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
WORDS = NAMES | st.from_regex(r"\A[-+0-9a-zA-Z_.:/ #~{}]{0,12}\Z")
SCALARS = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | WORDS
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=5) | st.dictionaries(WORDS, below, max_size=5), max_leaves=12
)


def read(text: str, file: str = "m.yaml") -> object:
    source = read_source(file, text.encode())
    assert not source.problems, (source.problems, text)
    return source.documents[0].value


@settings(max_examples=100)
@given(st.dictionaries(WORDS, VALUES, min_size=1, max_size=4))
def test_any_value_is_read_back_as_it_was(value: dict[str, object]) -> None:
    assert read(block(value)) == value
    assert read(f"x: {flow(value)}\n") == {"x": value}
    assert read(as_json(value, "  "), "m.json") == value


@given(WORDS)
def test_text_is_text_for_readers_of_yaml_1_1(text: str) -> None:
    if "\x85" not in text and all(ord(c) <= 0xFFFF for c in text):
        assert yaml.safe_load(f"x: {flow(text)}") == {"x": text}


@pytest.mark.parametrize(
    "word", ["yes", "Off", "y", "null", "~", "1e3", "0o17", "2.10", "1:30", "2027-01-01", "", "a: b"]
)
def test_what_looks_like_something_else_is_in_quotes(word: str) -> None:
    assert flow(word) == json.dumps(word)


@pytest.mark.parametrize(
    "word", ["ada", "waiting for the lab", "/update", "2h", "firmware-owners", "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01"]
)
def test_plain_words_stand_as_people_write_them(word: str) -> None:
    assert flow(word) == word


def test_a_note_stands_behind_the_text_it_is_about() -> None:
    text = block({"a": ["x", "z"], "b": "x"}, {"x": "one # two"})

    assert text == "a:\n  - x # one # two\n  - z\nb: x # one # two\n"
    assert read(text) == {"a": ["x", "z"], "b": "x"}
