"""`status --device` when no gateway answers, or none is to be asked: the journal's part stands, and why is reported."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl_simulator.clock import Clock
from tests.support.device_status_cli import READS, DeviceStatusCli, open_status_cli
from tests.support.fuota_stage import FuotaStage
from tests.support.paths import ROOT
from tests.support.tuya_stage import PRODUCT, TuyaStage


@pytest.fixture
def status_cli(tuya_stage: TuyaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeviceStatusCli:
    return open_status_cli(tuya_stage, tmp_path, monkeypatch)


def test_a_device_the_gateway_does_not_have_is_reported_after_the_journals_part(status_cli: DeviceStatusCli) -> None:
    ran = status_cli.status("--product", PRODUCT, device="plug-9", code=1)

    assert ran.stdout.startswith("no rollout in this journal holds device plug-9")
    assert f"device plug-9 is not there in product {PRODUCT}; check its name and the product" in ran.stderr
    assert len(ran.stderr.splitlines()) == 2  # no journal yet, and this
    (live,) = status_cli.live("--product", PRODUCT, device="plug-9", code=1)
    assert (live["tasks"], live["versions"]) == (None, None)
    assert live["error"].startswith("TargetMissing: ")


def test_a_product_the_gateway_does_not_have_is_one_message(status_cli: DeviceStatusCli) -> None:
    status_cli.reconcile()

    ran = status_cli.status("--product", "nosuch", code=1)

    assert ran.stdout.startswith("ROLLOUT")
    assert "could not be read, so what is unfinished there is not known" in ran.stdout
    (reported,) = ran.stderr.splitlines()
    assert "product nosuch, environment prod-eu: ProductUnknown: " in reported


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"TUYA_SECRET": "wrong"}, "SignatureRefused: "),
        ({"TUYA_KEY": "AK9"}, "AccessKeyUnknown: "),
        ({"TUYA_SECRET": ""}, "NoCredentials: the environment variable TUYA_SECRET for Tuya is not set"),
    ],
)
def test_a_key_that_is_wrong_or_missing_takes_nothing_from_the_journals_part(
    status_cli: DeviceStatusCli, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], reason: str
) -> None:
    status_cli.reconcile()
    journal = "".join(status_cli.status("--offline").stdout.splitlines(keepends=True)[:-1])
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    ran = status_cli.status(code=1)

    assert ran.stdout.startswith(journal)
    (reported,) = ran.stderr.splitlines()
    assert reported.startswith(f"otactl: tuya, product {PRODUCT}, environment prod-eu: {reason}")
    assert reported.endswith("; --offline reads the journal only") is reason.startswith("NoCredentials")


def test_a_gateway_that_no_one_serves_takes_nothing_from_the_journals_part(
    status_cli: DeviceStatusCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otactl.backends.transport.call_policy.BACKOFF_SECONDS", 0)
    status_cli.reconcile()
    place = status_cli.environment("prod-eu").replace(status_cli.tuya_stage.server.url, "http://127.0.0.1:1")
    status_cli.write("rollouts/environments/prod-eu.yaml", place)

    ran = status_cli.status(code=1)

    assert ran.stdout.startswith("ROLLOUT")
    assert "got no answer after 4 attempts: ConnectionRefusedError at 127.0.0.1:1" in ran.stderr


def test_versions_that_are_refused_take_nothing_from_the_tasks(
    status_cli: DeviceStatusCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otactl.backends.transport.call_policy.BACKOFF_SECONDS", 0)
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()
    status_cli.tuya_stage.fault(service="tuya", operation=READS[1], effect="error500")

    (live,) = status_cli.live(code=1)

    assert len(live["tasks"]) == 1
    assert live["versions"] is None
    assert READS[1] in live["error"]


def test_a_clock_that_is_hours_off_is_set_right_by_the_gateways(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()
    status_cli.tuya_stage.advance(5 * 3600)

    assert "queued" in status_cli.status().stdout


def test_a_clock_the_gateway_never_agrees_with_is_reported(
    status_cli: DeviceStatusCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    status_cli.reconcile()
    world = status_cli.tuya_stage.server.world
    monkeypatch.setattr(
        world.clock, "now", Clock().now
    )  # one that runs: it is never where it was when a call was signed
    world.apply_settings({"tuyaClockSkewSeconds": 0})

    ran = status_cli.status(code=1)

    assert "ClockSkewed: " in ran.stderr
    assert "it is that of its own clock; ask Tuya" in ran.stderr


def test_offline_asks_no_one(status_cli: DeviceStatusCli) -> None:
    status_cli.reconcile()
    before = len(status_cli.asked())

    found = status_cli.live("--offline")

    assert found == []
    assert len(status_cli.asked()) == before


GIVE = "so its product is not known; give --product KEY, or --manifests PATH that names it"
REFUSED: list[tuple[tuple[str, ...], str, str]] = [
    (("--module", "ble"), "plug-6", f"no rollout of tuya in rollouts names device plug-6, {GIVE}"),
    (
        ("--task-status", "queued", "--manifests", "bare"),
        "plug-1",
        f"no rollout of tuya in bare names device plug-1, {GIVE}",
    ),
    (("--task-status", "done"), "plug-1", "'done' is no status of an unfinished task; there are toConfirm (CONFIRM)"),
    (
        ("--offline", "--module", "ble"),
        "plug-1",
        "--module filters the gateway's answer, and --offline calls no gateway",
    ),
    (("--offline", "--product", "x"), "plug-1", "--product filters the gateway's answer"),
    (("--module", ""), "plug-1", "--module is empty"),
    (
        ("--product", "x", "--environment", "prod-us"),
        "plug-1",
        "environment prod-us in rollouts has no spec.tuya; these have: prod-ap, prod-eu",
    ),
    (("--product", "x"), "plug-6", "product x may be in environment prod-ap, prod-eu; choose one with --environment"),
    (
        ("--product", "x", "--manifests", "bare"),
        "plug-6",
        "no environment in bare has spec.tuya, so there is no gateway to ask about product x",
    ),
    (("--manifests", "nowhere"), "plug-1", "nowhere:1:1: path_not_found"),
]


@pytest.mark.parametrize(("words", "device", "reported"), REFUSED, ids=[" ".join(r[0]) for r in REFUSED])
def test_what_cannot_be_asked_is_one_clear_message(
    status_cli: DeviceStatusCli, words: tuple[str, ...], device: str, reported: str
) -> None:
    status_cli.reconcile()
    status_cli.write("rollouts/environments/prod-ap.yaml", status_cli.environment("prod-ap"))
    bare = status_cli.environment("prod-us", gateway=False)
    for name in ("rollouts/environments/prod-us.yaml", "bare/prod-us.yaml"):
        status_cli.write(name, bare)
    before = len(status_cli.asked())

    ran = status_cli.status(*words, device=device, code=1)

    assert reported in ran.stderr
    assert ran.stdout == ""
    assert len(status_cli.asked()) == before


@pytest.mark.parametrize("option", ["--module", "--product", "--task-status"])
def test_what_is_about_one_device_is_refused_without_one(status_cli: DeviceStatusCli, option: str) -> None:
    ran = CliRunner().invoke(cli, ["status", option, "queued"])

    assert ran.exit_code == 1
    assert ran.stderr == f"otactl: {option} is about one device; name it with --device ID\n"


def test_an_environment_that_is_declared_and_not_started_can_be_asked(status_cli: DeviceStatusCli) -> None:
    status_cli.reconcile()
    status_cli.write("rollouts/environments/prod-ap.yaml", status_cli.environment("prod-ap"))

    (live,) = status_cli.live("--product", PRODUCT, "--environment", "prod-ap", device="plug-6")

    assert (live["environment"], live["tasks"]) == ("prod-ap", [])


def test_a_rollout_named_narrows_what_is_shown_and_still_tells_whose_a_task_is(status_cli: DeviceStatusCli) -> None:
    status_cli.tuya_stage.behave(plug_1="offline")
    status_cli.reconcile()
    status_cli.declare(name="later")

    (live,) = status_cli.live("plug")
    refused = status_cli.status("unknown", code=1)

    assert live["tasks"][0]["owner"]["rollout"] == "plug"
    assert "no rollout unknown in journal" in refused.stderr


class Field:
    """A LoRaWAN user's folder: nothing in it knows Tuya."""

    def __init__(self, fuota_stage: FuotaStage, folder: Path) -> None:
        self.stage = fuota_stage
        fuota_stage.drive(rounds=4)
        shutil.copytree(ROOT / "rollouts", folder / "rollouts", ignore=shutil.ignore_patterns("__pycache__"))
        self.journal = str(fuota_stage.folder / "journal.db")

    def status(self, *words: str) -> Result:
        """`otactl status --device` of a probe, without a credential in sight."""
        before = len(self.stage.server.world.requests)
        ran = CliRunner().invoke(cli, ["status", "--device", self.stage.euis[0], "--journal", self.journal, *words])
        assert len(self.stage.server.world.requests) == before, "status called a service"
        return ran


