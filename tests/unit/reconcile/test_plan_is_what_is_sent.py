"""The promise of `plan`: what it shows for the next run are exactly the calls that `reconcile` sends in it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.backends.fuota.definition import FuotaShape
from otactl.backends.iot_ota.config import OtaUpdateConfig
from otactl.backends.iot_ota.definition import OtaShape
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import (
    Abort,
    BackendConfig,
    Device,
    Gate,
    Outcome,
    Retry,
    Rollout,
    Strategy,
    Suspend,
    Targets,
    UnitPhase,
    Wave,
)
from otactl.model.actions import Call, Placeholder
from otactl.planning.outlook import Outlook
from otactl.ports import PureHalf
from otactl.reconcile import preview as previews
from otactl.reconcile.reconciler import Reconciler
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.in_memory_cloud import Kill, Killed, Memory
from tests.support.in_memory_service import DeadFrom, Service
from tests.support.sampling import examples

replace = msgspec.structs.replace
DEFINITIONS: dict[str, tuple[PureHalf, BackendConfig]] = {
    "fuota": (FuotaShape(), rollout().backend),
    "otaUpdate": (
        OtaShape(ENVIRONMENT),
        OtaUpdateConfig(document={"role": "arn:aws:iam::123456789012:role/ota", "files": [{"fileName": "app"}]}),
    ),
    "tuya": (TuyaShape(), TuyaConfig(document={"productKey": "p"})),
}


def targets(kind: str, *names: str) -> Targets:
    if kind == "fuota":
        return Targets(multicast_groups=names)
    devices = tuple(Device(id=n) for n in names)
    return Targets(things=devices) if kind == "otaUpdate" else Targets(devices=devices)


def strategy(kind: str, first: str, *rest: str, percent: float = 50) -> Strategy:
    waves = (Wave(name="canary", targets=targets(kind, first)), Wave(name="fleet", targets=targets(kind, *rest)))
    retry = None if kind == "fuota" else Retry(attempts=2, on=("download",))
    return Strategy(waves=waves, gate=Gate(min_success_percent=percent), retry=retry)


class World:
    """One environment with two rollouts that share a target, a service and a journal."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.definition, backend = DEFINITIONS[kind]
        self.service, self.journal = Service(self.definition, NOW), Memory()
        self.declared: dict[str, Rollout] = {
            "probe": rollout(backend=backend, strategy=strategy(kind, "a", "b", "c")),
            "other": rollout(name="other", backend=backend, strategy=strategy(kind, "c", "a", "d")),
        }
        self.removed: set[str] = set()

    @property
    def rollouts(self) -> tuple[Rollout, ...]:
        return tuple(r for name, r in sorted(self.declared.items()) if name not in self.removed)

    def planned(self, now: datetime | None = None) -> tuple[list[Call], list[Call]]:
        """The calls that `plan` shows as next, and all that it shows for the run."""
        identity = self.journal.identity()
        with patch.object(previews, "outlook", lambda *_given: Outlook()):  # what follows is not compared here
            found = previews.preview(
                replace(ENVIRONMENT, journal_id=identity.id, replaces=identity.replaces),
                self.rollouts,
                self.journal.load_all("prod-eu"),
                {self.kind: self.service},  # type: ignore[dict-item]
                {self.kind: self.definition},
                lambda: now or self.service.now,
                lambda _r: (),
                lambda _r: True,
            )
        assert [p.state.error for p in found] == [""] * len(found)
        first = in_one_order(call for p in found for step in p.next for call in step.calls)
        return first, in_one_order(call for p in found for step in (*p.next, *p.run) for call in step.calls)

    def sent(self, kill_at: int | None = None) -> tuple[list[Call], bool]:
        """The calls that a run sends, and whether it died."""
        self.service.sent = []
        self.service.kill = self.journal.kill = DeadFrom(kill_at) if kill_at else Kill()
        died = True
        with suppress(Killed):
            Reconciler(
                ENVIRONMENT,
                self.rollouts,
                {self.kind: self.service},  # type: ignore[dict-item]
                self.journal,
                lambda: self.service.now,
                "me",
                lambda _r: (),
                lambda _r: True,
                abreast=1,
            ).run()
            died = False
        self.journal.held = None
        return self.service.sent, died

    def check(self, kill_at: int | None = None) -> None:
        """Plan, run, and compare."""
        planned, whole = self.planned()
        sent, died = self.sent(kill_at)
        first = in_one_order(sent[: len(planned)])
        if died:
            assert len(sent) > len(planned) or all(call in planned for call in first)
        else:
            assert first == planned
            if self.service.hidden:  # it does not show what it has, so a run may stop before its planned end
                whole = [call for call in whole if call.key in {c.key for c in sent}]
            assert len(sent) == len(whole)
            assert all(map(is_as_planned, in_one_order(sent), whole))


def in_one_order(calls: object) -> list[Call]:
    """The calls of one step, which are sent side by side."""
    return sorted(calls, key=lambda c: (c.key, c.operation))  # type: ignore[call-overload]


