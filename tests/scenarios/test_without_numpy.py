"""The light install: without numpy, the extra `radio`, everything runs but the figures of the radio."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

WITHOUT = "import sys; sys.modules['numpy'] = None; from otactl.cli import main; sys.argv[0] = 'otactl'; main()"
EXTRA = "pip install 'otactl[radio]'"
SOIL = "rollouts/soil-probe-2-4-1.yaml"


def otactl(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_manifests_are_validated() -> None:
    assert otactl("validate", "rollouts").returncode == 0


def test_a_plan_shows_all_but_the_radio_and_names_what_to_install() -> None:
    ran = otactl("plan", "--offline", "rollouts")

    assert ran.returncode == 2, ran.stderr
    assert ran.stdout.count(EXTRA) == 2  # the two rollouts with a radio
    assert "lasts 14m 16s" in ran.stdout
    assert "success:" not in ran.stdout


@pytest.mark.server
def test_a_whole_rollout_is_reconciled_to_its_end() -> None:
    ran = otactl("rehearse", SOIL, "--seeds", "1", "--devices-per-group", "1", "--loss", "0")

    assert (ran.returncode, "succeeds in 1 of 1 seed" in ran.stdout) == (0, True), ran.stderr


def test_the_airtime_is_one_clear_error() -> None:
    ran = otactl("airtime", SOIL)

    assert (ran.returncode, ran.stderr.splitlines()) == (
        1,
        [f"otactl: the airtime is computed with numpy, which is not installed; install it: {EXTRA}"],
    )


@pytest.mark.parametrize("words", [("validate", "rollouts"), ("--help",)], ids=" ".join)
def test_what_reads_manifests_alone_loads_no_client_of_a_service(words: tuple[str, ...]) -> None:
    probe = (
        f"import sys; from otactl.cli import main; sys.argv = ['otactl', *{words!r}]\n"
        "try:\n    main()\nfinally:\n    print({'boto3', 'urllib3', 'numpy', 'botocore.utils'} & sys.modules.keys())"
    )
    ran = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.stdout.splitlines()[-1] == "set()", ran.stderr
