"""`otactl image push --into`: the block goes into the manifest, with its comments, placeholders or not."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from otactl.cli import cli
from otactl.signatures.keys import public_key
from tests.support.first_repository import fill_in
from tests.support.fuota_stage import BUCKET, FuotaStage
from tests.support.signing import key_files

MANIFEST = "rollouts/probe-1-0-0.yaml"
IMAGE = b"firmware" * 100


def push(*words: str) -> Result:
    where = ("--environment", "rollouts/environments/prod.yaml", "--bucket", BUCKET)
    return CliRunner().invoke(cli, ["image", "push", "probe.bin", *where, "--product", "probe", *words])


@pytest.fixture
def repository(fuota_stage: FuotaStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of `otactl init` whose environment is filled in, with an image beside it."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(cli, ["init", "--backend", "fuota"]).exit_code == 0
    fill_in(tmp_path / "rollouts/environments")
    (tmp_path / "probe.bin").write_bytes(IMAGE)
    return tmp_path


def test_the_block_is_written_and_everything_else_of_the_manifest_stays(repository: Path) -> None:
    place = repository / MANIFEST
    before = place.read_text().splitlines()

    ran = push("--version", "2.10", "--into", MANIFEST)

    assert ran.exit_code == 0, ran.output
    after = place.read_text().splitlines()
    digest = hashlib.sha256(IMAGE).hexdigest()
    changed = [new.strip() for old, new in zip(before, after, strict=True) if old != new]
    assert [line.split("#")[0].strip() for line in changed] == [
        'version: "2.10"',
        f'image: "s3://{BUCKET}/probe/sha256/{digest}/probe.bin"',
        f'sha256: "{digest}"',
        "sizeBytes: 800",
    ]
    assert "# what devices report once they run it" in changed[0]


def test_a_file_without_a_rollout_is_refused_before_the_upload(repository: Path, fuota_stage: FuotaStage) -> None:
    ran = push("--version", "1", "--into", "rollouts/environments/prod.yaml")

    assert ran.exit_code == 1
    assert "rollouts/environments/prod.yaml holds 0 rollouts; name a file with one" in ran.output
    calls = [each for each in fuota_stage.server.world.requests if each["operation"] == "PutObject"]
    assert len(calls) == 1  # the image of the stage itself


def test_the_printed_block_can_be_pasted_below_spec(repository: Path) -> None:
    ran = push("--version", "2.10")

    place = repository / MANIFEST
    lines = place.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("  firmware:"))
    block = [line for line in ran.stdout.splitlines() if line.startswith("  ")]
    place.write_text("\n".join([*lines[:start], *block, *lines[start + 5 :]]) + "\n")

    firmware = yaml.safe_load(place.read_text())["spec"]["firmware"]
    assert (firmware["version"], firmware["sizeBytes"]) == ("2.10", 800)


def test_a_bucket_that_is_not_there_is_named(repository: Path) -> None:
    where = ("--environment", "prod", "--bucket", "acme-nowhere", "--product", "probe", "--version", "1")

    ran = CliRunner().invoke(cli, ["image", "push", "probe.bin", *where])

    assert ran.exit_code == 1
    assert "there is no bucket acme-nowhere" in ran.output
    assert "name another with --bucket" in ran.output


def test_a_signed_push_writes_the_signature_of_the_image_into_the_manifest(repository: Path) -> None:
    key = key_files(repository)
    ran = push("--version", "2.10", "--sign", str(key.private_file), "--into", MANIFEST)
    assert ran.exit_code == 0, ran.output

    (signature,) = re.findall(r'signature: "?([A-Za-z0-9+/=]+)"?', (repository / MANIFEST).read_text())
    digest = hashlib.sha256(IMAGE).digest()
    assert public_key(key.public, "key").verifies_digest(base64.b64decode(signature), digest)
