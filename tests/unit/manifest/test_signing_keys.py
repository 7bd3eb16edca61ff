"""Keys of an environment are read from files inside the repository; a wrong file is named, never what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from otactl.manifest import read_paths
from tests.support.signing import pair

ENVIRONMENT = """apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec:
  owner: acme
  account: "123456789012"
  region: eu-west-1
  firmware:
    requireSignature:
      keys:
        - {name: release, file: KEY}
        - {name: old, file: ../keys/old.pub, revoked: "2026-11-02: stolen"}
"""
PRIVATE, PUBLIC = pair("ed25519")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "firmware"
    for each in (".git", "environments", "keys"):
        (folder / each).mkdir(parents=True)
    (folder / "keys" / "old.pub").write_bytes(PUBLIC)
    monkeypatch.chdir(folder)
    return folder


def read(key: str) -> tuple[list[str], list[str | None]]:
    Path("environments/prod-eu.yaml").write_text(ENVIRONMENT.replace("KEY", key))
    reading = read_paths(["environments"])
    found = [e.firmware for e in reading.environments if e.firmware is not None]
    texts = [key.public_key for each in found for key in each.require_signature.keys]
    return [f"{e.line} {e.code}: {e.message}" for e in reading.errors], texts


def test_a_key_in_a_file_is_read_into_the_environment(repository: Path) -> None:
    (repository / "keys" / "release.pub").write_bytes(PUBLIC)
    errors, texts = read("../keys/release.pub")
    assert (errors, texts) == ([], [PUBLIC.decode()] * 2)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (PRIVATE, "holds a private key, which belongs in no repository"),
        (b"hello", "is no public key in PEM"),
        (b"-----BEGIN PUBLIC KEY-----" + b"A" * 20_000, "has more than 16384 bytes"),
    ],
)
def test_a_file_without_one_public_key_is_an_error_at_its_line(repository: Path, content: bytes, why: str) -> None:
    (repository / "keys" / "release.pub").write_bytes(content)
    ((error,), texts) = read("../keys/release.pub")
    assert error.startswith("11 key_unreadable: ")
    assert why in error
    assert content.decode()[30:60].strip() not in error or content == b"hello"
    assert texts == []


def test_a_file_outside_the_repository_is_refused_through_a_link_too(repository: Path) -> None:
    outside = repository.parent / "outside.pub"
    outside.write_bytes(PUBLIC)
    (repository / "keys" / "release.pub").symlink_to(outside)
    for name in ("../keys/release.pub", "../../outside.pub"):
        ((error,), _) = read(name)
        assert "leads out of the repository" in error


def test_a_file_that_is_not_there_is_named(repository: Path) -> None:
    ((error,), _) = read("../keys/none.pub")
    assert "cannot be read: No such file" in error


@pytest.mark.parametrize("entry", ["{name: a}", "{name: a, file: x, publicKey: y}", "{name: a, publicKey: hello}"])
def test_a_key_has_one_source_and_is_in_pem(repository: Path, entry: str) -> None:
    Path("environments/prod-eu.yaml").write_text(ENVIRONMENT.replace("{name: release, file: KEY}", entry))
    assert {e.line for e in read_paths(["environments"]).errors} == {11}
