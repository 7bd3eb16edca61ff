"""Runs Prometheus' own checker on metrics, rules and queries."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def promtool(*words: str | Path, given: str = "") -> str:
    """Run promtool; return what it prints, and fail the test if it finds something wrong."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is missing; install it: apt-get install -y --no-install-recommends prometheus")
    ran = subprocess.run(
        [found, *map(str, words)], input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr
