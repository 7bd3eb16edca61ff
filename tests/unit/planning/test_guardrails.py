"""Guards by devices, each counted once, those inside groups too; and approvals of the devices that groups held."""

from __future__ import annotations

import msgspec
import pytest

from otactl.backends.tuya.config import TuyaConfig
from otactl.model import (
    Approval,
    Attempt,
    Environment,
    Gate,
    Guards,
    Intent,
    Observation,
    Record,
    RecordedCall,
    Requires,
    Rollout,
    Stage,
    Strategy,
    TargetFacts,
    Targets,
    Verdict,
    Wave,
    WaveRecord,
)
from otactl.planning.context import PlanContext
from otactl.planning.guardrails import counted, shrunk, too_many
from otactl.planning.membership import approval_digest, inside, named_devices
from otactl.planning.wave_context import of_rollout
from otactl.planning.wave_holds import going_back, unapproved
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, empty, of_start, of_wave, rollout


def group(name: str, *members: str, requested: int | None = None, counted: bool = True) -> TargetFacts:
    wanted = len(members) if requested is None else requested
    return TargetFacts(
        key=f"group:{name}", exists=True, requested=wanted, ready=wanted, members=members, members_complete=counted
    )


def guarded(**guards: object) -> Environment:
    return msgspec.structs.replace(ENVIRONMENT, guards=Guards(**guards))


def at(declared: Rollout, environment: Environment = ENVIRONMENT, record: Record | None = None, **seen: object):
    return PlanContext(
        rollout=declared, environment=environment, record=record or empty(declared), seen=Observation(**seen), now=NOW
    )


def reasons(situation: PlanContext, wave: int = 0) -> list[str]:
    return [h.reason for h in too_many(of_start(situation, wave))]


TEN = tuple(f"d-{n}" for n in range(10))


@pytest.mark.parametrize(
    ("targets", "number"),
    [
        ((group("g1", *TEN),), 10),
        ((group("g1", *TEN), group("g2", *TEN[:4])), 10),  # the same devices in two groups
        ((group("g1", *TEN, requested=12),), 12),  # two that its list does not show
        ((group("g1", requested=7),), 7),
        ((TargetFacts(key="group:g1", exists=True),), None),
        ((), 2),
    ],
)
def test_devices_are_counted_once_and_inside_groups(targets: tuple[TargetFacts, ...], number: int | None) -> None:
    keys = tuple(t.key for t in targets) or ("device:a", "device:b")
    assert counted(keys, Observation(targets=targets)) == number


def test_a_device_and_the_group_it_is_in_are_one() -> None:
    single = TargetFacts(key="devEui:70b3", exists=True, vendor_id="d-1")

    assert counted(("devEui:70b3", "group:g1"), Observation(targets=(single, group("g1", *TEN)))) == 10


SELECTED = rollout(
    backend=TuyaConfig(document={"productKey": "p", "targetSelection": "ALL"}),
    strategy=Strategy(waves=(Wave(name="all"),)),
)


@pytest.mark.parametrize("guards", [{"max_affected_devices": 10}, {"max_affected_percent": 20.0}])
def test_what_no_one_can_count_is_held_until_the_manifest_allows_it(guards: dict[str, float]) -> None:
    allowed = msgspec.structs.replace(SELECTED.strategy, allow_uncounted=True)

    assert reasons(at(SELECTED, guarded(**guards))) == ["affected_is_unknown"]
    assert reasons(at(msgspec.structs.replace(SELECTED, strategy=allowed), guarded(**guards))) == []
    assert reasons(at(SELECTED)) == []  # no guard asks


@pytest.mark.parametrize(
    ("others", "held"),
    [({"group:g2": 80, "group:g3": 10}, []), ({"group:g2": 5, "group:g3": 5}, ["too_many_affected"])],
)
def test_a_waves_share_is_of_devices_and_not_of_groups(others: dict[str, int], held: list[str]) -> None:
    seen = at(rollout(), guarded(max_affected_percent=20.0), targets=(group("g1", *TEN),), group_sizes=others)

    assert reasons(seen) == held


def test_devices_a_service_selects_are_taken_back_only_where_the_manifest_says_so() -> None:
    def held(**changes: object) -> list[str]:
        spec = TuyaConfig(document={**SELECTED.backend.document, **changes})
        return [h.reason for h in going_back(of_wave(at(msgspec.structs.replace(SELECTED, backend=spec))))]

    meant = msgspec.structs.replace(SELECTED.strategy, allow_downgrade=True)

    assert held() == ["versions_are_unknown"]
    assert held(srcVersions=["2.4.0"]) == []
    assert held(srcVersions=["2.4.0", "3.0.0"]) == ["downgrade_not_allowed"]
    assert going_back(of_wave(at(msgspec.structs.replace(SELECTED, strategy=meant)))) == ()


def test_a_device_inside_a_group_is_not_taken_back_unsaid() -> None:
    inside_group = msgspec.structs.replace(group("g1", "d-1", "d-2"), member_versions={"d-1": "2.4.0", "d-2": "3.0.0"})
    named = msgspec.structs.replace(inside_group, names={"d-2": "70b3d57ed0000002"})

    (hold,) = going_back(of_wave(at(rollout(), targets=(named,))))

    assert hold.reason == "downgrade_not_allowed"
    assert "70b3d57ed0000002: 3.0.0" in hold.message


@pytest.mark.parametrize(
    ("guards", "devices", "held"),
    [
        ({}, 10, None),
        ({"max_affected_devices": 10}, 10, None),
        (
            {"max_affected_devices": 9},
            10,
            "would start with 10 devices, guards.maxAffectedDevices of environment prod-eu",
        ),
        ({"max_affected_devices": 20, "max_affected_percent": 50.0}, 10, None),
        ({"max_affected_percent": 49.9}, 10, "would start with 50 % of the rollout's 20 devices"),
        ({"max_affected_devices": 9, "max_affected_percent": 50.0}, 10, "maxAffectedDevices"),
        ({"max_affected_percent": 1.0}, 4, None),  # of so few devices a percentage says nothing
        ({"max_affected_percent": 1.0}, 5, "would start with 50 % of the rollout's 10 devices"),
    ],
)
def test_a_unit_of_more_devices_or_a_larger_share_than_the_environment_allows_is_held(
    guards: dict[str, float], devices: int, held: str | None
) -> None:
    others = {"group:g2": devices - 1, "group:g3": 1}
    here = at(rollout(), guarded(**guards), targets=(group("g1", *TEN[:devices]),), group_sizes=others)

    holds = too_many(of_start(here))

    assert [(h.reason, h.stalled) for h in holds] == ([("too_many_affected", True)] if held else [])
    assert all((held or "") in h.message for h in holds)


@pytest.mark.parametrize(
    ("before", "limit", "changes", "held"),
    [
        (6, 50.0, {}, False),  # three are declared: exactly the share that may go
        (7, 50.0, {}, True),
        (7, None, {}, False),
        (7, 57.2, {}, False),
        (7, 57.1, {}, True),  # 3 of 7 are 57.14 % less
        (7, 50.0, {"allow_shrunk": True}, False),
        (0, 50.0, {}, False),  # the first manifest
    ],
)
def test_a_manifest_with_far_fewer_targets_than_before_is_held_until_it_says_so(
    before: int, limit: float | None, changes: dict[str, bool], held: bool
) -> None:
    declared = rollout(strategy=msgspec.structs.replace(rollout().strategy, **changes))
    record = msgspec.structs.replace(empty(declared), target_count=before)

    holds = shrunk(of_rollout(at(declared, guarded(max_shrink_percent=limit), record), SHAPE))

    assert [(h.reason, h.stalled) for h in holds] == ([("targets_shrunk", True)] if held else [])
    assert all(f"3 targets are declared, {before} were before" in h.message for h in holds)


@pytest.mark.parametrize(("passed", "held"), [(("canary", "fleet"), False), (("canary",), True), ((), True)])
def test_a_rollout_whose_waves_have_all_passed_may_shrink(passed: tuple[str, ...], held: bool) -> None:
    declared = rollout()
    verdict = Verdict(passed=True, succeeded=2, failed=0, total=2, needed_percent=90, at=NOW)
    waves = tuple(
        WaveRecord(name=w, verdict=verdict, verdict_generation=declared.generation, released=True) for w in passed
    )
    record = msgspec.structs.replace(empty(declared), waves=waves, target_count=100)

    assert bool(shrunk(of_rollout(at(declared, guarded(max_shrink_percent=10.0), record), SHAPE))) is held


