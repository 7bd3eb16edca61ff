"""Devices over all rollouts: which are one, what is known of each now, and what it was sent."""

from __future__ import annotations

import msgspec

from otactl.model import Device, Outcome, Reason, Record, Stage, Targets, VersionCheck, Wave, WaveRecord
from otactl.ports import Stored
from otactl.report.page.device_index import DeviceIndex, PageDevice, index_devices
from otactl.report.page.facts import FleetFacts, RolloutFacts
from tests.support.builders import rollout
from tests.support.report_values import NOW, attempt, record, result

S, F, W = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING


def facts(*rollouts: RolloutFacts) -> FleetFacts:
    names = dict.fromkeys(r.stored.record.environment for r in rollouts)
    return FleetFacts(
        built_at=NOW, version="1", title="t", journals=(), environments=dict.fromkeys(names), rollouts=rollouts
    )


def of(*records: Record) -> DeviceIndex:
    return index_devices(facts(*(RolloutFacts(stored=Stored(record=r, revision=1)) for r in records)))


def only(index: DeviceIndex) -> PageDevice:
    (device,) = index.devices
    return device


def wave(*attempts: object, **changes: object) -> WaveRecord:
    return msgspec.structs.replace(WaveRecord(name="canary", attempts=attempts), **changes)


def test_a_device_with_the_same_deveui_in_two_rollouts_is_one_device() -> None:
    first = record(wave(attempt(stage=Stage.ENDED, results=(result("1", S),))), name="one")
    second = record(wave(attempt(members=("devEui:70b31",))), name="two")

    device = only(of(first, second))

    assert (device.id, device.name) == ("1", "70B31")
    assert len(device.sent) == 2


def test_devices_of_the_same_name_in_two_environments_are_two() -> None:
    here = record(wave(attempt(stage=Stage.ENDED, results=(result("a", S),))))
    there = msgspec.structs.replace(here, environment="prod-us")

    assert len(of(here, there).devices) == 2


def test_the_newest_attempt_decides_what_is_known_of_a_device() -> None:
    failed = attempt(1, Stage.ENDED, start_at=NOW, results=(result("a", F, reason=Reason.TIMEOUT),))
    again = attempt(2, Stage.RUNNING, start_at=NOW.replace(hour=23), devices=("a",))

    device = only(of(record(wave(failed, again))))

    assert (device.verdict, device.reason, device.newest) == ("waiting", "", 1)
    assert [s.outcome for s in device.sent] == ["failed", "waiting"]


def test_a_unit_deleted_before_its_start_sent_its_devices_nothing() -> None:
    deleted = attempt(stage=Stage.SUPERSEDED, devices=("a",))

    assert only(of(record(wave(deleted)))).verdict == "notSent"


def test_a_refused_second_copy_is_no_failure() -> None:
    took = attempt(1, Stage.ENDED, start_at=NOW, results=(result("a", S),))
    refused = attempt(2, Stage.ENDED, start_at=NOW.replace(hour=23), results=(result("a", F, reason=Reason.REJECTED),))

    assert only(of(record(wave(took, refused)))).verdict == "succeeded"


def test_a_device_that_a_suspension_took_back_waits() -> None:
    taken = attempt(stage=Stage.ENDED, start_at=NOW, results=(result("a", F, reason=Reason.CANCELED),))
    taken = msgspec.structs.replace(taken, canceled_by_us=True, withdrawn=True)

    assert only(of(record(wave(taken)))).verdict == "waiting"


def test_how_a_version_is_known_is_kept() -> None:
    check = VersionCheck(since=NOW, confirmed=("a", "b"), reverted=("b",))
    ended = attempt(stage=Stage.ENDED, start_at=NOW, results=(result("a", S), result("b", F), result("c", S)))
    ended = msgspec.structs.replace(ended, version_check=check, skipped_devices={"d": "device:d"})

    proofs = {d.id: d.sent[0].proof for d in of(record(wave(ended))).devices}

    assert proofs == {"a": "reported", "b": "reverted", "c": "", "d": "spared"}


def test_the_version_of_a_revision_declared_earlier_is_not_guessed() -> None:
    old = attempt(1, Stage.ENDED, generation="b" * 64, start_at=NOW, results=(result("a", S),))
    index = of(record(wave(old, attempt(2, Stage.RUNNING, devices=("a",)))))

    assert [a.version for a in index.attempts] == ["", "2.4.1"]
    assert index.attempts[1].stage == "running"


def test_a_device_that_only_a_manifest_names_is_there_with_its_labels() -> None:
    targets = Targets(wireless_devices=(Device(id="new", labels={"site": "lyon"}),))
    declared = rollout(strategy=msgspec.structs.replace(rollout().strategy, waves=(Wave(name="w", targets=targets),)))
    stored = Stored(record=record(WaveRecord(name="w")), revision=1)

    device = only(index_devices(facts(RolloutFacts(stored=stored, declared=declared))))

    assert (device.verdict, device.labels, device.wanted) == ("notSent", ("site=lyon",), (0,))


def test_a_rollout_that_sent_a_device_something_is_not_waited_for() -> None:
    targets = Targets(wireless_devices=(Device(id="a", labels={"site": "lyon"}),))
    declared = rollout(strategy=msgspec.structs.replace(rollout().strategy, waves=(Wave(name="w", targets=targets),)))
    sent = record(wave(attempt(stage=Stage.ENDED, start_at=NOW, results=(result("a", S),))))

    device = only(index_devices(facts(RolloutFacts(stored=Stored(record=sent, revision=1), declared=declared))))

    assert (device.wanted, device.labels, device.verdict) == ((), ("site=lyon",), "succeeded")


def test_every_device_has_one_verdict_in_the_counts() -> None:
    ended = attempt(stage=Stage.ENDED, start_at=NOW, results=(result("a", S), result("b", F), result("c", W)))
    index = of(record(wave(ended, members=("device:d",))))

    assert index.counts == {"succeeded": 1, "failed": 1, "waiting": 1, "unknown": 0, "notSent": 1}
