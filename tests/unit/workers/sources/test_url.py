"""The address of a source is read strictly: what it may not say is refused with what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from otactl.errors import UsageError
from otactl.workers.sources import open_source

REFUSED = {
    "http://git.example/fleet.git": "no address",
    "git+http://git.example/fleet.git@main": "not allowed",
    "git+ext::sh -c touch% /tmp/x": "is no folder",
    "git+ext://sh": "not allowed",
    "git+https://ada:secret@git.example/fleet.git@main": "credential helper",
    "git+https://token@git.example/fleet.git": "credential helper",
    "git+ssh://git:secret@git.example/fleet.git": "credential helper",
    "git+https://git.example/fleet.git@--upload-pack=sh": "no branch",
    "git+https://git.example/fleet.git@a..b": "no branch",
    "git+https:///fleet.git": "names no repository",
    "git+https://git.example/fleet.git?x=1": "query",
    "s3:///prefix": "no bucket",
    "s3://A_B/prefix": "no bucket",
    "nowhere": "no folder|no address",
}


@pytest.mark.parametrize(("address", "said"), REFUSED.items())
def test_an_address_that_is_not_allowed_is_refused(address: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        open_source(address, ("rollouts",), tmp_path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("git+https://git.example/fleet.git@main", "git+https://git.example/fleet.git@main"),
        ("git+ssh://git@git.example/acme/fleet.git@v1.2", "git+ssh://git@git.example/acme/fleet.git@v1.2"),
        ("git+https://git.example/fleet.git", "git+https://git.example/fleet.git@HEAD"),
        ("s3://acme-manifests/fleet/", "s3://acme-manifests/fleet/"),
        ("s3://acme-manifests", "s3://acme-manifests/"),
    ],
)
def test_a_source_is_called_by_its_address(address: str, name: str, tmp_path: Path) -> None:
    found = open_source(address, ("rollouts",), tmp_path)
    assert (found.name, found.shared) == (name, True)


def test_without_an_address_it_is_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = open_source(None, ("rollouts",), tmp_path)
    assert (found.name, found.shared) == (str(tmp_path), False)
