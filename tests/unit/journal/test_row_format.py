"""What the journals in a database read from a row, and what they refuse."""

from __future__ import annotations

import msgspec
import pytest

from otactl.errors import StalledError
from otactl.journal.row_format import RowFormat
from otactl.model import Record

ROWS = RowFormat("postgresql:///fleet")
TEXT = msgspec.json.encode(Record(environment="prod-eu", name="soil")).decode()

DEEP = "[" * 5000 + "]" * 5000


def test_a_record_is_read_with_its_revision() -> None:
    stored = ROWS.stored("prod-eu", "soil", TEXT, 3)

    assert (stored.record.name, stored.revision) == ("soil", 3)


@pytest.mark.parametrize(
    ("name", "text", "revision", "why"),
    [
        ("valve", TEXT, 3, "it is of "),  # the record of another rollout
        ("soil", TEXT, 0, "it is 0"),
        ("soil", TEXT, "3", "it is '3'"),
        ("soil", TEXT[:-1], 3, "cannot be read"),
        ("soil", f'{TEXT[:-1]},"drift":[{{"desired":{DEEP}}}]}}', 3, "cannot be read"),
    ],
)
def test_a_row_that_cannot_be_what_was_asked_for_is_damage(name: str, text: str, revision: object, why: str) -> None:
    with pytest.raises(StalledError, match=f"journal postgresql:///fleet: .*{why}.*restore a backup"):
        ROWS.stored("prod-eu", name, text, revision)
