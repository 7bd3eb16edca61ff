"""What a change of a record gives to hear of, by table."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.model import Condition, DriftStatus, LastRun, Phase, Record, RecordedHold, WaveRecord
from otactl.model.notices import Notice, NoticeKind, Receiver, Webhook
from otactl.planning.environment import NAME
from otactl.state.notices import notices_of
from tests.support.report_values import NOW, entry, record, verdict

OPS = Receiver(name="ops", webhook=Webhook(url="https://hooks.example.com/", secret="OTACTL_NOTICE_SECRET"))
BASE = record()


def hold(reason: str, *, stalled: bool = False, overdue: bool = False, message: str = "why") -> RecordedHold:
    late = NOW if overdue else None
    return RecordedHold(reason=reason, message=message, stalled=stalled, since=NOW, overdue_since=late)


def changed(before: Record, after: Record, *receivers: Receiver, revision: int = 2) -> tuple[Notice, ...]:
    return notices_of(before, after, revision, receivers or (OPS,), "j1", NOW)


def to(base: Record = BASE, **changes: object) -> Record:
    return msgspec.structs.replace(base, **changes)


def run(reason: str = "", at: int = 0) -> Record:
    moment = NOW + timedelta(minutes=at)
    last = LastRun(at=moment, by="ci/1", since=moment, reason=reason, error=reason and "why")
    return Record(environment="prod-eu", name=NAME, last_run=last)


ACKNOWLEDGED = entry("a", DriftStatus.ACKNOWLEDGED)
CLOSED = entry("a", DriftStatus.CORRECTED, closed=True)
CASES: list[tuple[str, Record, Record, list[tuple[str, str]]]] = [
    ("nothing changed", BASE, BASE, []),
    ("a stalled hold", BASE, to(holds=(hold("role_is_missing", stalled=True),)), [("held", "role_is_missing")]),
    ("a hold that waits", BASE, to(holds=(hold("window_is_closed"),)), []),
    (
        "one that lasts too long",
        BASE,
        to(holds=(hold("window_is_closed", overdue=True),)),
        [("held", "window_is_closed")],
    ),
    ("a suspension", BASE, to(holds=(hold("suspended"),)), [("held", "suspended")]),
    ("an approval", BASE, to(holds=(hold("approval_is_missing"),)), [("needsApproval", "approval_is_missing")]),
    (
        "a hold that stays, in other words",
        to(holds=(hold("role_is_missing", stalled=True),)),
        to(holds=(hold("role_is_missing", stalled=True, message="other"),)),
        [],
    ),
    ("a failure", BASE, to(phase=Phase.FAILED), [("failed", "Failed")]),
    ("a success", BASE, to(phase=Phase.SUCCEEDED), [("succeeded", "Succeeded")]),
    ("a success that stays", to(phase=Phase.SUCCEEDED), to(phase=Phase.SUCCEEDED, version="x"), []),
    ("a stall by an error of the run", BASE, to(phase=Phase.STALLED), []),
    ("drift", BASE, to(drift=(entry("a"),)), [("driftOpened", "out-of-band edit")]),
    ("drift that stays", to(drift=(entry("a"),)), to(drift=(entry("a"),)), []),
    ("drift that is over", to(drift=(entry("a"),)), to(drift=(CLOSED,)), [("driftClosed", "out-of-band edit")]),
    ("drift that came and went at once", BASE, to(drift=(CLOSED,)), []),
    ("acknowledged drift", BASE, to(drift=(ACKNOWLEDGED,)), []),
    ("acknowledged drift that is over", to(drift=(ACKNOWLEDGED,)), to(drift=(CLOSED,)), []),
    (
        "drift no longer acknowledged",
        to(drift=(ACKNOWLEDGED,)),
        to(drift=(entry("a"),)),
        [("driftOpened", "out-of-band edit")],
    ),
    ("a first run without an error", Record(environment="prod-eu", name=NAME), run(), []),
    (
        "a first run with one",
        Record(environment="prod-eu", name=NAME),
        run("Unavailable"),
        [("runFailing", "Unavailable")],
    ),
    ("another error", run("Unavailable"), run("NoCredentials"), [("runFailing", "NoCredentials")]),
    ("the same error again", run("Unavailable"), run("Unavailable", at=5), []),
    ("a run without an error again", run("Unavailable"), run(), [("runRecovered", "Unavailable")]),
]


@pytest.mark.parametrize(("before", "after", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_notice_is_about_a_change(before: Record, after: Record, expected: list[tuple[str, str]]) -> None:
    assert [(n.kind.value, n.reason) for n in changed(before, after)] == expected


def test_a_failure_names_the_wave_and_its_figures() -> None:
    missed = WaveRecord(name="canary", verdict=verdict(1, 4))
    (notice,) = changed(BASE, to(phase=Phase.FAILED, waves=(missed,)))

    assert notice.message == "wave canary: 25.0 % succeeded, 95 % needed"
    assert (notice.rollout, notice.version, notice.phase) == ("soil", "2.4.1", "Failed")


def test_a_success_says_what_is_ready_or_that_every_wave_passed() -> None:
    ready = Condition(type="Ready", status=True, reason="AllWavesPassed", message="39 devices run 2.4.1", since=NOW)

    (plain,) = changed(BASE, to(phase=Phase.SUCCEEDED, conditions=()))
    (said,) = changed(BASE, to(phase=Phase.SUCCEEDED, conditions=(ready,)))

    assert (plain.message, said.message) == ("every wave passed", "39 devices run 2.4.1")


def test_only_receivers_that_want_it_get_it_and_none_gives_no_notice() -> None:
    failures = msgspec.structs.replace(OPS, name="pager", on=(NoticeKind.FAILED,))

    (notice,) = changed(BASE, to(phase=Phase.FAILED), OPS, failures)
    assert notice.to == ("ops", "pager")
    assert changed(BASE, to(phase=Phase.SUCCEEDED), failures) == ()


def test_the_id_is_the_same_for_the_same_event_and_another_for_any_other() -> None:
    held = to(holds=(hold("role_is_missing", stalled=True), hold("image_is_missing", stalled=True)))
    twice = [changed(BASE, held), changed(BASE, held)]
    others = [
        changed(BASE, held, revision=3),
        notices_of(BASE, held, 2, (OPS,), "j2", NOW),
        changed(BASE, to(held, name="other")),
        changed(BASE, to(held, environment="prod-us")),
    ]

    assert twice[0] == twice[1]
    ids = [n.id for each in (twice[0], *others) for n in each]
    assert len(set(ids)) == len(ids) == 10
