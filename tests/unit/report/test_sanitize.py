"""What makes service text safe: escapes on terminals, in Markdown, in JSON; readable text stays as it is."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.report.sanitize import as_json, cell, plain, safe_json, short_json, without_commands, without_controls

ANY_TEXT = st.text(alphabet=st.characters(codec=None, categories=None))
UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sonde d'été 土壌", "sonde d'été 土壌"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("\u202eevil", "\\u202eevil"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_only_what_a_terminal_acts_on_is_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(ANY_TEXT)
def test_plain_text_has_no_unsafe_character_and_can_be_written(text: str) -> None:
    shown = plain(text)
    assert not [c for c in shown if unicodedata.category(c) in UNSAFE]
    assert shown.encode().decode() == shown


@given(st.recursive(st.none() | st.integers() | ANY_TEXT, lambda v: st.lists(v) | st.dictionaries(ANY_TEXT, v)))
def test_json_keeps_its_meaning_and_has_no_unsafe_character(value: object) -> None:
    text = as_json(value)
    assert json.loads(text) == value
    assert not [c for c in text if c != "\n" and unicodedata.category(c) in UNSAFE]


def test_ascii_json_is_left_as_it_is() -> None:
    assert safe_json('{"a":"\\u001b"}') == '{"a":"\\u001b"}'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("`x` *y* _z_", "\\`x\\` \\*y\\* \\_z\\_"),
        ("[x](y)", "\\[x\\](y)"),
        ("<img>", "\\<img\\>"),
        ("@acme", "@\u200bacme"),
        ("https://evil", "https\\://evil"),
        ("#12", "\\#12"),
        ("12:00:00Z", "12:00:00Z"),
    ],
)
def test_a_markdown_cell_is_no_markup(text: str, shown: str) -> None:
    assert cell(text) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), ("", '""'), ("x", "x"), (True, "true"), ([1], "[1]")])
def test_a_value_fits_a_cell(value: object, shown: str) -> None:
    assert short_json(value) == shown


@given(st.text())
def test_text_of_many_lines_keeps_its_lines_and_nothing_that_acts(text: str) -> None:
    shown = without_controls(text)
    assert shown.count("\n") == text.count("\n")
    assert without_controls(shown) == shown
    assert all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error::x", "\\u003a:error::x"),
        ("a\n \u00a0::debug::x\n", "a\n \u00a0\\u003a:debug::x\n"),
        ("a ::error::x", "a ::error::x"),
        ('{"file": "##[add-mask]x"}', '{"file": "\\u0023#[add-mask]x"}'),
        ("see ##vso[task.setvariable]", "see \\u0023#vso[task.setvariable]"),
        ("### plan", "### plan"),
    ],
)
def test_no_line_is_a_command_of_a_ci_run(text: str, shown: str) -> None:
    assert without_commands(text) == shown


def test_the_rest_of_a_line_is_no_command() -> None:
    assert without_commands("::x\n::y", at_line_start=False) == "::x\n\\u003a:y"


def test_what_keeps_a_mention_from_being_one_stays() -> None:
    assert without_controls("@\u200bada\t\U0001f469\u200d\U0001f680") == "@\u200bada\t\U0001f469\u200d\U0001f680"
    assert without_controls("\x1b[31m\u202e\r") == "\\x1b[31m\\u202e\\x0d"