@pytest.mark.parametrize(
    ("attempts", "held"),
    [
        ([], True),
        ([{"devices": TEN, "start_at": NOW}], False),  # it was started with ten: half of the whole
        ([{"devices": TEN, "start_at": None}], True),  # it was never started
        ([{"devices": TEN[:5], "skipped_devices": dict.fromkeys(TEN[5:], "group:g2"), "start_at": NOW}], False),
    ],
)
def test_a_share_is_of_the_devices_that_started_waves_had(attempts: list[dict[str, object]], held: bool) -> None:
    declared = rollout()
    made = tuple(
        Attempt(number=1, generation=declared.generation, unit_id="u", stage=Stage.ENDED, **each) for each in attempts
    )
    record = msgspec.structs.replace(empty(declared), waves=(WaveRecord(name="fleet", attempts=made),))
    seen = at(declared, guarded(max_affected_percent=50.0), record, targets=(group("g1", *TEN),))

    assert (reasons(seen) == ["too_many_affected"]) is held


ASKING = rollout(
    strategy=Strategy(
        waves=(Wave(name="canary", targets=Targets(multicast_groups=("g1",)), requires=Requires(approval="owners")),),
        gate=Gate(min_success_percent=90),
    )
)


def approved(declared: Rollout, devices: str | None, of: Rollout | None = None) -> Rollout:
    digest = approval_digest(of or declared, (of or declared).strategy.waves[0])
    given = Approval(wave="canary", role="owners", by="ada", digest=digest, at=NOW, devices=devices)
    return msgspec.structs.replace(declared, approvals=(given,))


def asks(situation: PlanContext, *, again: bool = False) -> list[str]:
    return [h.reason for h in unapproved(of_wave(situation), again=again)]


TWO = named_devices(("d-0", "d-1"))


@pytest.mark.parametrize(
    ("devices", "now", "held"),
    [
        (TWO, group("g1", "d-0", "d-1"), []),
        (TWO, group("g1", *TEN), ["approval_is_outdated"]),
        (TWO, group("g1", "d-0", "d-2"), ["approval_is_outdated"]),
        (None, group("g1", "d-0", "d-1"), ["approval_is_outdated"]),
        (TWO, group("g1", "d-0", "d-1", counted=False), ["checks_are_incomplete"]),
    ],
)
def test_an_approval_covers_the_devices_that_were_in_the_group(
    devices: str | None, now: TargetFacts, held: list[str]
) -> None:
    assert asks(at(approved(ASKING, devices), targets=(now,))) == held


@pytest.mark.parametrize("field", ["name", "environment"])
def test_an_approval_copied_from_another_rollout_or_environment_is_none(field: str) -> None:
    other = msgspec.structs.replace(ASKING, **{field: "other"})
    here = approved(ASKING, TWO, of=other)

    assert asks(at(here, targets=(group("g1", "d-0", "d-1"),))) == ["approval_is_outdated"]


def test_what_to_approve_is_reported_whole() -> None:
    (hold,) = unapproved(of_wave(at(ASKING, targets=(group("g1", "d-0", "d-1"),))))

    assert f"otactl approve rollouts/a.yaml --wave canary --role owners --by WHO --devices {TWO}" in hold.message


@pytest.mark.parametrize(("again", "held"), [(True, []), (False, ["approval_is_outdated"])])
def test_an_approval_covers_what_a_wave_began_with_and_no_group_that_grew_and_is_sent_to_whole_again(
    again: bool, held: list[str]
) -> None:
    attempt = Attempt(
        number=1, generation=ASKING.generation, unit_id="u", stage=Stage.ENDED, start_at=NOW, devices=("d-0", "d-1")
    )
    record = msgspec.structs.replace(empty(ASKING), waves=(WaveRecord(name="canary", attempts=(attempt,)),))
    situation = at(approved(ASKING, TWO), record=record, targets=(group("g1", *TEN),))

    assert asks(situation, again=again) == held


@pytest.mark.parametrize(("now", "held"), [(("d-0", "d-1"), []), (TEN, ["approval_is_outdated"])])
def test_a_create_without_an_answer_is_approved_for_the_devices_of_its_group_alone(
    now: tuple[str, ...], held: list[str]
) -> None:
    attempt = Attempt(number=1, generation=ASKING.generation, unit_id="u", devices=("d-0", "d-1"))
    call = RecordedCall(service="iot", operation="CreateOTAUpdate", parameters={})
    intent = Intent(action="createUnit", unit_id="u", key="k", call=call, at=NOW, start_at=NOW)
    record = msgspec.structs.replace(
        empty(ASKING), waves=(WaveRecord(name="canary", attempts=(attempt,)),), intents=(intent,)
    )

    assert asks(at(approved(ASKING, TWO), record=record, targets=(group("g1", *now),))) == held


def test_devices_are_known_only_where_every_group_was_looked_into() -> None:
    seen = Observation(targets=(group("g1", "d-1"),))

    assert inside(("group:g1",), seen) == ("d-1",)
    assert inside(("group:g1", "group:g2"), seen) is None
