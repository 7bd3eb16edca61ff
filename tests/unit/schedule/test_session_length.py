"""How long a session is on air, where that can be told."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from otactl.lorawan.session import plan_session
from otactl.model import FuotaSpec, OtaUpdateSpec
from otactl.schedule.session_length import session_length, session_of
from tests.support.builders import rollout


def test_a_session_to_groups_has_the_length_of_its_plan_in_whole_seconds_rounded_up() -> None:
    plan = plan_session("EU868", 3, 6000, 112, 12, 9000)
    assert session_of(rollout()) == plan
    length = session_length(rollout())
    assert length is not None
    assert length.microseconds == 0
    assert timedelta(0) <= length - timedelta(seconds=plan.session_seconds_rounded_up) < timedelta(seconds=1)


def test_more_redundancy_is_a_longer_session() -> None:
    usual, raised = session_length(rollout()), session_length(rollout(), 30)
    assert usual is not None
    assert raised is not None
    assert raised > usual


def test_the_service_chooses_for_single_devices_so_nobody_can_tell() -> None:
    spec = rollout().backend
    assert isinstance(spec, FuotaSpec)
    single = msgspec.structs.replace(spec, data_rate=None, fragment_size_bytes=None)
    assert session_length(rollout(backend=single)) is None


def test_an_update_over_the_internet_ends_when_its_devices_do() -> None:
    assert session_length(rollout(backend=OtaUpdateSpec(document={}))) is None
