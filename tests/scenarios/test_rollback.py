"""`otactl rollback`: the manifest it writes from a real journal is valid, and takes exactly those devices back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from otactl.backends.fuota.config import FuotaConfig
from otactl.cli import cli
from otactl.manifest import read_paths
from otactl.manifest.serialize import block
from otactl.model import (
    Attempt,
    DeviceResult,
    Gate,
    Outcome,
    Record,
    Rollout,
    Stage,
    Strategy,
    Targets,
    Wave,
    WaveRecord,
)
from otactl.ports import Commit
from tests.support.fuota_stage import GROUPS, IMAGE, FuotaStage, declared, pushed, single_devices
from tests.support.ota_stage import OtaStage, gateway
from tests.support.tuya_stage import TuyaStage, package, plugs

PATH, OLDER = "rollouts/new.yaml", "older.yaml"
ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec:
  owner: acme
  account: "123456789012"
  region: eu-west-1
  tuya: {endpoint: "https://gateway.example/", accessKeyIdEnv: TUYA_KEY, accessKeySecretEnv: TUYA_SECRET}
"""
Otactl = Callable[..., Result]


@pytest.fixture
def otactl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Otactl:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rollouts/environments").mkdir(parents=True)
    (tmp_path / "rollouts/environments/prod-eu.yaml").write_text(ENVIRONMENT)

    def run(*words: str, code: int = 0) -> Result:
        ran = CliRunner().invoke(cli, [*words, *(("--journal", "journal.db") if words[0] == "rollback" else ())])
        assert ran.exit_code == code, ran.output
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran

    return run


