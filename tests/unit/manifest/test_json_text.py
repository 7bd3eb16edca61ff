"""JSON text: what is refused, where, and that it is worded for JSON."""

from __future__ import annotations

import json

import pytest

from tests.support.manifest_texts import GOOD, Read, problem_lines

DOCUMENT = Read(GOOD).manifests[0].document
REFUSED = {
    "a trailing comma": ('{"a": 1,}', "1:9 json_syntax "),
    "a comment": ("// hello\n{}", "1:1 json_syntax "),
    "single quotes": ("{'a': 1}", "1:2 json_syntax "),
    "a second document": ("{} {}", "1:4 json_syntax "),
    "an open string": ('{"a": "b', "1:7 json_syntax "),
    "a bare word": ('{"a": yes}', "1:7 json_syntax "),
    "a line break in a string": ('{"a": "b\nc"}', "1:9 json_syntax "),
    "very deep lists": ("[" * 100_000, "1:1 too_deep "),
    "deep lists": ("[" * 60 + "]" * 60, "1:41 too_deep /" + "/".join("0" * 40)),
    "a huge number": ("9" * 5000, "1:1 number_not_usable "),
    "null": ("null", "1:1 empty_file "),
    "nothing": (" \n", "1:1 empty_file "),
    "a list": ("[1]", "1:1 not_a_manifest "),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_the_text_is_refused_at_its_place(text: str, expected: str) -> None:
    read = Read(text, "m.json")
    assert problem_lines(read.errors) == [expected]
    assert "yaml" not in (read.errors[0].message + read.errors[0].hint).lower()


def test_a_manifest_reads_the_same_as_json_and_as_yaml() -> None:
    yaml, as_json = Read(GOOD).rollout, Read(json.dumps(DOCUMENT, indent="\t"), "m.json").rollout
    assert (yaml.firmware, yaml.backend, yaml.strategy) == (as_json.firmware, as_json.backend, as_json.strategy)


def test_tabs_may_indent_json() -> None:
    text = json.dumps(DOCUMENT, indent="\t").replace('"EU868"', '"EU-868"')
    assert problem_lines(Read(text, "m.json").errors) == ["19:16 unknown_value /spec/fuota/rfRegion"]


def test_a_key_that_stands_twice_is_reported_at_the_second() -> None:
    text = json.dumps(DOCUMENT).replace('"kind": "Rollout"', '"kind": "Rollout",\n "kind": "Rollout"')
    assert problem_lines(Read(text, "m.json").errors) == ["2:2 duplicate_key /kind"]


def test_nan_is_no_number_a_manifest_can_have() -> None:
    text = json.dumps(DOCUMENT).replace('"sizeBytes": 8000', '\n"sizeBytes": NaN')
    assert problem_lines(Read(text, "m.json").errors) == ["2:14 number_not_usable /spec/firmware/sizeBytes"]


def test_half_a_surrogate_pair_is_no_text() -> None:
    text = json.dumps(DOCUMENT).replace('{"product": "soil"}', '\n{"product": "\\ud800"}')
    assert problem_lines(Read(text, "m.json").errors) == ["2:13 not_unicode /metadata/labels/product"]


def test_a_whole_surrogate_pair_is_one_character() -> None:
    text = json.dumps(DOCUMENT).replace('{"product": "soil"}', '{"product": "\\ud83d\\ude00"}')
    assert Read(text, "m.json").rollout.labels == {"product": "😀"}


def test_an_unquoted_version_is_reported_in_json_too() -> None:
    text = json.dumps(DOCUMENT).replace('"2.4.1"', "\n2.10")
    (error,) = Read(text, "m.json").errors
    assert (error.line, error.column, error.code) == (2, 1, "text_is_not_quoted")
    assert error.hint == 'put it in quotes: version: "2.10"'
