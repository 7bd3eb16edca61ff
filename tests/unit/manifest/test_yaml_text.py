"""YAML text: what is refused, where, and with which message."""

from __future__ import annotations

import pytest

from tests.support.manifest_texts import GOOD, Read, changed, problem_lines

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(8)
)
REFUSED = {
    "a key that occurs twice": (
        changed("    sizeBytes: 8000\n", "    sizeBytes: 8000\n    sizeBytes: 9000\n"),
        "13:5 duplicate_key /spec/firmware/sizeBytes",
    ),
    "a tab as indentation": (changed("    sizeBytes", "\tsizeBytes"), "12:1 tab_indentation "),
    "a core tag": (changed('"2.4.1"', "!!str 2.4"), "9:14 tag_refused /spec/firmware/version"),
    "a Python tag": (
        changed('"2.4.1"', "!!python/object/apply:os.system [ls]"),
        "9:14 tag_refused /spec/firmware/version",
    ),
    "a custom tag": (changed('"2.4.1"', "!version 2.4"), "9:14 tag_refused /spec/firmware/version"),
    "an alias within its own anchor": (
        changed("labels: {product: soil}", "labels: &a {x: *a}"),
        "5:18 alias_contains_itself /metadata/labels/x",
    ),
    "aliases that expand to millions": (BOMB, "5:35 too_many_values /e/9"),
    "an alias without anchor": (
        changed("product: soil", "product: *nope"),
        "5:21 unknown_alias /metadata/labels/product",
    ),
    "a key that is a number": (changed("product: soil", "1: soil"), "5:12 key_not_text /metadata/labels"),
    "a key that is a mapping": (changed("product: soil", "{a: b}: soil"), "5:12 key_not_text /metadata/labels"),
    "a missing colon": (changed("  firmware:", "  firmware"), "9:12 yaml_syntax "),
    "a colon too many": (changed("kind: Rollout", "kind: Rollout: x"), "2:14 yaml_syntax "),
    "an open quote": (changed("prod-eu", "'prod-eu"), "31:1 yaml_syntax "),
    "a control character": (changed("name: soil-probe", "name: soil\x07probe"), "4:13 control_character "),
    "half a million brackets": ("[" * 500_000, "1:41 too_deep /" + "/".join("0" * 40)),
    "a hundred thousand dashes": ("- " * 100_000, "1:81 too_deep /" + "/".join("0" * 40)),
    "ten thousand documents": ("---\na: 1\n" * 10_000, "2002:1 too_many_documents "),
    "an infinite number": (changed("8000", ".inf"), "12:16 number_not_usable /spec/firmware/sizeBytes"),
    "a number beyond 64 bits": (changed("8000", "9" * 5000), "12:16 number_not_usable /spec/firmware/sizeBytes"),
    "nothing at all": ("", "1:1 empty_file "),
    "comments only": ("# to be written\n---\n", "1:1 empty_file "),
    "a merge key": (
        changed("  fuota:\n", "  fuota:\n    <<: {rfRegion: EU868}\n"),
        "14:5 unknown_field /spec/fuota/<<",
    ),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_the_text_is_refused_at_its_place_and_only_there(text: str, expected: str) -> None:
    read = Read(text)
    assert problem_lines(read.errors) == [expected]
    assert read.errors[0].hint


def test_a_file_that_is_not_utf8_is_refused_at_the_first_byte_that_is_not() -> None:
    assert problem_lines(Read(changed("prod-eu", "pröd-eu").encode("latin-1")).errors) == ["7:18 not_utf8 "]


def test_utf16_is_named_as_such() -> None:
    (error,) = Read(GOOD.encode("utf-16")).errors
    assert (error.code, error.message, error.hint) == (
        "not_utf8",
        "the file is UTF-16, and UTF-8 is required",
        "save it as UTF-8",
    )


def test_a_byte_order_mark_is_skipped_and_moves_no_column() -> None:
    read = Read(b"\xef\xbb\xbf" + changed("apiVersion: otactl.dev/v1", "apiVersion: otactl.dev/v2").encode())
    assert problem_lines(read.errors) == ["1:13 unknown_api_version /apiVersion"]


def test_a_file_over_one_mebibyte_is_refused_unread() -> None:
    (error,) = Read(b"[" * (1024 * 1024 + 1)).errors
    assert error.code == "file_too_large"


def test_columns_count_characters_not_bytes() -> None:
    assert problem_lines(Read(changed("{product: soil}", "{ä€𝄞: &b *b}")).errors) == ["5:20 yaml_syntax "]


def test_every_document_of_a_file_is_read() -> None:
    read = Read(GOOD + "---\n" + GOOD.replace("name: soil-probe", "name: other") + "---\n")
    assert not read.errors
    assert [each.name for each in read.manifests] == ["soil-probe", "other"]


def test_an_error_in_the_second_document_has_the_line_of_the_file() -> None:
    read = Read(GOOD + "---\n" + changed("EU868", "EU-868"))
    assert problem_lines(read.errors) == ["45:15 unknown_value /spec/fuota/rfRegion"]


def test_aliases_within_bounds_are_expanded() -> None:
    text = changed("    gate: {minSuccessPercent: 90}", "    gate: &g {minSuccessPercent: 90}").replace(
        "- name: canary\n", "- name: canary\n        gate: &h {minSuccessPercent: 50}\n", 1
    )
    read = Read(text.replace("- name: fleet\n", "- name: fleet\n        gate: *h\n"))
    assert not read.errors
    assert [wave.gate and wave.gate.min_success_percent for wave in read.rollout.strategy.waves] == [50, 50]


def test_reading_goes_on_after_a_problem_and_tells_all_of_them() -> None:
    text = changed("EU868", "EU-868").replace("8000", "!!int 8000").replace("20\n", "20\n    dataRate: 4\n", 1)
    assert problem_lines(Read(text).errors) == [
        "12:16 tag_refused /spec/firmware/sizeBytes",
        "14:15 unknown_value /spec/fuota/rfRegion",
        "20:5 duplicate_key /spec/fuota/dataRate",
    ]
