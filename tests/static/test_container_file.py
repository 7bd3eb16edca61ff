"""Runs the steps of the container file without an engine, and reads from it what a container gets."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from tests.support.paths import ROOT

STEPS = [
    (step["instruction"], step["value"])
    for step in DockerfileParser(fileobj=io.BytesIO((ROOT / "Containerfile").read_bytes())).structure
    if step["instruction"] != "COMMENT"
]
STARTS = [index for index, (instruction, _) in enumerate(STEPS) if instruction == "FROM"]
STAGES = [STEPS[start:end] for start, end in pairwise([*STARTS, len(STEPS)])]
BUILD, BUILD_WORKERS, WORKERS, FINAL = STAGES
FROM_A_LOCK = re.compile(r"--require-hashes --requirement requirements-(core|workers)\.lock$")
DOWNLOADS = re.compile(f"{FROM_A_LOCK.pattern}|^apt-get update && apt-get install ")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs the steps of all stages in a folder; /opt/otactl lies in it, and so does the build's working folder.

    Steps that download are not run: the packages of the environment that runs the tests stand for them.
    """
    place = tmp_path_factory.mktemp("image")
    (place / "source").mkdir()
    for instruction, value in (*BUILD, *BUILD_WORKERS):
        if instruction == "COPY":
            *names, target = value.split()
            for name in names:
                _copy(ROOT / name, place / "source" / (name if target == "./" else target))
        elif instruction == "RUN" and FROM_A_LOCK.search(value):
            (site,) = place.glob("opt/otactl/lib/python*/site-packages")
            (dependencies,) = Path(sys.executable).parent.parent.glob("lib/python*/site-packages")
            (site / "dependencies.pth").write_text(f"{dependencies}\n")
        elif instruction == "RUN":
            _sh(value, place, place / "source")
    for instruction, value in (*WORKERS, *FINAL):
        if instruction == "RUN" and not DOWNLOADS.search(value):
            _sh(value, place, place)
    yield place
    shutil.rmtree(place)


def _values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for found, value in stage if found == instruction]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def _sh(command: str, place: Path, folder: Path) -> None:
    path = os.pathsep.join((f"{place}/opt/otactl/bin", str(Path(sys.executable).parent), os.environ["PATH"]))
    ran = subprocess.run(
        ["sh", "-ec", command.replace("/opt/otactl", f"{place}/opt/otactl")],
        cwd=folder,
        env={**os.environ, "PATH": path, "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stdout}{ran.stderr}"


def _files(place: Path) -> set[tuple[str, int]]:
    return {(str(each), each.stat().st_mtime_ns) for each in place.rglob("*")}


def test_the_command_of_the_image_validates_manifests_and_writes_nothing_into_the_image(image: Path) -> None:
    assert [_values(stage, "ENTRYPOINT") for stage in (WORKERS, FINAL)] == [['["otactl"]']] * 2
    before = _files(image)

    ran = subprocess.run(
        [image / "opt/otactl/bin/otactl", "validate", ROOT / "rollouts"],
        cwd=image,
        env={"PATH": os.environ["PATH"], "HOME": str(image / "nowhere"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert _files(image) == before


def test_the_image_holds_the_command_as_built_from_these_sources(image: Path) -> None:
    (package,) = image.glob("opt/otactl/lib/python*/site-packages/otactl")

    assert (package / "cli/__init__.py").read_bytes() == (ROOT / "controller/otactl/cli/__init__.py").read_bytes()


@pytest.mark.parametrize("stage", [WORKERS, FINAL], ids=["workers", "otactl"])
def test_an_image_runs_as_a_numbered_user_who_is_not_root(stage: list[tuple[str, str]]) -> None:
    (user,) = _values(stage, "USER")

    assert all(int(number) > 0 for number in user.split(":"))


def test_the_image_that_is_built_without_a_target_is_the_command_alone() -> None:
    assert _values(FINAL, "FROM") == ["python:3.11-slim"]
    assert [value.split()[0] for value in _values(FINAL, "COPY")] == ["--from=build"]
    assert _values(FINAL, "HEALTHCHECK") == []


def test_every_step_that_installs_takes_hashed_packages_or_none() -> None:
    installs = [value for instruction, value in STEPS if instruction == "RUN" and " install " in value]

    assert len(installs) == 4
    for step in installs:
        assert DOWNLOADS.search(step) or "--no-deps --no-build-isolation" in step


def test_the_lock_of_workers_holds_what_they_need_and_the_same_versions_of_the_rest() -> None:
    core, workers = (_locked(f"requirements-{name}.lock") for name in ("core", "workers"))

    assert set(workers) - set(core) >= {"procrastinate", "psycopg", "psycopg-binary"}
    assert {name: workers.get(name) for name in core} == core


def _locked(name: str) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)
    return dict(found)


def test_the_image_has_what_the_page_of_a_fleet_needs() -> None:
    lock = (ROOT / "requirements-core.lock").read_text()

    assert re.search(r"^jinja2==", lock, re.MULTILINE)
    assert not re.search(r"^(numpy|flask|pulumi)==", lock, re.MULTILINE)


def test_all_that_is_copied_is_in_the_context_of_the_build() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name for stage in (BUILD, BUILD_WORKERS) for value in _values(stage, "COPY") for name in value.split()[:-1]
    }

    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
