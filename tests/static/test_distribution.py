"""What a wheel installs: built, unpacked beside an environment of its own, and run from there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.first_repository import fill_in
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel, as `make dist` does, from the sources in the working tree."""
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("otactl-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Installs the wheel without a network; dependencies are those of the environment that runs the tests.

    The environment is new, so the project's own editable install is not in it: a plain path file names the folder
    with the dependencies, and path files inside that folder are not read.
    """
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=False)
    (site,) = place.glob("lib/python*/site-packages")
    here = Path(sys.executable).parent.parent
    (dependencies,) = here.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{dependencies}\n")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    subprocess.run([*words, "--no-deps", "--prefix", str(place), "--ignore-installed", str(wheel)], check=True)
    return place


def run(installed: Path, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the installed command in a folder that holds no checkout."""
    command = [str(installed / "bin/python"), "-c", "from otactl.cli import main; main()", *words]
    return subprocess.run(command, cwd=folder or installed, capture_output=True, text=True, check=False)


def test_a_wheel_installs_only_names_that_begin_with_otactl(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {top for top in tops if not top.startswith("otactl")} == set()
    assert {"otactl", "otactl_simulator"} <= tops


def test_the_command_runs_from_the_installed_wheel_and_not_from_the_checkout(installed: Path) -> None:
    words = [str(installed / "bin/python"), "-c", "import otactl, otactl_simulator; print(otactl.__file__)"]
    where = subprocess.run(words, cwd=installed, capture_output=True, text=True, check=True).stdout.strip()

    assert Path(where).is_relative_to(installed)
    assert run(installed, "--version").stdout.startswith("otactl")


def test_an_example_in_the_wheel_is_valid_by_the_schemas_in_the_wheel(installed: Path) -> None:
    (examples,) = installed.glob("lib/python*/site-packages/otactl/examples")

    ran = run(installed, "validate", str(examples), "-o", "json")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert '"valid":true' in ran.stdout.replace(" ", "")


@pytest.mark.parametrize("field", ["spec.fuota.rfRegion", "spec.strategy.gate"])
def test_fields_are_explained_by_the_schemas_in_the_wheel(installed: Path, field: str) -> None:
    ran = run(installed, "explain", field)

    assert ran.returncode == 0, ran.stderr
    assert field in ran.stdout


def test_a_first_repository_is_written_and_planned_by_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    written = run(installed, "init", "--backend", "fuota", folder=tmp_path)
    fill_in(tmp_path / "rollouts")
    checked = run(installed, "validate", "rollouts", folder=tmp_path)
    planned = run(installed, "plan", "rollouts", "--offline", folder=tmp_path)

    assert (written.returncode, written.stderr) == (0, "")
    assert checked.returncode == 0, checked.stdout
    assert planned.returncode == 2, planned.stderr
    assert "iotwireless:CreateFuotaTask" in planned.stdout


@pytest.mark.thorough
def test_the_demo_of_the_installed_wheel_tells_its_story_on_one_page(installed: Path, tmp_path: Path) -> None:
    ran = run(installed, "demo", "--keep", "kept", folder=tmp_path)

    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert len(lines) <= 100
    assert max(map(len, lines)) <= 100
    acts = [line[0] for line in lines if re.match(r"\d\. ", line)]
    assert acts == ["1", "2", "3", "4", "5"]
    (sent, stopped, changed) = (line for line in lines[lines.index("In short") :] if line.startswith("- "))
    assert re.match(r"- sent once: \d+ calls that change something, no two the same; 39 devices", sent)
    assert stopped.startswith("- stopped in time: target_is_not_ready, ")
    assert changed.startswith("- changed by others and recorded: ")
    assert lines[-3:] == [
        "The page of this fleet: kept/fleet.html",
        "",
        "Try next: cd kept && otactl history soil-probe-2-4-1",
    ]
    page = (tmp_path / "kept/fleet.html").read_text()
    assert "Built <time" in page
    assert "chance that a device rebuilds the image" in page
    assert {name for name in ("gateway-3-2-0", "leak-sensor-1-3-0", "smart-plug-2-4-1") if name not in page} == set()
    later = run(installed, "history", "soil-probe-2-4-1", folder=tmp_path / "kept")
    assert "AllWavesPassed" in later.stdout
    assert json.loads((tmp_path / "kept/simulator-requests.json").read_text())["requests"]


def test_the_demo_keeps_its_files_in_no_folder_that_has_some(installed: Path) -> None:
    ran = run(installed, "demo", "--keep", "bin")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "otactl: bin is not empty; name a folder that is new or empty\n"


def test_the_pulumi_program_in_the_wheel_is_the_one_of_the_checkout(installed: Path) -> None:
    (folder,) = installed.glob("lib/python*/site-packages/otactl/pulumi")

    assert (folder / "Pulumi.yaml").read_bytes() == (ROOT / "Pulumi.yaml").read_bytes()
    names = {each.name for each in (folder / "infra").glob("*.py")}
    assert names == {each.name for each in (ROOT / "infra").glob("*.py")}


def test_the_simulator_and_the_pulumi_program_are_extras_of_a_light_command(installed: Path) -> None:
    (metadata,) = installed.glob("lib/python*/site-packages/otactl-*.dist-info/METADATA")
    needs = re.findall(r"^Requires-Dist: ([\w.-]+).*?(?:; extra == '(\w+)')?$", metadata.read_text(), re.MULTILINE)
    core = {name for name, extra in needs if not extra}

    assert {"flask", "moto"} <= {name for name, extra in needs if extra == "simulator"} - core
    assert {"pulumi", "pulumi-aws"} <= {name for name, extra in needs if extra == "infra"} - core
    assert len(core) <= 9


def test_the_airtime_data_is_found_in_the_wheel(installed: Path) -> None:
    ran = run(installed, "airtime", "--rf-region", "EU868", "--data-rate", "5", "--image-bytes", "4096", "-o", "json")

    assert ran.returncode in (0, 2), ran.stderr
    assert '"fragments"' in ran.stdout


def test_the_component_is_imported_from_the_installed_wheel(installed: Path) -> None:
    words = [str(installed / "bin/python"), "-W", "ignore", "-c"]
    code = "from otactl.pulumi.infra import FirmwareRollouts; print(FirmwareRollouts.__module__)"

    ran = subprocess.run([*words, code], cwd=installed, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "otactl.pulumi.infra.component"
