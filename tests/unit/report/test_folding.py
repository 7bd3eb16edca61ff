"""Long lines at a terminal: folded at its width, and nothing that a person copies is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otactl.report.folding import call, sentence

PARAMETERS = {
    "Name": "acme-probe-canary-1-2e5b9bc1",
    "FirmwareUpdateImage": "s3://acme/" + "a" * 60,
    "Tags": [{"Key": "team", "Value": 'soil, and "more", of it'}],
}


def test_a_line_that_fits_or_has_no_width_stays_as_it_is() -> None:
    assert sentence("  hold: window_is_closed", 80) == ["  hold: window_is_closed"]
    assert sentence("word " * 50, None) == ["word " * 50]
    assert len(call("s:Op", PARAMETERS, 4, None)) == 1


def test_a_sentence_is_folded_between_words_and_set_in() -> None:
    assert sentence("  hold: one two three four", 20) == ["  hold: one two", "    three four"]


def test_a_command_in_a_sentence_stays_on_one_line() -> None:
    line = "  note: the journal is missing; create it: otactl journal init /srv/firmware/.otactl/journal.db"

    assert any("otactl journal init /srv/firmware/.otactl/journal.db" in part for part in sentence(line, 30))


def test_a_call_is_folded_between_its_parts_and_no_text_is_broken() -> None:
    lines = call("iotwireless:CreateFuotaTask", PARAMETERS, 4, 60)

    assert lines == [
        "    iotwireless:CreateFuotaTask",
        '      {"Name": "acme-probe-canary-1-2e5b9bc1",',
        f'      "FirmwareUpdateImage": "s3://acme/{"a" * 60}",',
        '      "Tags": [{"Key": "team",',
        '      "Value": "soil, and \\"more\\", of it"}]}',
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@pytest.mark.parametrize("width", [1, 40])
@given(value=st.dictionaries(st.text(), VALUES))
def test_what_is_copied_over_several_lines_is_the_same_json(width: int, value: dict[str, object]) -> None:
    _, _, copied = "\n".join(call("s:Op", value, 0, width)).partition("s:Op")

    assert json.loads(copied) == value
