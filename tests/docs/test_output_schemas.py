"""The schemas of outputs are those that the report values give."""

from __future__ import annotations

import pytest

from tests.support.output_schemas import FOLDER, REPORTS, text, title


@pytest.mark.parametrize("name", sorted(REPORTS))
def test_the_schema_of_an_output_is_what_its_report_value_gives(name: str) -> None:
    assert (FOLDER / f"{name}.schema.json").read_text() == text(name), "run `make docs`"


@pytest.mark.parametrize(
    ("field", "expected"), [("closedAt", "Closed at"), ("open", "Open"), ("serviceId", "Service id")]
)
def test_a_field_title_is_its_name_in_words(field: str, expected: str) -> None:
    assert title(field) == expected