def written(rollout: Rollout) -> str:
    """A rollout as a manifest."""
    reported = msgspec.to_builtins(rollout)
    backend = reported["backend"]
    strategy = {"waves": reported["strategy"]["waves"], "gate": reported["strategy"]["gate"]}
    strategy |= {"confirm": reported["strategy"]["confirm"]}
    sent = backend if isinstance(rollout.backend, FuotaConfig) else backend["document"]
    body = {k: v for k, v in sent.items() if k != "backend"}
    spec = {
        "environment": "prod-eu",
        "firmware": reported["firmware"],
        rollout.backend_kind: body,
        "strategy": strategy,
    }
    metadata = {"name": rollout.name}
    return block(_pruned({"apiVersion": "otactl.dev/v1", "kind": "Rollout", "metadata": metadata, "spec": spec}))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {k: _pruned(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v is not None and v is not False and v not in ([], {})}
    return [_pruned(v) for v in value] if isinstance(value, list | tuple) else value


def declare(new: Rollout, old: Rollout) -> None:
    """Both manifests, the new one merged; what is read of it is what ran."""
    Path(PATH).write_text(written(new))
    Path(OLDER).write_text(written(old))
    (read,) = read_paths([PATH], require_environments=True).rollouts
    assert read.generation == new.generation


def read_back(otactl: Otactl, file: str) -> Rollout:
    """The rollout that was written; it passes `otactl validate` beside the others."""
    assert json.loads(otactl("validate", "rollouts", "-o", "json").output)["errors"] == []
    (read,) = read_paths([file], require_environments=True).rollouts
    return read


def old_probe(fuota_stage: FuotaStage, **changes: object) -> Rollout:
    return declared(firmware=pushed(fuota_stage, "2.4.0", b"old" * 900), **changes)


def targets(rollout: Rollout) -> dict[str, tuple[str, ...]]:
    return {w.name: rollout.targets_of(w).keys for w in rollout.strategy.waves}


def by_eui(fuota_stage: FuotaStage) -> dict[str, dict[str, Any]]:
    """Every wireless device, by its DevEUI."""
    stored = next(iter(fuota_stage.server.world.snapshot()["iotwireless"].values()))
    return {d["parameters"]["LoRaWAN"]["DevEui"]: d for d in stored["devices"]}


def test_probes_that_took_the_new_image_get_the_old_one_and_no_other(fuota_stage: FuotaStage, otactl: Otactl) -> None:
    silent, full, fine = fuota_stage.euis[::2]
    for eui, behaviour in ((silent, "silent"), (full, "notEnoughMemory")):
        fuota_stage.fleet(devices=[{"devEui": eui, "rfRegion": "EU868", "behaviour": behaviour}])
    old = old_probe(fuota_stage)
    declare(declared(), old)
    fuota_stage.drive(rounds=4)
    ids = {eui: device["id"] for eui, device in by_eui(fuota_stage).items()}

    reported = otactl("rollback", PATH, "--to", OLDER).output

    file = "rollouts/probe-rb.yaml"
    assert f"{file}: rollout probe-rb takes back to 2.4.0: 1 device that took 2.4.1, 1 that may have" in reported
    assert "otactl abort rollouts/new.yaml --reason 'rolled back'" in reported
    text = Path(file).read_text()
    assert f"- {ids[fine]} # {fine}" in text
    assert f"- {ids[silent]} # {silent}, silent until the timeout" in text
    assert ids[full] not in text
    back = read_back(otactl, file)
    assert targets(back) == {"canary": (f"device:{ids[fine]}",), "unsure": (f"device:{ids[silent]}",)}
    assert back.strategy.allow_downgrade
    assert back.suspend is None
    fuota_stage.drive(back, rounds=4)
    assert by_eui(fuota_stage)[fine]["image_sha256"] == old.firmware.sha256


def test_single_probes_are_named_by_id_whatever_they_were_named_by(fuota_stage: FuotaStage, otactl: Otactl) -> None:
    new = single_devices(fuota_stage)
    old = msgspec.structs.replace(new, firmware=pushed(fuota_stage, "2.4.0", b"old" * 900))
    declare(new, old)
    fuota_stage.drive(new, rounds=4)

    otactl("rollback", PATH, "--to", OLDER)

    back = read_back(otactl, "rollouts/probe-rb.yaml")
    ids = sorted(by_eui(fuota_stage)[e]["id"] for e in fuota_stage.euis[:2])
    assert sorted(k for keys in targets(back).values() for k in keys) == [f"device:{i}" for i in ids]
    fuota_stage.drive(back, rounds=6)
    assert fuota_stage.record("probe-rb").phase == "Succeeded"
    assert set(fuota_stage.images()) == {old.firmware.sha256}


def test_gateways_of_a_group_go_back_one_by_one_first(ota_stage: OtaStage, otactl: Otactl) -> None:
    ota_stage.behave(gw_4="offline")
    old = gateway(firmware=pushed(ota_stage, "2.4.0", b"old" * 900))
    declare(gateway(), old)
    ota_stage.cron(rounds=4)

    reported = json.loads(otactl("rollback", PATH, "--to", OLDER, "-o", "json").stdout)

    assert reported["devices"] == ["device:gw-1", "device:gw-2"]
    assert reported["unsure"] == ["device:gw-3", "device:gw-4", "device:gw-5"]
    assert reported["file"] == "rollouts/gateway-rb.yaml"
    back = read_back(otactl, reported["file"])
    assert targets(back) == {
        "canary": ("device:gw-1",),
        "rest": ("device:gw-2",),
        "unsure": ("device:gw-3", "device:gw-4", "device:gw-5"),
    }
    ota_stage.cron(back, rounds=2)
    assert ota_stage.record("gateway-rb").waves[0].verdict is not None


def test_plugs_go_back_from_the_version_they_run(tuya_stage: TuyaStage, otactl: Otactl) -> None:
    image = b"old" * 900
    old_image = pushed(tuya_stage, "2.3.9", image)
    tuya_stage.cloud(firmwares=[package(firmwareId="999", destVersion="2.3.9", sign=old_image.sha256, size=len(image))])
    source = {"srcVersions": ["2.3.0"], "retryInterval": 10, "retryCount": 1}
    new = plugs()
    old_block = msgspec.structs.replace(new.backend, document={**new.backend.document, **source})  # type: ignore[union-attr]
    declare(new, plugs(firmware=old_image, backend=old_block))
    tuya_stage.behave(plug_2="failsFlash")
    tuya_stage.cron(rounds=4)

    otactl("rollback", PATH, "--to", OLDER)

    back = read_back(otactl, "rollouts/plug-rb.yaml")
    assert targets(back) == {"canary": ("device:plug-1",)}
    assert back.backend.document["srcVersions"] == ["2.4.1"]  # type: ignore[union-attr]
    tuya_stage.cron(back, rounds=3)
    assert tuya_stage.record("plug-rb").phase == "Succeeded"
    assert tuya_stage.server.world.snapshot()["tuya"]["devices"][0]["versions"] == {"default": "2.3.9"}


def test_a_rollout_that_reached_no_one_has_nothing_to_go_back_from(fuota_stage: FuotaStage, otactl: Otactl) -> None:
    declare(declared(), old_probe(fuota_stage))
    fuota_stage.deafen()
    fuota_stage.run()

    reported = otactl("rollback", PATH, "--to", OLDER, code=1).output

    assert (
        "nothing to roll back: journal journal.db knows no device that took 2.4.1 as rollouts/new.yaml declares"
        in reported
    )
    assert list(Path("rollouts").glob("*-rb*")) == []


def test_devices_of_other_content_are_not_taken_back(fuota_stage: FuotaStage, otactl: Otactl) -> None:
    wave = Wave(name="canary", targets=Targets(multicast_groups=GROUPS[:1]))
    new = declared(strategy=Strategy(waves=(wave,), gate=Gate(min_success_percent=90)))
    declare(new, old_probe(fuota_stage))
    fuota_stage.drive(new, rounds=3)
    Path(PATH).write_text(Path(PATH).read_text().replace("redundancyPercent: 30", "redundancyPercent: 40"))

    assert "nothing to roll back" in otactl("rollback", PATH, "--to", OLDER, code=1).output


@pytest.fixture
def taken(fuota_stage: FuotaStage, otactl: Otactl) -> FuotaStage:
    """A fleet that took the new image."""
    declare(declared(), old_probe(fuota_stage))
    fuota_stage.drive(rounds=5)
    return fuota_stage


def test_a_second_rollback_has_a_name_and_a_file_of_its_own(taken: FuotaStage, otactl: Otactl) -> None:
    otactl("rollback", PATH, "--to", OLDER)
    otactl("rollback", PATH, "--to", OLDER)
    otactl("rollback", PATH, "--to", OLDER, "--file", "rollouts/third.json")

    names = {r.name for r in read_paths(["rollouts"]).rollouts}
    assert names == {"probe", "probe-rb", "probe-rb2", "probe-rb3"}
    assert json.loads(Path("rollouts/third.json").read_text())["metadata"] == {"name": "probe-rb3"}


def test_what_a_rollback_of_a_whole_fleet_writes_runs_to_its_end(taken: FuotaStage, otactl: Otactl) -> None:
    otactl("rollback", PATH, "--to", OLDER)
    back = read_back(otactl, "rollouts/probe-rb.yaml")

    taken.drive(back, rounds=6)

    assert taken.record("probe-rb").phase == "Succeeded"
    assert taken.images() == [back.firmware.sha256] * 6
    assert len(IMAGE) != back.firmware.size_bytes


def test_many_single_transmissions_are_warned_of(fuota_stage: FuotaStage, otactl: Otactl) -> None:
    declare(declared(), old_probe(fuota_stage))
    results = tuple(DeviceResult(device=f"d{n}", outcome=Outcome.SUCCEEDED) for n in range(60))
    done = Attempt(number=1, generation=declared().generation, unit_id="u", stage=Stage.DELETED, results=results)
    record = Record(
        backend="fuota", environment="prod-eu", name="probe", waves=(WaveRecord(name="canary", attempts=(done,)),)
    )
    with fuota_stage.journal() as journal:
        lease = journal.acquire("prod-eu", "cron", fuota_stage.transport().now())
        journal.commit((Commit(record=record, expected_revision=0),), lease.fencing)

    reported = otactl("rollback", PATH, "--to", OLDER).output

    field = "spec.strategy.waves[1].targets.wirelessDevices"
    assert f"many_single_devices: {field}: 59 single devices are 59 transmissions of the whole image" in reported
    assert [len(keys) for keys in targets(read_back(otactl, "rollouts/probe-rb.yaml")).values()] == [1, 59]


def test_references_of_the_older_manifest_stay_references(taken: FuotaStage, otactl: Otactl) -> None:
    text = Path(OLDER).read_text()
    role = text[text.index("role:") : text.index("\n", text.index("role:"))]
    Path(OLDER).write_text(text.replace(role, "role: ${stack:firmwareUpdateRoleArn}"))

    otactl("rollback", PATH, "--to", OLDER)

    assert 'role: "${stack:firmwareUpdateRoleArn}"' in Path("rollouts/probe-rb.yaml").read_text()


def test_a_mistake_is_reported_and_writes_nothing(taken: FuotaStage, otactl: Otactl) -> None:
    old = Path(OLDER).read_text()
    cases = {
        "declares the same image as rollouts/new.yaml: there is nothing to go back to": Path(PATH).read_text(),
        "has no fuota block, rollouts/new.yaml has": written(gateway()),
        "is for environment prod-us, rollouts/new.yaml for prod-eu": old.replace("prod-eu", "prod-us"),
        "unknown_value": old.replace("EU868", "EU-868"),
        "empty_file": "",
        "holds no single rollout to go back to": ENVIRONMENT,
    }
    before = sorted(p for p in Path().rglob("*") if "journal" not in p.name)
    for reported, text in cases.items():
        Path(OLDER).write_text(text)
        assert reported in otactl("rollback", PATH, "--to", OLDER, code=1).output
    Path(OLDER).write_text(old)
    assert "cannot read nope.yaml: No such file" in otactl("rollback", PATH, "--to", "nope.yaml", code=1).output
    assert f"{PATH} is there already" in otactl("rollback", PATH, "--to", OLDER, "--file", PATH, code=1).output
    assert sorted(p for p in Path().rglob("*") if "journal" not in p.name) == before


def test_without_a_journal_no_one_knows_who_took_it(fuota_stage: FuotaStage, otactl: Otactl) -> None:
    declare(declared(), old_probe(fuota_stage))

    assert "no journal at journal.db" in otactl("rollback", PATH, "--to", OLDER, code=1).output