def is_as_planned(sent: Call, planned: Call) -> bool:
    """Whether a call was planned, but for the ids that only the service knows."""
    known = {k: v for k, v in planned.parameters.items() if not isinstance(v, Placeholder)}
    shown = {k: v for k, v in sent.parameters.items() if k in known}
    names = set(sent.parameters) == set(planned.parameters)
    return names and replace(sent, parameters=shown) == replace(planned, parameters=known)


EDITS = ("version", "suspend", "abort", "go on", "strict", "rename", "remove")
CHANGES = ("tags", "fields", "unknown", "hide", "delete")


def edit(world: World, name: str, deed: str, minor: int) -> None:
    """Let a person edit a manifest, or take it out of Git."""
    of = world.declared[name]
    edits: dict[str, dict[str, object]] = {
        "version": {"firmware": replace(of.firmware, version=f"2.{minor}.0", sha256=f"{minor}b" * 32)},
        "suspend": {"suspend": Suspend(reason="r", owner="o")},
        "abort": {"abort": Abort(reason="r")},
        "go on": {"suspend": None, "abort": None},
        "strict": {"strategy": replace(of.strategy, gate=Gate(min_success_percent=100))},
        "rename": {"name": f"{name}-{minor}", "renamed_from": of.name},
    }
    world.declared[name] = replace(of, **edits.get(deed, {}))
    world.removed ^= {name} if deed == "remove" else set()


def change(world: World, key: str, deed: str) -> None:
    """Change, hide or delete a unit behind the back of otactl."""
    unit = world.service.units[key]
    changes: dict[str, dict[str, object]] = {
        "tags": {"tags": {k: v for k, v in unit.tags.items() if k != "otactl:rollout"}},
        "fields": {"fields": {**unit.fields, "description": "by hand", "redundancyPercent": 99}},
        "unknown": {"phase": UnitPhase.UNKNOWN},
    }
    world.service.units[key] = replace(unit, **changes.get(deed, {}))
    world.service.hidden ^= {key} if deed == "hide" else set()
    if deed == "delete":
        del world.service.units[key]


def edited(world: World, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(world.declared)), label="rollout")
    edit(world, name, data.draw(st.sampled_from(EDITS), label="edit"), data.draw(st.integers(4, 6), label="minor"))


def disturbed(world: World, data: st.DataObject) -> None:
    if world.service.units:
        key = data.draw(st.sampled_from(sorted(world.service.units)), label="unit")
        change(world, key, data.draw(st.sampled_from(CHANGES), label="change"))


def answered(world: World, data: st.DataObject) -> None:
    """Let devices answer, and time pass."""
    outcome = data.draw(st.sampled_from([Outcome.SUCCEEDED, Outcome.FAILED]), label="answer")
    world.service.answer(outcome, data.draw(st.integers(0, 3), label="devices"))
    world.service.advance(timedelta(minutes=data.draw(st.sampled_from([1, 31, 61, 1500]), label="minutes")))


def ran(world: World, data: st.DataObject) -> None:
    """Plan and run, perhaps to a crash."""
    world.check(data.draw(st.one_of(st.none(), st.integers(1, 12)), label="killed at"))


@pytest.mark.parametrize("kind", DEFINITIONS)
@settings(max_examples=examples(30), deadline=None)
@given(data=st.data())
def test_for_any_record_and_observation_the_calls_of_plan_are_those_of_the_run(kind: str, data: st.DataObject) -> None:
    world = World(kind)
    for deed in data.draw(st.lists(st.sampled_from([ran, ran, answered, answered, edited, disturbed]), max_size=16)):
        deed(world, data)
    world.check()


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_two_rollouts_come_to_their_end_by_the_calls_that_were_planned(kind: str) -> None:
    world = World(kind)
    world.declared["other"] = replace(world.declared["other"], strategy=strategy(kind, "d", "e"))
    calls = 0
    for _ in range(12):
        calls += len(world.planned()[0])
        world.check()
        world.service.advance(timedelta(minutes=45))
        world.service.answer(Outcome.SUCCEEDED, 9)
        world.service.advance(timedelta(minutes=45))

    assert world.service.created == 4
    assert calls >= 4
    assert {r.phase.value for r in (world.journal.load("prod-eu", n).record for n in world.declared)} == {"Succeeded"}


@pytest.mark.parametrize("kind", DEFINITIONS)
@pytest.mark.parametrize("minutes", [1, 90])
@pytest.mark.parametrize("killed_at", [None, 4])
def test_after_every_edit_and_every_change_the_calls_of_plan_are_those_of_the_run(
    kind: str, minutes: int, killed_at: int | None
) -> None:
    for deed in (*EDITS, *CHANGES):
        world = World(kind)
        world.sent(killed_at)
        world.service.advance(timedelta(minutes=minutes))
        if deed in EDITS:
            edit(world, "probe", deed, 5)
        elif "t-1" in world.service.units:
            change(world, "t-1", deed)
        world.check()


def test_the_comparison_notices_a_plan_of_another_moment() -> None:
    world = World("tuya")

    assert world.planned() != world.planned(NOW + timedelta(minutes=1))
