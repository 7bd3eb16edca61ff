"""What a plan says to the person who reviews a pull request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from otactl import explanations
from otactl.model import (
    Approval,
    Gate,
    ImageFacts,
    Observation,
    Phase,
    Record,
    Requires,
    Rollout,
    Suspend,
    Window,
)
from otactl.planning import membership
from otactl.planning.assess import as_seen
from otactl.ports import Stored
from otactl.reconcile.preview import preview
from otactl.reconcile.reconciler import Reconciler
from otactl.report.gate_rates import gate_words
from otactl.report.plan import as_json, digest_of, planned
from otactl.report.plan_lines import WORDS, verdict
from otactl.report.plan_text import as_text
from otactl.report.plan_values import PlannedRollout, PlanReport, PlanVerdict
from tests.support.builders import ENVIRONMENT, FACTS_IMAGE, NOW, SHAPE, rollout
from tests.support.in_memory_cloud import Cloud, Memory

replace = msgspec.structs.replace
NIGHT = Window(kind="allow", schedule="0 22 * * *", duration="7h", time_zone="Europe/Paris")
NEVER = Window(kind="allow", schedule="0 22 30 2 *", duration="7h", time_zone="Europe/Paris")


class Service(Cloud):
    """A service that shows what a test sets: the versions of devices, and the image."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.versions: dict[str, str] = {}
        self.image: ImageFacts = FACTS_IMAGE

    def preflight(self, *given: object) -> Observation:
        seen = super().preflight(*given)  # type: ignore[arg-type]
        targets = tuple(replace(t, member_versions=dict(self.versions)) for t in seen.targets)
        return replace(seen, targets=targets, image=self.image)


def plan_of(declared: Rollout, service: Service | None = None, record: Record | None = None) -> PlannedRollout:
    stored = {record.name: Stored(record=record, revision=1)} if record is not None else {}
    (found,) = preview(
        ENVIRONMENT,
        (declared,),
        stored,
        {"fuota": service or Service()},  # type: ignore[dict-item]
        {"fuota": SHAPE},
        lambda: NOW,
        lambda _r: (),
        lambda _r: True,
    )
    return planned(found)


def shown(found: PlannedRollout) -> str:
    return as_text(PlanReport(offline=False, rollouts=(found,)))


def test_a_new_rollout_will_start_and_says_so_first() -> None:
    found = plan_of(rollout())

    assert found.verdict is PlanVerdict.WILL_START
    assert shown(found).splitlines()[0] == (
        "prod-eu/probe: will start (irrevocable) probe-canary-1-cdb7f255, 1 device, from 2026-03-01 12:35 UTC"
    )
    assert found.why == "new: nothing of this rollout was sent before"


def test_every_call_of_the_next_run_is_there_and_only_the_start_is_irrevocable() -> None:
    found = plan_of(rollout())

    assert [(s.action, s.irrevocable) for s in found.run] == [
        ("createUnit", False),
        ("addMembers", False),
        ("startUnit", True),
    ]
    assert [s.action for s in found.next] == ["createUnit"]
    assert [s.action for s in found.later] == ["deleteUnit", "createUnit", "addMembers", "startUnit", "deleteUnit"]
    text = shown(found)
    assert "next run: startUnit probe-canary-1-cdb7f255 (irrevocable): every member is in" in text
    assert 'iotwireless:StartFuotaTask {"Id": "<id>", "LoRaWAN": {"StartTime": "2026-03-01T12:35:00Z"}}' in text


def test_a_run_that_a_window_stops_creates_and_says_when_it_starts() -> None:
    found = plan_of(rollout(windows=(NIGHT,)))

    assert found.verdict is PlanVerdict.WILL_CREATE
    assert [h.reason for h in found.run_holds] == ["window_is_closed"]
    (canary, fleet) = found.waves
    assert canary.start is not None
    assert fleet.start is not None
    assert (canary.start.local, canary.start.at) == ("2026-03-01 22:00 CET", datetime(2026, 3, 1, 21, tzinfo=UTC))
    assert (canary.start.opens, canary.start.closes_local) == (canary.start.at, "2026-03-02 05:00 CET")
    assert fleet.start.at > canary.start.at + timedelta(seconds=canary.duration_seconds or 0)
    text = shown(found)
    assert (
        "wave canary: next; 1 device; gate: 90 % succeed; earliest start 2026-03-01 22:00 CET (2026-03-01T21:00:00Z) "
        'in window "0 22 * * *" for 7h (Europe/Paris), open until 2026-03-02 05:00 CET; lasts'
    ) in text
    assert "then held: window_is_closed" in text


def test_a_window_that_never_opens_is_said_before_the_first_run() -> None:
    found = plan_of(rollout(windows=(NEVER,)))

    assert "no start fits within 400 days" in shown(found)
    assert all(wave.start is None for wave in found.waves)


def test_a_missing_image_holds_and_is_red() -> None:
    service = Service()
    service.image = ImageFacts(exists=False)

    found = plan_of(rollout(), service)

    assert (found.verdict, found.is_red) == (PlanVerdict.HELD, True)
    assert verdict(found) == "held: image_is_missing"
    assert "push it with `otactl image push`; way out: " in shown(found)


def test_every_hold_names_its_way_out() -> None:
    found = plan_of(rollout(windows=(NIGHT,)))

    (hold,) = found.run_holds
    assert hold.fix == explanations.page("holds").codes["window_is_closed"].fix
    assert f"; until 2026-03-01T20:13:00Z; way out: {hold.fix}" in shown(found)


