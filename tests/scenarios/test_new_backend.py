"""A backend that the product does not know goes through every verb: it is a definition, a schema and one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl.manifest.serialize import block
from otactl.model import Phase
from tests.support.toy_stage import ToyStage, manifest

ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec: {owner: acme, account: "123456789012", region: eu-west-1}
"""
NEW, OLD = "b" * 64, "c" * 64
Otactl = Callable[..., Result]


@pytest.fixture
def otactl(toy_stage: ToyStage, monkeypatch: pytest.MonkeyPatch) -> Otactl:
    monkeypatch.chdir(toy_stage.folder)
    Path("rollouts/environments").mkdir(parents=True)
    Path("rollouts/environments/prod-eu.yaml").write_text(ENVIRONMENT)
    Path("rollouts/box.yaml").write_text(block(manifest("2.0.0", NEW)))

    def run(*words: str, code: int = 0) -> Result:
        ran = CliRunner().invoke(cli, words)
        assert ran.exit_code == code, ran.output
        return ran

    return run


def errors(ran: Result) -> list[str]:
    return [f"{e['code']} {e['pointer']}" for e in json.loads(ran.output)["errors"]]


def test_a_whole_rollout_comes_to_its_end(toy_stage: ToyStage) -> None:
    for _ in range(5):
        toy_stage.run()
        toy_stage.advance(3600)

    record = toy_stage.record()
    assert record.phase is Phase.SUCCEEDED
    assert record.drift == ()
    assert len(toy_stage.office.created) == 2
    assert toy_stage.office.parcels == {}


def test_its_manifest_is_valid_and_its_plan_has_its_exact_calls(otactl: Otactl) -> None:
    assert errors(otactl("validate", "rollouts", "-o", "json")) == []

    planned = json.loads(otactl("plan", "rollouts", "--offline", "-o", "json", code=2).output)

    (first, *_) = planned["rollouts"][0]["next"]
    assert [c["operation"] for c in first["calls"]] == ["SendParcel"]
    assert first["calls"][0]["parameters"]["stamp"] == "priority"


def test_a_plan_asks_its_service(otactl: Otactl) -> None:
    planned = json.loads(otactl("plan", "rollouts", "-o", "json", code=2).output)

    assert [h["reason"] for h in planned["rollouts"][0]["holds"]] == []
    assert planned["rollouts"][0]["next"][0]["calls"][0]["operation"] == "SendParcel"


WRONG = {
    "a field its schema does not have": ({"parcel": {"stamp": "priority", "weight": 3}}, "unknown_field /spec/parcel"),
    "a value its schema does not take": ({"parcel": {"stamp": "slow"}}, "unknown_value /spec/parcel/stamp"),
    "two blocks": ({"tuya": {"productKey": "p"}}, "too_many_choices /spec/tuya"),
    "targets of another backend": (
        {"strategy": {"waves": [{"name": "all", "targets": {"devices": ["plug-1"]}}]}},
        "foreign_targets /spec/strategy/waves/0/targets/devices",
    ),
    "an image it does not take": (
        {"firmware": {"version": "2", "image": f"s3://acme/{NEW}/i.bin", "sha256": NEW, "sizeBytes": 30_000}},
        "image_exceeds_limit /spec/firmware/sizeBytes",
    ),
    "a proof it cannot read": (
        {
            "strategy": {
                "waves": [{"name": "all", "targets": {"things": ["gw-1"]}}],
                "confirm": {"version": {"module": "m"}},
            }
        },
        "confirm_not_supported /spec/strategy/confirm/version",
    ),
}


@pytest.mark.parametrize(("spec", "expected"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_with_its_manifest_is_found(otactl: Otactl, spec: dict[str, object], expected: str) -> None:
    Path("rollouts/box.yaml").write_text(block(manifest("2.0.0", NEW, **spec)))

    found = errors(otactl("validate", "rollouts", "-o", "json", code=1))

    assert [each for each in found if each.startswith(expected)] == found != []


def test_its_own_rules_are_checked(otactl: Otactl) -> None:
    Path("rollouts/box.yaml").write_text(block(manifest("2.0.0", NEW, parcel={"stamp": "economy"})))

    reported = json.loads(otactl("validate", "rollouts", "-o", "json").output)

    assert [w["code"] for w in reported["warnings"]] == ["parcel_is_slow"]


def test_its_fields_are_explained_and_its_first_manifest_only_lacks_the_users_values(otactl: Otactl) -> None:
    assert "How fast it goes." in otactl("explain", "spec.parcel.stamp").output
    otactl("init", "first", "--backend", "parcel")
    wrong = errors(otactl("validate", "first", "-o", "json", code=1))
    assert {each.split()[0] for each in wrong} == {"placeholder_not_replaced"}


def test_a_rollout_of_it_is_rolled_back_in_waves_that_a_unit_takes(toy_stage: ToyStage, otactl: Otactl) -> None:
    from otactl.manifest import read_paths

    (new,) = read_paths(["rollouts/box.yaml"], require_environments=True).rollouts
    for _ in range(5):
        toy_stage.run(new)
        toy_stage.advance(3600)
    Path("older.yaml").write_text(block(manifest("1.0.0", OLD, parcel={"stamp": "economy"})))

    otactl("rollback", "rollouts/box.yaml", "--to", "older.yaml", "--journal", "journal.db")

    (back,) = read_paths(["rollouts/box-rb.yaml"], require_environments=True).rollouts
    sent = {w.name: back.targets_of(w).keys for w in back.strategy.waves}
    assert sent == {"canary": ("device:gw-1",), "rest-1": ("device:gw-2", "device:gw-3"), "rest-2": ("device:gw-4",)}
    assert back.backend_kind == "parcel"
    for _ in range(7):
        toy_stage.run(back)
        toy_stage.advance(3600)
    assert toy_stage.record("box-rb").phase is Phase.SUCCEEDED


def test_what_is_left_of_a_removed_rollout_is_followed_to_its_end(toy_stage: ToyStage) -> None:
    toy_stage.run()
    toy_stage.run(covers=True)
    assert toy_stage.record().phase is Phase.ORPHANED

    toy_stage.advance(3600)
    toy_stage.run(covers=True)

    results = [r.device for w in toy_stage.record().waves for a in w.attempts for r in a.results]
    assert sorted(results) == ["gw-1", "gw-2"]
