"""Whatever a file holds, reading it ends in values or in problems with a place, never in a traceback."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.damaged_documents import DOCUMENT, damaged
from tests.support.manifest_texts import GOOD, Read

MARKS = [
    "a",
    "1",
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "!!x ",
    "'",
    '"',
    "#",
    "|\n",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "<<",
    "\ufeff",
    "\u2028",
    "é",
]
PIECES = st.sampled_from([*MARKS, *GOOD.split("\n")])


def must_hold(read: Read, size: int) -> None:
    for problem in (*read.errors, *read.warnings):
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.line <= size
        assert problem.message
        assert "\n" not in problem.message
        assert problem.code.replace("_", "").isalnum()
    for manifest in read.manifests:
        assert manifest.value is not None or read.errors or read.warnings


def lines(text: str) -> int:
    return text.count("\n") + text.count("\r") + text.count("\u2028") + text.count("\u2029") + text.count("\x85") + 2


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
@example("[" * 100_000)
@example("&a [*a]")
@example("? ? ? ?")
@example('"\\ud800"')
def test_any_yaml_text_is_read_or_refused(text: str) -> None:
    must_hold(Read(text), lines(text))


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join) | st.text())
@example("NaN")
@example('{"a": 1e999}')
@example("[" * 100_000)
def test_any_json_text_is_read_or_refused(text: str) -> None:
    must_hold(Read(text.encode(errors="replace"), "m.json"), lines(text))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    must_hold(Read(data), 300)


@settings(deadline=None)
@given(st.integers(0, len(GOOD)), st.integers(0, 6), st.text(max_size=4))
def test_any_slip_of_the_hand_is_read_or_refused(at: int, cut: int, typed: str) -> None:
    text = GOOD[:at] + typed + GOOD[at + cut :]
    must_hold(Read(text.encode(errors="replace")), lines(text))


@settings(deadline=None)
@given(damaged(DOCUMENT))
def test_any_damaged_manifest_is_read_or_refused_with_the_reason(document: object) -> None:
    read = Read(json.dumps(document), "m.json")
    must_hold(read, 3)
    if not read.errors:
        assert all(manifest.value is not None for manifest in read.manifests)
