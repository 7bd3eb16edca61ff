"""Files that a manifest names: which may be read, and what is reported of those that may not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from otactl.manifest import Reading, read_paths
from otactl.manifest.repository import Places, ground_of, real, refusal, root_of
from tests.support.manifest_texts import GOOD

SINGLES = """\
  fuota: {rfRegion: EU868, role: "arn:aws:iam::123456789012:role/update", redundancyPercent: 20}
  strategy:
    waves:
      - name: all
        targets: {wirelessDevices: {file: %s}}
"""
ENVIRONMENT = """\
apiVersion: otactl.dev/v1
kind: Environment
metadata: {name: prod-eu}
spec: {owner: acme, account: "123456789012", region: eu-west-1, stackOutputs: %s}
"""
SECRET = "hunter2-is-not-for-you"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository beside which lies a file with a secret."""
    repository = tmp_path / "repository"
    (repository / ".git").mkdir(parents=True)
    (repository / "rollouts").mkdir()
    (repository / ".git/config").write_text(f"id\n{SECRET}\n")
    (tmp_path / "secret.csv").write_text(f"{SECRET}\n{SECRET}\n")
    (tmp_path / "secret.json").write_text(json.dumps({"roleArn": SECRET}))
    os.mkfifo(repository / "rollouts/fifo")
    (repository / "rollouts/link.csv").symlink_to(tmp_path / "secret.csv")
    (repository / "rollouts/out").symlink_to(tmp_path)
    return repository


def listing(place: Path, file: str) -> Reading:
    (place / "rollouts/a.yaml").write_text(GOOD[: GOOD.index("  fuota:")] + SINGLES % json.dumps(file))
    return read_paths(["rollouts"], cwd=place)


def texts(reading: Reading) -> str:
    return "\n".join(f"{each.code} {each.message} {each.hint}" for each in (*reading.errors, *reading.warnings))


OUTSIDE = (
    "/etc/passwd",
    "../../secret.csv",
    "link.csv",
    "out/secret.csv",
    "/dev/zero",
    "/proc/self/environ",
    "/nowhere",
)


@pytest.mark.parametrize("file", OUTSIDE)
def test_a_device_list_outside_the_repository_is_not_read(place: Path, file: str) -> None:
    reported = texts(listing(place, file))
    assert "csv_unreadable" in reported
    assert f"leads out of the repository {place}" in reported
    assert SECRET not in reported


def test_a_device_list_with_a_name_that_no_file_can_have_is_missing(place: Path) -> None:
    assert "there is no CSV file rollouts/nnn" in texts(listing(place, "n" * 300))


@pytest.mark.parametrize(
    ("file", "why"), [("fifo", "is no regular file"), (".", "is no regular file"), ("../.git/config", "lies in .git")]
)
def test_a_device_list_that_is_no_file_of_the_repository_is_refused(place: Path, file: str, why: str) -> None:
    assert why in texts(listing(place, file))


def test_a_device_list_is_read_up_to_its_limit_only(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otactl.manifest.csv_targets.MAX_CSV_BYTES", 10)
    (place / "rollouts/long.csv").write_text("id\n" + "x" * 1000)
    assert "file_too_large the CSV file has more than 10 bytes" in texts(listing(place, "long.csv"))


@pytest.mark.parametrize(
    "text", [f"{SECRET}\n1\n", f"id\n{SECRET} x\n", f"id\n{SECRET}\n{SECRET}\n", f"id,{SECRET},{SECRET}\na\n"]
)
def test_what_a_device_list_holds_is_not_reported_by_its_errors(place: Path, text: str) -> None:
    (place / "rollouts/list.csv").write_text(text)
    reading = listing(place, "list.csv")
    assert reading.errors
    assert SECRET not in texts(reading)


@pytest.mark.parametrize(
    "file", ["../../../secret.json", "/dev/zero", "../fifo", "../../.git/config", "../out/secret.json"]
)
def test_stack_outputs_outside_the_repository_are_not_read(place: Path, file: str) -> None:
    (place / "rollouts/environments").mkdir()
    (place / "rollouts/environments/prod-eu.yaml").write_text(ENVIRONMENT % json.dumps(file))
    reading = read_paths(["rollouts"], cwd=place)
    assert "stack_outputs_unusable" in texts(reading)
    assert SECRET not in texts(reading)


@pytest.mark.parametrize("text", [f'{{"roleArn": {SECRET}}}', json.dumps({"roleArn": SECRET}), f'"{SECRET}"'])
def test_what_stack_outputs_hold_is_not_reported_by_their_errors(place: Path, text: str) -> None:
    (place / "environments").mkdir()
    (place / "environments/out.json").write_text(text)
    (place / "environments/prod-eu.yaml").write_text(ENVIRONMENT % "out.json")
    (place / "rollouts/a.yaml").write_text(GOOD.replace("arn:aws:iam::123456789012:role/update", "${stack:roleArn}"))
    reading = read_paths(["rollouts"], cwd=place)
    assert reading.errors
    assert SECRET not in texts(reading)


@pytest.mark.parametrize("given", ["rollouts", "rollouts/z.yaml"])
@pytest.mark.parametrize("target", ["../../secret.json", "/proc/self/environ", "/dev/zero", "fifo"])
def test_a_manifest_that_is_a_link_out_of_the_repository_is_not_read(place: Path, target: str, given: str) -> None:
    (place / "rollouts/z.yaml").symlink_to(target)
    reading = read_paths([given], cwd=place)
    assert [each.code for each in reading.errors] == ["unreadable"]
    assert SECRET not in texts(reading)


def test_a_file_given_by_name_outside_every_repository_is_read_through_its_link(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(GOOD)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.yaml").symlink_to("../real.yaml")
    (tmp_path / "work").mkdir()
    assert read_paths([str(tmp_path / "elsewhere/a.yaml")], cwd=tmp_path / "work").errors == ()


def test_a_ground_is_the_repository_then_the_working_folder_then_where_the_manifest_lies(tmp_path: Path) -> None:
    inside, beside = tmp_path / "a/rollouts/x.yaml", tmp_path / "b/environments/e.yaml"
    inside.parent.mkdir(parents=True)
    beside.parent.mkdir(parents=True)
    assert ground_of(inside, tmp_path) == tmp_path
    assert ground_of(beside, tmp_path / "a") == tmp_path / "b"
    assert ground_of(inside, tmp_path / "b") == inside.parent
    (tmp_path / "a/.git").write_text("gitdir: elsewhere\n")
    assert ground_of(inside, tmp_path) == root_of(inside.parent) == tmp_path / "a"
    assert refusal(tmp_path / "a/x/../y.csv", tmp_path / "a") == ""


@pytest.mark.parametrize(
    "file",
    [
        *("a.yaml", "link.csv", "out/secret.csv", "out", "dangling", "circle", "..", "../rollouts/link.csv", "."),
        *("out/..", "n" * 300, f"{'n' * 300}/a.yaml"),
    ],
    ids=lambda name: name[:20],
)
@pytest.mark.parametrize("before", ["a.yaml", "out/secret.csv"])
def test_a_reading_follows_each_link_though_it_follows_a_folder_once(place: Path, file: str, before: str) -> None:
    (place / "rollouts/dangling").symlink_to("nowhere")
    (place / "rollouts/circle").symlink_to("circle")
    places, folder = Places(place), place / "rollouts"
    places.real(folder / before)

    assert places.real(folder / file) == real(folder / file)
    assert places.real(Path(f"{folder}/{file}")) == Path(os.path.realpath(f"{folder}/{file}"))
