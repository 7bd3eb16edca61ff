"""What the service writes otherwise than it was sent is the same value; what is another value differs."""

from __future__ import annotations

import msgspec
import pytest

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.reads import as_declared
from otactl.model import JsonObject
from tests.support.builders import rollout


@pytest.mark.parametrize(
    ("declared", "shown", "same"),
    [
        (1499, 1000, True),
        (1500, 2000, True),
        (9000, 9000, True),
        (1500, 1500, True),
        (1500, 1000, False),
        (9000, 9999, False),
    ],
)
def test_an_interval_rounded_to_the_nearest_second_is_the_declared_one(declared: int, shown: int, same: bool) -> None:
    assert _shown(fragment_interval_ms=declared, fields={"fragmentIntervalMs": shown}) == (
        {"fragmentIntervalMs": declared} if same else {"fragmentIntervalMs": shown}
    )


@pytest.mark.parametrize(("shown", "same"), [("AAECAw", True), ("AAECAw==", True), ("AAECBA==", False)])
def test_a_descriptor_without_its_padding_is_the_declared_one(shown: str, same: bool) -> None:
    assert _shown(descriptor="AAECAw==", fields={"descriptor": shown}) == {"descriptor": "AAECAw==" if same else shown}


def test_a_field_that_is_not_declared_stays_as_it_is_shown() -> None:
    assert _shown(descriptor=None, fields={"descriptor": "AAECAw"}) == {"descriptor": "AAECAw"}


def _shown(*, fields: JsonObject, **changes: object) -> JsonObject:
    spec = rollout().backend
    assert isinstance(spec, FuotaConfig)
    return as_declared(fields, rollout(backend=msgspec.structs.replace(spec, **changes)))
