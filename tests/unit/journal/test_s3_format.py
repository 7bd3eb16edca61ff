"""What the journal on S3 reads from the bytes of an object, and what it refuses."""

from __future__ import annotations

import gzip

import msgspec
import pytest

from otactl.journal.s3_format import DamagedError, pack, unpack
from otactl.model import Record

RECORD = Record(environment="prod-eu", name="soil")
TEXT = msgspec.json.encode(RECORD)
DEEP = b"[" * 5000 + b"]" * 5000


def test_what_was_packed_is_unpacked() -> None:
    assert unpack(pack(RECORD), Record, "x") == RECORD


@pytest.mark.parametrize(
    "text",
    [TEXT[:-1], TEXT.replace(b"soil", b"so\xffil"), TEXT[:-1] + b',"drift":[{"desired":' + DEEP + b"}]}"],
    ids=["cut", "no UTF-8", "nested"],
)
def test_bytes_that_no_version_wrote_are_damage(text: bytes) -> None:
    with pytest.raises(DamagedError, match="the record cannot be read"):
        unpack(gzip.compress(text), Record, "the record")
