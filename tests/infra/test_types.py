"""What Pulumi's own mocks let through, the type checker does not: a misspelt key of a resource."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pulumi.engine import ROOT

PYRIGHT = str(Path(sys.executable).parent / "pyright")
NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="pyright needs node on PATH")
SLIPS = [
    ("firmware_store.py", 'status="Enabled",', 'statuss="Enabled",'),
    ("firmware_store.py", "block_public_acls=True", "block_public_acl=True"),
    ("roles.py", "assume_role_policy=", "assume_role_polcy="),
    ("optional_parts.py", "schedule_expression=", "schedule_expresion="),
    ("workers.py", "assign_public_ip=", "asign_public_ip="),
    ("worker_database.py", "storage_encrypted=", "storage_encrypt="),
]


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    config = '{"include": ["infra"], "venvPath": "%s", "venv": "%s"}' % (  # noqa: UP031 - JSON has braces of its own
        Path(sys.prefix).parent,
        Path(sys.prefix).name,
    )
    (folder / "pyrightconfig.json").write_text(config)
    env = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run([PYRIGHT], cwd=folder, env=env, capture_output=True, text=True, check=False)


@NEEDS_NODE
@pytest.mark.thorough
def test_every_slip_in_a_resources_arguments_is_caught(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "infra", tmp_path / "infra", ignore=shutil.ignore_patterns("__pycache__"))
    for name, right, wrong in SLIPS:
        file = tmp_path / "infra" / name
        text = file.read_text()
        assert right in text
        file.write_text(text.replace(right, wrong, 1))

    ran = check(tmp_path)

    assert ran.returncode == 1
    errors = [line for line in ran.stdout.splitlines() if " - error: " in line]
    assert len(errors) >= len(SLIPS)
    assert {Path(line.strip().split(":")[0]).name for line in errors} == {name for name, _, _ in SLIPS}
