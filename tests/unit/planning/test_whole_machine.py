"""The whole machine against a service that does anything it may: what holds however devices answer and people edit.

A small pure service makes units, lets devices succeed, fail or stay silent, and ends a unit when all have answered.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.model import (
    Abort,
    Device,
    DeviceResult,
    Gate,
    ImageFacts,
    Observation,
    Outcome,
    Reason,
    Record,
    Retry,
    RoleFacts,
    Rollout,
    Stage,
    Strategy,
    Suspend,
    TargetFacts,
    Targets,
    Unit,
    UnitPhase,
    Wave,
)
from otactl.model.actions import Call, CancelUnit, CreateUnit, Receipt, unit_of
from otactl.planning import membership
from otactl.planning.assess import Assessment, as_seen, assess, finished, intended, settled
from otactl.planning.next_targets import next_targets
from otactl.state.intents import CallResult
from otactl.state.jobs import ActionResult, PlannedCalls
from otactl.verdicts import wave_verdict
from tests.support.builders import ENVIRONMENT, NOW, rollout
from tests.support.sampling import examples

SHAPE = TuyaShape()
ORDER = {
    Stage.DECLARED: 0,
    Stage.SCHEDULED: 1,
    Stage.RUNNING: 2,
    Stage.ENDED: 3,
    Stage.DELETED: 4,
    Stage.SUPERSEDED: 4,
}
DEVICES = st.integers(1, 7)
GATES = st.builds(
    Gate,
    min_success_percent=st.sampled_from([0.0, 50.0, 100.0]),
    max_failures=st.sampled_from([None, 0, 2]),
    min_reported=st.sampled_from([None, 1, 5]),
    silence_after=st.sampled_from([None, "1h"]),
    soak=st.sampled_from([None, "2h"]),
)
RETRIES = st.sampled_from(
    [None, Retry(attempts=2, on=("download",)), Retry(attempts=3, on=("download",), backoff="3h")]
)


class Service:
    """What a service holds: units by id, and what became of each device in each."""

    def __init__(self, declared: Rollout) -> None:
        self.declared = declared
        self.now = NOW
        self.units: dict[str, dict[str, Outcome]] = {}
        self.canceled: dict[str, str] = {}
        self.stopped: set[tuple[str, str]] = set()
        self.created: list[tuple[str, tuple[str, ...]]] = []
        self.record = Record(backend="fuota", environment="prod-eu", name=declared.name)
        self.stages: dict[str, int] = {}
        self.waves: dict[str, tuple[str, ...]] = {}

    def seen(self) -> Observation:
        """Everything, as a backend would show it."""
        firmware = self.declared.firmware
        image = ImageFacts(exists=True, size_bytes=firmware.size_bytes, sha256=firmware.sha256, fingerprint="f")
        named, known = as_seen(self.declared, self.record)
        over = {a.unit_id for a in known.attempts if not a.live}
        units = tuple(self._unit(u) for u in self.units if u not in over)
        starting = next_targets(named, known, units, SHAPE.capabilities)
        keys = starting.keys if starting is not None and starting.unit is None else ()
        return Observation(
            units=units,
            image=image,
            role=RoleFacts(exists=True, trusts="yes", reads="yes", fingerprint="r"),
            targets=tuple(TargetFacts(key=k, exists=True, vendor_id=k.partition(":")[2]) for k in sorted(keys)),
            devices=tuple(k.partition(":")[2] for k in sorted(keys)),
        )

    def _unit(self, unit_id: str) -> Unit:
        outcomes = self.units[unit_id]
        ended = Outcome.WAITING not in outcomes.values()
        results = tuple(
            DeviceResult(device=d, outcome=o, reason=self._reason(unit_id, d) if o is Outcome.FAILED else None)
            for d, o in sorted(outcomes.items())
        )
        return Unit(
            unit_id=unit_id,
            vendor_id=unit_id,
            phase=UnitPhase.ENDED if ended else UnitPhase.RUNNING,
            members=tuple(f"device:{d}" for d in sorted(outcomes)),
            start_at=self.now,
            created_at=self.now,
            fields={"targetSelection": "SPECIFIC", "version": self.declared.firmware.version},
            tally={o: n for o in Outcome if (n := sum(x is o for x in outcomes.values()))},
            results=results if ended else None,
            stopping=ended or unit_id in self.canceled,
            canceled_by_us=unit_id in self.canceled,
        )

    def _reason(self, unit_id: str, device: str) -> Reason:
        return Reason.CANCELED if (unit_id, device) in self.stopped else Reason.DOWNLOAD

    def look(self) -> Assessment:
        """Decide, twice the same."""
        given = (ENVIRONMENT, self.declared, self.record, self.seen(), SHAPE, (), self.now)
        first, again = assess(*given), assess(*given)
        assert first == again
        return first

    def run(self) -> None:
        """Passes until nothing is ready."""
        for _ in range(20):
            if finished(self.declared, self.record):
                return
            look = self.look()
            actions = look.plan.actions
            if self.declared.suspend is not None and self.declared.abort is None:
                assert {getattr(a, "why", "") for a in actions} <= {"suspended"}, "a suspended rollout goes on"
            step = [(a, Call(key=unit_of(a), service="s", operation="o", parameters={})) for a in actions]
            self.record = intended(look, [(a, (call,)) for a, call in step], SHAPE, self.now)
            done = []
            for action, call in step:
                self.act(action)
                receipt = Receipt(key=call.key, vendor_id=getattr(action, "vendor_id", None) or self.newest)
                result = CallResult(key=call.key, receipt=receipt)
                done.append(
                    ActionResult(job=PlannedCalls(rollout="probe", action=action, calls=(call,)), results=(result,))
                )
            self.record, _ = settled(self.record, done, SHAPE, self.now)
            self.check()
            if not actions:
                return
        raise AssertionError("it never came to rest")

    @property
    def newest(self) -> str:
        """The unit made last."""
        return self.created[-1][0] if self.created else ""

    def act(self, action: object) -> None:
        """Carry an action out, if it is one that may be."""
        if isinstance(action, CancelUnit):
            self.canceled[action.unit_id] = action.why
            outcomes = self.units[action.unit_id]
            waited = [d for d, o in outcomes.items() if o is Outcome.WAITING]
            self.stopped |= {(action.unit_id, d) for d in waited}
            outcomes |= dict.fromkeys(waited, Outcome.FAILED)
            return
        assert isinstance(action, CreateUnit), action
        assert self.declared.abort is None
        named = membership.resolved(self.declared, self.record)
        before = [w.name for w in named.strategy.waves]
        for earlier in before[: before.index(action.unit.wave)]:
            assert wave_verdict.passed(self.record.wave(earlier), named), (
                "a wave began before the gate of one before it"
            )
        devices = tuple(k.partition(":")[2] for k in action.unit.members)
        if action.unit.only:
            last = {r.device: r for a in self.record.attempts for r in a.results}
            assert all(last[d].outcome is Outcome.FAILED for d in devices), "a retry of a device that did not fail"
        self.units[action.unit.unit_id] = dict.fromkeys(devices, Outcome.WAITING)
        self.created.append((action.unit.unit_id, devices))

    def check(self) -> None:
        """What holds after every step."""
        for wave in self.record.waves:
            over = [a for a in wave.attempts if not a.live]
            if over and all(a.never_started for a in over):
                self.waves.pop(wave.name, None)  # no device had started: the wave is chosen from who is declared now
            if wave.members:
                assert self.waves.setdefault(wave.name, wave.members) == wave.members, "members of a wave moved"
            for attempt in wave.attempts:
                stage = ORDER[attempt.stage]
                assert stage >= self.stages.get(attempt.unit_id, 0), "an attempt went back"
                self.stages[attempt.unit_id] = stage
        members = [m for keys in self.waves.values() for m in keys]
        assert len(members) == len(set(members)), "a device is in two waves"
        retry = self.declared.strategy.retry
        most = retry.attempts if retry is not None else 1
        for device in {d for _, devices in self.created for d in devices}:
            times = sum(device in devices for _, devices in self.created)
            times -= sum(self.canceled[unit] == "suspended" for unit, stopped in self.stopped if stopped == device)
            aborted = sum(why == "aborted" for why in self.canceled.values())
            assert times <= most * (1 + aborted), f"{device} was sent to {times} times"

    def answer(self, draw: st.DataObject) -> None:
        """Some devices answer."""
        for outcomes in self.units.values():
            for device, outcome in outcomes.items():
                if outcome is Outcome.WAITING:
                    outcomes[device] = draw.draw(
                        st.sampled_from([Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.WAITING])
                    )


def fleet(number: int) -> Targets:
    return Targets(devices=tuple(Device(id=f"d{n}") for n in range(number)))


@settings(max_examples=examples(200), deadline=None)
@given(DEVICES, GATES, RETRIES, st.sampled_from(["pause", "abort"]), st.data())
def test_whatever_devices_answer_and_people_edit_nothing_is_sent_that_must_not_be(
    number: int, gate: Gate, retry: Retry | None, on_failure: str, data: st.DataObject
) -> None:
    waves = (Wave(name="canary", percent=30), Wave(name="half", percent=60), Wave(name="fleet", percent=100))
    strategy = Strategy(waves=waves, gate=gate, retry=retry, on_failure=on_failure)
    declared = rollout(backend=TuyaConfig(document={"productKey": "a"}), strategy=strategy, targets=fleet(number))
    service = Service(declared)
    for _ in range(data.draw(st.integers(1, 10))):
        edit = data.draw(st.sampled_from(["", "", "", "suspend", "resume", "abort", "goOn", "grow", "lenient"]))
        changes = {
            "suspend": {"suspend": Suspend(reason="r", owner="o")},
            "resume": {"suspend": None},
            "abort": {"abort": Abort(reason="r")},
            "goOn": {"abort": None},
            "grow": {"targets": fleet(number + data.draw(st.integers(0, 3)))},
            "lenient": {"strategy": msgspec.structs.replace(strategy, gate=Gate(min_success_percent=0))},
        }.get(edit, {})
        service.declared = msgspec.structs.replace(service.declared, **changes)
        service.run()
        service.answer(data)
        service.now += timedelta(minutes=data.draw(st.sampled_from([5, 40, 200])))
    service.run()


def test_a_fleet_that_answers_well_comes_to_its_end() -> None:
    waves = (Wave(name="canary", percent=30), Wave(name="fleet", percent=100))
    declared = rollout(
        backend=TuyaConfig(document={"productKey": "a"}), strategy=Strategy(waves=waves), targets=fleet(7)
    )
    service = Service(declared)
    for _ in range(6):
        service.run()
        service.units = {u: dict.fromkeys(o, Outcome.SUCCEEDED) for u, o in service.units.items()}
        service.now += timedelta(minutes=10)

    assert finished(declared, service.record)
    assert sorted(d for _, devices in service.created for d in devices) == [f"d{n}" for n in range(7)]