@pytest.fixture
def probes(fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    folder = tmp_path / "field"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = Field(fuota_stage, folder)
    for name in [n for n in os.environ if n.startswith(("AWS_", "TUYA_"))]:
        monkeypatch.delenv(name)
    return found


@pytest.mark.parametrize("style", ["text", "markdown", "json"])
def test_a_lorawan_device_is_reported_from_the_journal_alone(probes: Field, style: str) -> None:
    ran = probes.status("-o", style)

    assert (ran.exit_code, ran.stderr) == (0, "")
    assert ran.stdout == probes.status("-o", style, "--offline").stdout
    assert "succeeded" in ran.stdout


def test_a_filter_on_a_lorawan_device_is_refused_and_not_ignored(probes: Field) -> None:
    ran = probes.status("--module", "ble")

    assert ran.exit_code == 1
    assert f"no rollout of tuya in rollouts names device {probes.stage.euis[0]}" in ran.stderr


def test_manifests_that_are_broken_take_nothing_from_the_journals_part(probes: Field) -> None:
    Path("rollouts/broken.yaml").write_text("kind: [Rollout\n")

    ran = probes.status()

    assert ran.exit_code == 0
    assert ran.stdout == probes.status("--offline").stdout
    assert "rollouts: 1 problem; where this device belongs is read from what is sound in it" in ran.stderr


def test_a_folder_without_manifests_is_as_it_was(probes: Field) -> None:
    shutil.rmtree("rollouts")

    ran = probes.status()

    assert (ran.exit_code, ran.stderr) == (0, "")
