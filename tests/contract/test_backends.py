"""The laws of a backend, on every backend, over real HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from otactl.backends.aws.client import Answer
from otactl.errors import ConflictError, StalledError, TransientError
from otactl.model import Attempt, Observation, Phase, Stage, UnitPhase, WaveRecord
from otactl.model.actions import Action, Call, Placeholder, Receipt
from otactl.reconcile.observe import observe_rollout
from tests.support.backend_contract import (
    ALL_READS,
    ALL_WRITES,
    BackendCase,
    Passing,
    fuota,
    listening,
    ota_update,
    parcel,
    tuya,
    wrote,
)

CASES: dict[str, tuple[Callable[[Any], BackendCase], str]] = {
    "fuota": (fuota, "fuota_stage"),
    "otaUpdate": (ota_update, "ota_stage"),
    "tuya": (tuya, "tuya_stage"),
    "parcel": (parcel, "toy_stage"),
}


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest) -> BackendCase:
    make, stage = CASES[request.param]
    return make(request.getfixturevalue(stage))


class Twice(Passing):
    """Every call arrives twice, as after a lost answer."""

    def send(self, call: Call) -> Receipt:
        receipt = self.inner.send(call)
        if not call.repeatable and not self.capabilities.create_is_idempotent:
            return receipt  # it says so: what follows from that, tests/faults proves
        try:
            again = self.inner.send(call)
        except ConflictError:
            return receipt
        assert again.vendor_id == receipt.vendor_id, f"{call.operation} sent twice made two things"
        return receipt


def test_every_call_sent_twice_is_harmless_or_a_conflict(case: BackendCase) -> None:
    case.drive(Twice)

    record = case.record()
    assert record.phase is Phase.SUCCEEDED
    assert case.units() == case.waves
    assert record.drift == ()


class Pure(Passing):
    """Lowers twice, and once more by the pure half alone."""

    shape: BackendCase
    lowered: list[Call]

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        calls = self.inner.lower(action, seen)
        assert calls == self.inner.lower(action, seen)
        assert calls == self.shape.shape.lower(action, seen)
        assert calls, f"{action} lowers to nothing"
        self.lowered.extend(calls)
        return calls


def lowered(case: BackendCase) -> list[Call]:
    found: list[Call] = []

    def wrap(inner) -> Pure:
        pure = Pure(inner)
        pure.shape, pure.lowered = case, found
        return pure

    case.drive(wrap)
    return found


def test_lowering_is_deterministic_and_needs_no_client(case: BackendCase) -> None:
    calls = lowered(case)

    assert case.record().phase is Phase.SUCCEEDED
    assert len({c.key for c in calls}) == len(calls)


def test_every_call_is_listed_as_a_write_with_its_permission_and_valid_for_the_sdk(case: BackendCase) -> None:
    for call in lowered(case):
        assert (call.service, call.operation) in ALL_WRITES
        assert re.fullmatch(rf"{call.service}:\w+", call.permission)
        if call.service in ("tuya", "parcel"):
            continue  # no SDK: its wire is checked by the gateway itself, on every call above
        model = ServiceModel(Loader().load_service_model(call.service, "service-2"), call.service)
        shape = model.operation_model(call.operation).input_shape
        assert not ParamValidator().validate(call.parameters, shape).has_errors()


def test_survey_and_observe_never_write(case: BackendCase) -> None:
    asked: list[tuple[str, str]] = []
    record = case.empty()
    for _ in range(6):
        backend, _wire = case.backend(listening(asked))
        observe_rollout(backend, case.rollout, record, backend.survey())
        case.stage.run(case.rollout)
        case.stage.advance(3600)
        record = case.record()
    assert len(asked) >= 10
    assert wrote(asked) == []
    assert set(asked) <= ALL_READS


def test_what_is_not_there_is_absent_and_not_an_error(case: BackendCase) -> None:
    backend, _ = case.backend()
    gone = Attempt(number=1, generation=case.rollout.generation, unit_id="probe-canary-1-00000000", stage=Stage.OPEN)
    gone = msgspec.structs.replace(gone, vendor_id="11111111-2222-4333-8444-555555555555")
    wave = WaveRecord(name=case.rollout.strategy.waves[0].name, attempts=(gone,))

    seen = observe_rollout(
        backend, case.rollout, msgspec.structs.replace(case.empty(), waves=(wave,)), backend.survey()
    )

    assert seen.units == ()
    assert seen.unit(gone.unit_id) is None


def test_a_status_the_backend_does_not_know_is_unknown_and_holds(case: BackendCase) -> None:
    case.stage.run(case.rollout)
    case.stage.advance(300)

    def odd(_service: str, operation: str, send: Callable[[], Answer]) -> Answer:
        answer = send()
        return case.odd(answer) if operation == case.status_call else answer

    backend, wire = case.backend(odd)
    seen = observe_rollout(backend, case.rollout, case.record(), backend.survey())
    report = case.stage.run(case.rollout, transport=wire)

    assert [u.phase for u in seen.units] == [UnitPhase.UNKNOWN]
    assert [h.reason for h in report.rollouts[0].holds] == ["unit_status_is_unknown"]
    assert wire.stats.writes == 0


def test_a_call_that_is_not_wholly_known_is_never_sent(case: BackendCase) -> None:
    backend, wire = case.backend()
    unknown = {"WirelessDeviceId": ["d-1", Placeholder(of="id of a device")]}

    for service, operation in sorted(ALL_WRITES):
        with pytest.raises(StalledError, match="<id of a device> is not known"):
            backend.send(Call(key="k", service=service, operation=operation, parameters={"Id": "t", "Of": unknown}))

    assert wire.stats.calls == 0


@pytest.mark.parametrize("effect", ["throttle", "error500", "timeoutBeforeCommit"])
def test_only_the_families_of_errors_leave_a_backend(case: BackendCase, effect: str) -> None:
    case.stage.fault(service="*", operation="*", effect=effect)
    backend, _ = case.backend()

    with pytest.raises((TransientError, ConflictError, StalledError)):
        backend.survey()


def test_the_pure_half_loads_no_sdk(case: BackendCase) -> None:
    module = type(case.shape).__module__
    probe = f"import sys, {module}; print(sorted({{'boto3', 'botocore', 'urllib3'}} & set(sys.modules)))"

    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"
