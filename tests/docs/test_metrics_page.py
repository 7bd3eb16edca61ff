"""The reference of the metrics is the table of the code."""

from __future__ import annotations

from tests.support.metrics_page import PAGE, text


def test_the_page_of_the_metrics_is_what_the_table_gives() -> None:
    assert PAGE.read_text() == text(), "run `make docs`"
