"""How long a session is on air, where that is known."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from otactl.backends.fuota.config import FuotaConfig
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.lorawan.session import plan_session
from otactl.model import Retry
from tests.support.builders import rollout


def test_a_session_to_groups_has_the_length_of_its_plan_in_whole_seconds_rounded_up() -> None:
    plan = plan_session("EU868", 3, 6000, 112, 12, 9000)
    assert FuotaConfig.of(rollout()).session(rollout().firmware.size_bytes) == plan
    length = rollout().session_length()
    assert length is not None
    assert length.microseconds == 0
    assert timedelta(0) <= length - timedelta(seconds=plan.session_seconds_rounded_up) < timedelta(seconds=1)


def test_more_redundancy_is_a_longer_session() -> None:
    strategy = msgspec.structs.replace(rollout().strategy, retry=Retry(attempts=2, raise_redundancy_percent=18))
    again = rollout(strategy=strategy)
    usual, raised = again.session_length(), again.session_length(2)
    assert usual is not None
    assert raised is not None
    assert raised > usual


def test_the_service_chooses_for_single_devices_so_no_one_can_tell() -> None:
    single = msgspec.structs.replace(FuotaConfig.of(rollout()), data_rate=None, fragment_size_bytes=None)
    assert rollout(backend=single).session_length() is None


def test_an_update_over_the_internet_ends_when_its_devices_do() -> None:
    assert rollout(backend=OtaUpdateConfig(document={})).session_length() is None
