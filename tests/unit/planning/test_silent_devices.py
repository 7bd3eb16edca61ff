"""Why devices count as silent is reported where it is known: by their service, and in the hold of the failed gate."""

from __future__ import annotations

import msgspec

from otactl.backends.fuota.reads import SHOWN_BEFORE, _proved, silent
from otactl.model import DeviceResult, Outcome, Reason, Stage, UnitPhase
from otactl.verdicts.deadlines import SETTLE
from tests.support.builders import NOW, look, record_of, rollout, seen, unit_of

WELL = DeviceResult(device="a", outcome=Outcome.SUCCEEDED)


def test_a_success_that_a_group_showed_before_the_start_is_silence_with_its_reason() -> None:
    reported = _proved(WELL, before=("a",))

    assert (reported.silent, reported.reason, reported.detail) == (True, Reason.TIMEOUT, SHOWN_BEFORE)
    assert _proved(WELL, before=("b",)) == WELL


def test_a_gate_that_failed_by_silence_tells_why_devices_count_as_silent() -> None:
    declared = rollout()
    quiet = _proved(WELL, before=("a",))
    results = (quiet, msgspec.structs.replace(quiet, device="b"), msgspec.structs.replace(quiet, device="c", detail=""))
    record = record_of(
        declared, unit_of(declared), Stage.ENDED, results=results, start_at=NOW - SETTLE, ended_at=NOW - SETTLE
    )

    (hold,) = look(declared, record, seen()).plan.holds

    assert hold.reason == "success_rate_is_too_low"
    assert f"; 2 count as silent: {SHOWN_BEFORE}; change" in hold.message


def test_silence_is_believed_when_a_second_look_agrees_with_the_one_at_the_end_of_the_session() -> None:
    declared = rollout()
    results = tuple(msgspec.structs.replace(silent(WELL), device=device) for device in "abc")
    ended = unit_of(declared, phase=UnitPhase.ENDED, results=results)
    started = record_of(declared, unit_of(declared), Stage.RUNNING, start_at=NOW)

    first = look(declared, started, seen(ended))
    agreeing = look(declared, first.record, seen(ended), NOW + SETTLE)
    answered = msgspec.structs.replace(ended, results=tuple(msgspec.structs.replace(WELL, device=d) for d in "abc"))
    otherwise = look(declared, first.record, seen(answered), NOW + SETTLE)

    assert [h.reason for h in first.plan.holds] == ["waiting_for_devices"]
    assert first.record.waves[0].verdict is None
    verdicts = [each.record.waves[0].verdict for each in (agreeing, otherwise)]
    assert [(v.passed, v.reason) for v in verdicts if v is not None] == [(False, "success_rate_is_too_low"), (True, "")]
