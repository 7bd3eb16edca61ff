"""Which units of other actors are adopted: tables of what keeps one back, and of the names that rollouts get."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from otactl.model import Attempt, Doubt, ExistingUnit, Firmware, Record, Stage, UnitPhase, WaveRecord
from otactl.model.tags import TAG_ENVIRONMENT, TAG_JOURNAL, TAG_OWNER, TAG_ROLLOUT
from otactl.planning.adoption import document_of, doubted, event, name_of, without_manifest
from tests.support.attempts import SHAPES
from tests.support.builders import ENVIRONMENT, SHAPE

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRMWARE = Firmware(version="2.4.1", image="s3://acme/probe.bin", sha256="a" * 64, size_bytes=8)
ENDED, RUNNING, SCHEDULED = UnitPhase.ENDED, UnitPhase.RUNNING, UnitPhase.SCHEDULED


def unit(vendor_id: str = "u1", hours: float = 0, phase: UnitPhase = ENDED, **changes: object) -> ExistingUnit:
    """A unit that nothing is in doubt of, at device d1."""
    base = ExistingUnit(
        vendor_id=vendor_id,
        phase=phase,
        start_at=NOON + timedelta(hours=hours),
        firmware=FIRMWARE,
        reaches=("device:d1",),
        devices=("d1",),
    )
    return replace(base, **changes)


def codes(*units: ExistingUnit, records: tuple[Record, ...] = ()) -> dict[str, list[str]]:
    """The doubts about units of the service `fuota`, by unit."""
    found = doubted(units, records, "fuota", ENVIRONMENT)
    return {each.vendor_id: [doubt.code for doubt in each.doubts] for each in found}


def marks(owner: str = ENVIRONMENT.owner, environment: str = ENVIRONMENT.name, **more: str) -> dict[str, str]:
    return {TAG_OWNER: owner, TAG_ENVIRONMENT: environment, **more}


def record(start: float, stage: Stage = Stage.ENDED, keys: tuple[str, ...] = ("device:d1",)) -> Record:
    """A rollout of ours that was sent to the device, so many hours from noon."""
    attempt = Attempt(
        number=1,
        generation="g",
        unit_id="ours-all-1-aaaaaaaa",
        vendor_id="v1",
        stage=stage,
        members=keys,
        start_at=NOON + timedelta(hours=start),
    )
    return Record(environment="e", name="ours", backend="fuota", waves=(WaveRecord(name="all", attempts=(attempt,)),))


@pytest.mark.parametrize("phase", [SCHEDULED, RUNNING, ENDED])
def test_a_unit_that_is_scheduled_runs_or_has_ended_is_not_in_doubt(phase: UnitPhase) -> None:
    assert codes(unit(phase=phase)) == {"u1": []}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"phase": UnitPhase.OPEN, "firmware": None}, "unit_is_not_started"),
        ({"phase": UnitPhase.UNKNOWN, "firmware": None}, "unit_has_no_equivalent"),
        ({"phase": UnitPhase.FAILED, "firmware": None}, "unit_has_no_equivalent"),
        ({"phase": UnitPhase.DELETING, "firmware": None}, "unit_has_no_equivalent"),
        ({"phase": UnitPhase.BROKEN, "firmware": None}, "unit_has_no_equivalent"),
        ({"phase": SCHEDULED, "firmware": None}, "unit_has_no_equivalent"),
        ({"tags": marks()}, "unit_has_our_marks"),
        ({"tags": marks(environment="other")}, "unit_is_anothers"),
        ({"tags": marks(owner="other")}, "unit_is_anothers"),
        ({"tags": {TAG_ENVIRONMENT: ENVIRONMENT.name}}, "unit_is_anothers"),
        ({"phase": UnitPhase.OPEN, "tags": marks()}, "unit_has_our_marks"),
        ({"firmware": None, "doubts": (Doubt(code="image_is_not_known", message="m", fix="f"),)}, "image_is_not_known"),
    ],
)
def test_one_reason_keeps_a_unit_from_being_adopted(changes: dict[str, object], code: str) -> None:
    assert codes(unit(**changes)) == {"u1": [code]}  # type: ignore[arg-type]


def test_a_unit_of_another_journal_names_it_with_the_command_that_takes_over_from_it() -> None:
    found = doubted([unit(tags=marks(**{TAG_JOURNAL: "f" * 16, TAG_ROLLOUT: "soil"}))], (), "fuota", ENVIRONMENT)

    ((doubt,),) = (each.doubts for each in found)
    assert "rollout soil" in doubt.message
    assert doubt.fix.endswith(f"otactl journal init --replaces {'f' * 16}")


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (ENDED, ENDED, {"u1": ["newer_unit_followed"], "u2": []}),
        (ENDED, RUNNING, {"u1": ["newer_unit_followed"], "u2": []}),
        (ENDED, SCHEDULED, {"u1": ["newer_unit_followed"], "u2": []}),
        (RUNNING, ENDED, {"u1": ["units_overlap"], "u2": ["units_overlap"]}),
        (RUNNING, RUNNING, {"u1": ["units_overlap"], "u2": ["units_overlap"]}),
        (SCHEDULED, SCHEDULED, {"u1": ["units_overlap"], "u2": ["units_overlap"]}),
        (ENDED, UnitPhase.OPEN, {"u1": [], "u2": ["unit_is_not_started"]}),
    ],
)
def test_two_units_at_one_device_are_distinguished_by_time(
    first: UnitPhase, second: UnitPhase, expected: dict[str, list[str]]
) -> None:
    assert codes(unit("u2", 1, second), unit("u1", 0, first)) == expected


def test_units_at_different_devices_do_not_matter_to_each_other() -> None:
    assert codes(unit("u1", phase=RUNNING), unit("u2", phase=RUNNING, reaches=("device:d2",))) == {"u1": [], "u2": []}


@pytest.mark.parametrize(
    ("phase", "ours", "expected"),
    [
        (ENDED, record(-1), []),
        (ENDED, record(1), ["newer_unit_followed"]),
        (RUNNING, record(-1), []),
        (RUNNING, record(1), ["units_overlap"]),
        (ENDED, record(-1, Stage.RUNNING), ["units_overlap"]),
        (ENDED, record(1, Stage.SCHEDULED), ["units_overlap"]),
        (ENDED, record(1, keys=("device:d2",)), []),
    ],
)
def test_what_a_rollout_of_ours_sent_to_the_same_device_counts_too(
    phase: UnitPhase, ours: Record, expected: list[str]
) -> None:
    assert codes(unit(phase=phase), records=(ours,)) == {"u1": expected}


def test_what_another_service_sent_does_not_count() -> None:
    assert codes(unit(), records=(replace(record(1), backend="tuya"),)) == {"u1": []}


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("Probe 2.4.1 (spring)", (), "probe-2-4-1-spring"),
        ("Gateway_Spring", (), "gateway-spring"),
        ("2024-11 rollout", (), "fuota-2024-11-rollout"),
        ("", (), "fuota-1b9c3c1e-0a0f"),
        ("übergrößen", (), "bergr-en"),
        ("a" * 40, (), "a" * 30),
        ("probe", ("probe",), "probe-2"),
        ("probe", ("probe", "probe-2"), "probe-3"),
        ("a" * 40, ("a" * 30,), "a" * 28 + "-2"),
        ("ends-at-thirty-characters-with-a", (), "ends-at-thirty-characters-with"),
    ],
)
def test_a_rollout_is_called_as_the_unit_as_far_as_a_name_may_be(
    name: str, taken: tuple[str, ...], expected: str
) -> None:
    assert name_of("fuota", unit("1B9C3C1E-0a0f", name=name), taken) == expected


def test_an_adopted_unit_without_a_manifest_is_found_by_its_record() -> None:
    adopted = record(0).with_attempts(lambda _wave, attempt: replace(attempt, adopted=True))

    assert without_manifest({"ours": adopted}, ()) == {"v1": "ours"}
    assert without_manifest({"ours": adopted}, {"ours"}) == {}
    assert without_manifest({"ours": record(0)}, ()) == {}


def test_a_unit_that_lacks_one_of_our_marks_is_reported_with_none_in_its_place() -> None:
    (found,) = doubted((unit(tags={TAG_OWNER: "acme"}),), (), "fuota", ENVIRONMENT)
    (other,) = doubted((unit(tags={TAG_ENVIRONMENT: "prod-eu"}),), (), "fuota", ENVIRONMENT)

    assert [d.message for d in found.doubts] == ["otactl created it for environment none of owner acme"]
    assert [d.message for d in other.doubts] == ["otactl created it for environment prod-eu of owner none"]


def test_the_first_event_of_an_adopted_rollout_names_what_was_taken_over() -> None:
    found = event(record(0), unit(name="by-hand"), "fuota", NOON)

    assert (found.kind, found.at, found.subject, found.data) == ("adopted", NOON, "ours-all-1-aaaaaaaa", {"unit": "u1"})
    assert found.message == "adopted u1 (by-hand) of fuota, which another actor created"
    assert "(" not in event(record(0), unit(name="u1"), "fuota", NOON).message


@pytest.mark.parametrize("phase", [UnitPhase.OPEN, UnitPhase.DELETING])
def test_what_keeps_a_unit_from_being_adopted_is_said_with_what_to_do(phase: UnitPhase) -> None:
    ((doubt,),) = (each.doubts for each in doubted([unit(phase=phase)], (), "fuota", ENVIRONMENT))

    expected = {
        UnitPhase.OPEN: (
            "it was created and never started, so it sent nothing",
            "start it by hand and adopt again, or delete it and declare a rollout",
        ),
        UnitPhase.DELETING: (
            "it is being created or deleted, could not be created, or shows a status that no rollout has",
            "adopt again when it runs or has ended",
        ),
    }
    assert (doubt.message, doubt.fix) == expected[phase]


@pytest.mark.parametrize("kind", ["fuota", "otaUpdate"])
def test_the_manifest_of_a_unit_asks_for_every_device_and_cleans_nothing_up(kind: str) -> None:
    found = unit(targets={"wirelessDevices": ["d1"]}, block={"role": "r"})
    can = (SHAPE if kind == "fuota" else SHAPES[kind][0]).capabilities

    document = document_of("prod-eu", "adopted", kind, found, can)

    assert {**document, "spec": None} == {
        "apiVersion": "otactl.dev/v1",
        "kind": "Rollout",
        "metadata": {"name": "adopted"},
        "spec": None,
    }
    spec = document["spec"]
    assert isinstance(spec, dict)
    assert (spec["environment"], spec[kind], spec.get("cleanup")) == ("prod-eu", {"role": "r"}, "never")
    assert spec["strategy"] == {
        "waves": [{"name": "fleet", "targets": {"wirelessDevices": ["d1"]}}],
        "gate": {"minSuccessPercent": 100},
    }
