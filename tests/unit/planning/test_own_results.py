"""A device's answer counts for the unit it was sent by, where a service shows only the newest of each device."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import (
    Attempt,
    DeviceResult,
    Outcome,
    Reason,
    Record,
    Stage,
    UnitPhase,
    VersionConfirm,
    VersionProof,
    WaveRecord,
)
from otactl.planning.sent_content import SentContents, own_words
from tests.support.builders import NOW, record_of, rollout, seen, unit_of

SILENT = DeviceResult(
    device="d-1", outcome=Outcome.FAILED, reason=Reason.TIMEOUT, name="eui-1", via="group:g1", silent=True
)
WELL = DeviceResult(device="d-1", outcome=Outcome.SUCCEEDED, name="eui-1", via="group:g1")


def other(**changes: object) -> Record:
    """Another rollout that sent something to the device an hour after."""
    attempt = Attempt(
        number=1,
        generation="b" * 64,
        unit_id="back-all-1",
        stage=Stage.DELETED,
        vendor_id="t-9",
        start_at=NOW + timedelta(hours=2),
        start_sent_at=NOW + timedelta(hours=1),
        members=("group:g1",),
        devices=("d-1",),
    )
    attempt = msgspec.structs.replace(attempt, **changes)
    waves = (WaveRecord(name="all", attempts=(attempt,)),)
    return Record(environment="prod-eu", name="back", backend="fuota", generation="b" * 64, waves=waves)


@pytest.mark.parametrize(
    ("shared", "later", "recorded", "outcome"),
    [
        (("d-1",), {}, (SILENT,), Outcome.FAILED),
        (("d-1",), {"devices": ()}, (SILENT,), Outcome.FAILED),  # only the group is known
        (("d-1",), {}, (), Outcome.FAILED),  # nothing was recorded: it has not answered
        ((), {}, (SILENT,), Outcome.SUCCEEDED),  # its own list tells
        (("d-1",), {"start_sent_at": NOW - timedelta(hours=3)}, (SILENT,), Outcome.SUCCEEDED),
        (("d-1",), {"devices": ("d-2",), "members": ("group:g2",)}, (SILENT,), Outcome.SUCCEEDED),
    ],
)
def test_an_answer_after_another_unit_was_sent_is_not_this_ones(
    shared: tuple[str, ...], later: dict[str, object], recorded: tuple[DeviceResult, ...], outcome: Outcome
) -> None:
    declared = rollout()
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=(WELL,), shared=shared)
    mine = record_of(declared, unit, Stage.ENDED, results=recorded, start_sent_at=NOW, start_at=NOW, devices=("d-1",))

    found = own_words(seen(unit), mine, declared, SentContents({"probe": mine, "back": other(**later)}))

    (result,) = found.units[0].results or ()
    assert result.outcome is outcome


def test_a_version_to_be_proved_tells_what_a_device_runs_whoever_sent_it() -> None:
    base = rollout()
    confirm = VersionConfirm(version=VersionProof(shadow="reported.v"))
    declared = msgspec.structs.replace(base, strategy=msgspec.structs.replace(base.strategy, confirm=confirm))
    unit = unit_of(declared, phase=UnitPhase.ENDED, results=(WELL,), shared=("d-1",))
    mine = record_of(declared, unit, Stage.ENDED, results=(SILENT,), start_sent_at=NOW, devices=("d-1",))

    assert own_words(seen(unit), mine, declared, SentContents({"probe": mine, "back": other()})) == seen(unit)
