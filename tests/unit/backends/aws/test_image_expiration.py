"""What S3 says of a rule that expires an object is read with the object: no call more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.image_and_role import ImageAndRoleReader, expiration

RULE = 'expiry-date="Fri, 04 Dec 2026 00:00:00 GMT", rule-id="old%20images"'


@pytest.mark.parametrize("header", [None, "", 7, "soon", 'expiry-date="never", rule-id="x"', 'rule-id="x"'])
def test_what_is_no_expiration_is_none(header: object) -> None:
    assert expiration(header) == (None, "")


class Transport:
    """Answers as S3 does for an image under a lifecycle rule."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def call(self, _service: str, operation: str, _asked: object, **_given: object) -> dict[str, Any]:
        self.calls.append(operation)
        return {"HeadObject": {"ContentLength": 3, "Expiration": RULE}}.get(operation, {})


def test_the_facts_of_an_image_say_when_it_expires_and_by_which_rule() -> None:
    transport = Transport()
    facts = ImageAndRoleReader(cast("AwsClient", transport)).image("s3://acme/probe.bin")
    assert (facts.expires_at, facts.expires_by) == (datetime(2026, 12, 4, tzinfo=UTC), "old images")
    assert transport.calls == ["HeadObject", "GetBucketVersioning", "GetBucketLocation"]
