"""What is reported of the data rates of groups: nothing while they are as planned, else the longest session."""

from __future__ import annotations

import msgspec
import pytest

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.fuota.session_rate import differing
from otactl.model import Rollout
from tests.support.builders import rollout


def declared(**changes: object) -> Rollout:
    spec = FuotaConfig(
        rf_region="EU868",
        role="r",
        data_rate=5,
        fragment_size_bytes=48,
        fragment_interval_ms=4000,
        redundancy_percent=10,
    )
    firmware = msgspec.structs.replace(rollout().firmware, size_bytes=4800)
    return msgspec.structs.replace(rollout(), firmware=firmware, backend=msgspec.structs.replace(spec, **changes))


def test_rates_as_planned_are_nothing_to_tell() -> None:
    assert differing(declared(), 5, 10, {}) == ()
    assert differing(declared(), 5, 10, {"group:a": 5, "group:b": 5}) == ()


def test_of_several_other_rates_the_longest_session_is_reported_once() -> None:
    (concern,) = differing(declared(), 5, 10, {"group:a": 5, "group:b": 0, "group:c": 2})

    assert concern.field == "session.dataRate"
    # 100 + 10 fragments: 109 spacings of 4 s, or of the 28 s that data rate 0 needs, and one frame
    assert concern.desired == {"dataRate": 5, "sessionSeconds": 436}
    assert concern.observed == {"dataRate": 0, "sessionSeconds": 3055, "groups": {"b": 0, "c": 2}}


def test_the_redundancy_the_task_was_made_with_counts() -> None:
    (less,) = differing(declared(), 5, 10, {"group:a": 0})
    (more,) = differing(declared(), 5, 30, {"group:a": 0})

    assert isinstance(less.observed, dict)
    assert isinstance(more.observed, dict)
    assert more.observed["sessionSeconds"] == pytest.approx(less.observed["sessionSeconds"] + 20 * 28, abs=1)


def test_a_rate_the_region_does_not_have_is_reported_without_a_time() -> None:
    (concern,) = differing(declared(), 5, 10, {"group:a": 15})

    assert concern.observed == {"dataRate": 15, "groups": {"a": 15}}
