"""The look that `plan` takes: what it shows, and what it leaves out."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from otactl.errors import StalledError, TransientError
from otactl.model import Failure, Observation, Phase, Record, Rollout, Stage, Survey, UnitPhase
from otactl.model.actions import Hold
from otactl.model.unreadable_manifests import NOTHING_UNREAD
from otactl.ports import Stored
from otactl.reconcile.budget_turns import TOO_LARGE
from otactl.reconcile.preview import RolloutPreview, preview
from otactl.reconcile.rollout_states import removed_states
from otactl.report.plan import left_over, planned
from tests.support.builders import ENVIRONMENT, NOW, SHAPE, record_of, rollout, unit_of
from tests.support.in_memory_cloud import Cloud

END = "aws iotwireless delete-fuota-task --id t-1"
RUNNING = {"start_at": NOW - timedelta(hours=1), "started_by_us": True}


class Service(Cloud):
    """A service with one running unit, whose survey or observation may fail."""

    def __init__(self, survey: Exception | None = None, observe: Exception | None = None, account: str = "") -> None:
        super().__init__(NOW)
        self.failures = {"survey": survey, "observe": observe}
        self.account = account or ENVIRONMENT.account
        self.looked: list[str] = []

    def survey(self) -> Survey:
        if (error := self.failures["survey"]) is not None:
            raise error
        return Survey(account=self.account)

    def observe(self, rollout_: Rollout, known: Record, survey: Survey) -> Observation:
        self.looked.append(rollout_.name)
        if (error := self.failures["observe"]) is not None:
            raise error
        if known.attempts:
            return Observation(units=(unit_of(rollout(), phase=UnitPhase.RUNNING),))
        return super().observe(rollout_, known, survey)


def left(stage: Stage = Stage.RUNNING, **changes: object) -> Record:
    """The record of a rollout as its last look left it."""
    declared = rollout()
    record = record_of(declared, unit_of(declared), stage, **({"start_at": None} | changes))
    return msgspec.structs.replace(record, declaration=msgspec.json.encode(declared).decode())


def shown(
    service: Service | None, *records: Record, rollouts: tuple[Rollout, ...] = (), shape: object = SHAPE
) -> tuple[RolloutPreview, ...]:
    stored = {r.name: Stored(record=r, revision=1) for r in records}
    backends = {"fuota": service} if service is not None else {}
    return preview(
        ENVIRONMENT,
        rollouts,
        stored,
        backends,  # type: ignore[arg-type]
        {"fuota": shape},  # type: ignore[dict-item]
        lambda: NOW,
        lambda _r: (),
        lambda _r: True,
    )


def test_what_is_left_of_a_removed_rollout_is_shown_with_its_command_and_nothing_is_planned() -> None:
    (found,) = shown(Service(), left(**RUNNING))

    reported = left_over(found)

    assert reported is not None
    assert [h.reason for h in reported.holds] == ["manifest_removed"]
    assert END in reported.holds[0].message
    assert (reported.next, reported.error) == ((), None)


@pytest.mark.parametrize("failing", ["survey", "observe"])
def test_without_an_answer_the_plan_says_what_is_remembered_of_a_removed_rollout(failing: str) -> None:
    hold = Hold(reason="manifest_removed", message=END)
    record = shown(Service(), left(**RUNNING))[0].state.look
    assert record is not None

    (found,) = shown(Service(**{failing: TransientError("no answer")}), record.record)  # type: ignore[arg-type]

    reported = left_over(found)
    assert reported is not None
    assert "was not read: no answer" in reported.notes[0]
    assert hold.message in reported.notes[1]
    assert reported.error is None


def test_a_removed_rollout_of_which_nothing_is_left_is_not_shown() -> None:
    ended = msgspec.structs.replace(left(Stage.DELETED), phase=Phase.REMOVED)
    service = Service(observe=TransientError("no answer"))

    assert [left_over(found) for found in shown(service, ended)] == [None]
    assert service.looked == []


def test_a_rollout_is_removed_only_if_it_is_not_declared_and_its_place_was_read() -> None:
    stored = {"probe": Stored(record=left(**RUNNING), revision=1)}

    assert removed_states((rollout(),), stored, lambda _r: True, NOTHING_UNREAD) == []
    assert removed_states((), stored, lambda _r: False, NOTHING_UNREAD) == []


def test_credentials_of_another_account_are_refused_in_the_words_of_reconcile() -> None:
    (found,) = shown(Service(account="999999999999"), rollouts=(rollout(),))

    reported = planned(found)

    text = "AccountDiffers: these credentials are of account 999999999999, environment prod-eu is 123456789012"
    assert reported.error == f"{text}; use the right role"
    assert reported.next == ()


def test_the_service_of_a_record_is_asked_even_if_no_rollout_declares_it() -> None:
    service = Service()

    shown(service, left(**RUNNING))

    assert service.looked == ["probe"]


def test_a_look_that_is_too_large_for_the_budget_comes_after_the_others() -> None:
    large = msgspec.structs.replace(
        Record(backend="fuota", environment="prod-eu", name="a"),
        failure=Failure(reason=TOO_LARGE, message="raise it", since=NOW),
    )
    service = Service()

    found = shown(service, large, rollouts=(rollout(name="a"), rollout(name="b")))

    assert service.looked == ["b", "a"]
    assert [f.state.rollout.name for f in found] == ["a", "b"]


NO_KEY = StalledError("NoCredentials", "no key")


@pytest.mark.parametrize(
    ("reads", "error", "compared"),
    [
        (False, NO_KEY, False),
        (False, StalledError("PermissionDenied", "no key"), False),
        (False, StalledError("TargetMissing", "no key"), None),
        (True, NO_KEY, None),
    ],
)
def test_only_a_service_without_read_only_credentials_is_planned_without_a_comparison(
    reads: bool, error: StalledError, compared: bool | None
) -> None:
    service = Service(observe=error)
    service.capabilities = msgspec.structs.replace(service.capabilities, read_only_credentials=reads)

    (found,) = shown(service, rollouts=(rollout(),))

    reported = planned(found)
    if compared is None:
        assert (reported.error, reported.next) == (f"{error.reason}: no key", ())
    else:
        assert reported.notes == ("nothing of AWS IoT Wireless was compared: no key",)
        assert [step.action for step in reported.next] == ["createUnit"]


def test_offline_the_first_calls_are_planned_without_a_backend() -> None:
    (found,) = shown(None, rollouts=(rollout(),))

    assert [c.operation for r in found.next for c in r.calls] == ["CreateFuotaTask"]
    assert found.outlook.steps != ()


def test_an_action_that_cannot_be_lowered_is_an_error_of_its_rollout_alone() -> None:
    class Broken:
        capabilities = SHAPE.capabilities
        desired = SHAPE.desired

        def lower(self, *_given: object) -> tuple[()]:
            raise ValueError("odd")

    (found,) = shown(Service(), rollouts=(rollout(),), shape=Broken())

    assert str(planned(found).error).startswith("Defect: ValueError")
