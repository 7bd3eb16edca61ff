"""The import contracts in pyproject.toml, run on a copy of the sources with planted violations."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

# file to add, its text, the contract that must break, what the report must name
PLANTED = {
    "a backend that imports another backend": (
        "controller/otactl/backends/fuota/planted.py",
        "import otactl.backends.tuya.signing\n",
        "backends do not know each other",
        "otactl.backends.fuota.planted -> otactl.backends.tuya.signing",
    ),
    "a backend that plans": (
        "controller/otactl/backends/iot_ota/planted.py",
        "import otactl.planning.next_targets\n",
        "backends decide nothing",
        "otactl.backends.iot_ota.planted -> otactl.planning.next_targets",
    ),
    "a package that no layer lists": (
        "controller/otactl/planted/__init__.py",
        "",
        "imports run one way",
        "otactl.planted",
    ),
    "the simulator importing the controller": (
        "simulator/otactl_simulator/planted.py",
        "import otactl.reconcile.reconciler\n",
        "the simulator knows only the LoRaWAN package of the controller",
        "otactl_simulator.planted -> otactl.reconcile.reconciler",
    ),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Returns what `lint-imports` prints for a copy with every violation planted; each breaks another contract."""
    copy = tmp_path_factory.mktemp("planted")
    for name in ("controller", "simulator", "infra"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for place, text, _, _ in PLANTED.values():
        (copy / place).parent.mkdir(exist_ok=True)
        (copy / place).write_text(text)
    paths = os.pathsep.join(str(copy / name) for name in ("controller", "simulator", "."))
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize(("contract", "named"), [planted[2:] for planted in PLANTED.values()], ids=list(PLANTED))
def test_a_planted_violation_breaks_its_contract_and_is_named(report: str, contract: str, named: str) -> None:
    assert f"{contract} BROKEN" in report
    assert named in report


def test_contracts_without_a_planted_violation_are_kept(report: str) -> None:
    broken = {line.partition(" BROKEN")[0] for line in report.splitlines() if " BROKEN" in line}

    assert broken == {contract for _, _, contract, _ in PLANTED.values()}