def test_calls_that_are_next_are_not_red() -> None:
    assert not plan_of(rollout()).is_red


def test_the_versions_that_devices_report_are_those_that_it_replaces() -> None:
    service = Service()
    service.versions = {"a": "2.4.0", "b": "2.3.9", "c": "2.4.1"}

    found = plan_of(rollout(), service)

    assert "version: 2.3.9, 2.4.0 → 2.4.1 (as the devices report)" in shown(found)


def finished(declared: Rollout) -> Record:
    """The record of a rollout whose waves have both passed and are cleaned up."""
    service, journal = Service(), Memory()
    for _ in range(8):
        Reconciler(
            ENVIRONMENT,
            (declared,),
            {"fuota": service},  # type: ignore[dict-item]
            journal,
            lambda: service.now,
            "me",
            lambda _r: (),
            lambda _r: True,
        ).run()
        service.advance(timedelta(hours=2))
    stored = journal.load("prod-eu", "probe").record
    assert stored.phase is Phase.SUCCEEDED
    return stored


def test_an_edit_of_a_finished_rollout_says_which_fields_changed() -> None:
    record = finished(rollout())
    backend = replace(rollout().backend, redundancy_percent=25)

    found = plan_of(rollout(backend=backend), record=record)

    assert found.verdict is PlanVerdict.WILL_START
    assert found.why == "changed since it was sent last: redundancyPercent"


def test_a_new_version_of_a_finished_rollout_names_the_one_before() -> None:
    record = finished(rollout())
    firmware = replace(rollout().firmware, version="2.5.0", sha256="cd" * 32, image="s3://b/new/x.bin")
    service = Service()
    service.image = replace(FACTS_IMAGE, sha256="cd" * 32)

    found = plan_of(rollout(firmware=firmware), service, record)

    assert "version: 2.4.1 → 2.5.0 (as the journal has it)" in shown(found)
    assert found.why == "changed since it was sent last: image"


def test_a_finished_rollout_has_nothing_to_do() -> None:
    found = plan_of(rollout(), record=finished(rollout()))

    assert (found.verdict, found.run) == (PlanVerdict.NOTHING_TO_DO, ())
    assert [wave.state for wave in found.waves] == ["passed", "passed"]


@pytest.mark.parametrize(
    ("digest", "expected"), [(None, "missing"), ("right", "given by ann"), ("of something else", "outdated")]
)
def test_an_approval_is_needed_had_or_outdated(digest: str | None, expected: str) -> None:
    first, second = rollout().strategy.waves
    asking = replace(second, requires=Requires(approval="owner"))
    declared = rollout(strategy=replace(rollout().strategy, waves=(first, asking)))
    whole, _ = as_seen(declared, Record(environment="prod-eu", name="probe"))
    right = membership.approval_digest(whole, whole.strategy.waves[1])
    given = Approval(wave="fleet", role="owner", by="ann", digest=right if digest == "right" else digest or "", at=NOW)

    found = plan_of(replace(declared, approvals=(given,) if digest else ()))

    assert f"approval of owner: {expected}" in shown(found)


def test_a_suspended_rollout_is_held() -> None:
    found = plan_of(rollout(suspend=Suspend(reason="holiday", owner="ann")))

    assert verdict(found) == "held: suspended"


def test_a_plan_names_itself_by_what_it_sends() -> None:
    one, other = plan_of(rollout()), plan_of(rollout(name="other"))
    first = PlanReport(offline=False, rollouts=(one,))

    assert digest_of(first) == digest_of(PlanReport(offline=True, rollouts=(one,)))
    assert digest_of(first) != digest_of(PlanReport(offline=False, rollouts=(other,)))


def test_json_has_the_same_value() -> None:
    found = plan_of(rollout(windows=(NIGHT,)))

    shown = json.loads(as_json(PlanReport(offline=False, rollouts=(found,))))["rollouts"][0]

    assert shown["verdict"] == "willCreate"
    assert [s["inNextRun"] for s in shown["outlook"]][:2] == [True, False]
    assert shown["waves"][0]["start"]["local"] == "2026-03-01 22:00 CET"
    assert shown["why"] == found.why


def test_every_verdict_has_words() -> None:
    assert set(WORDS) == set(PlanVerdict)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (Gate(min_success_percent=95), "95 % succeed"),
        (
            Gate(min_success_percent=90, max_failures=2, min_reported=5, silence_after="2h", soak="1d"),
            "90 % succeed, at most 2 fail, at least 5 report, silence counts as failed after 2h, soak 1d",
        ),
        (Gate(weights={"offline": 0.5}), "100 % succeed, failures are weighed"),
    ],
)
def test_a_gate_in_words(gate: Gate, words: str) -> None:
    assert gate_words(gate) == words


def test_a_plan_warns_of_an_image_that_its_store_is_to_delete() -> None:
    service = Service()
    service.image = replace(FACTS_IMAGE, expires_at=NOW + timedelta(days=3), expires_by="old images")
    (note,) = [n for n in plan_of(rollout(), service).notes if "expires" in n]
    assert note.startswith("warning: the image expires on 2026-03-04T12:00:00Z by the lifecycle rule old images")
    assert "retainYears" in note
    assert not [n for n in plan_of(rollout()).notes if "expires" in n]
