"""Writes the bill of materials of a release: what each lock installs beside which files, in CycloneDX.

`python -m tests.support.release.bill FOLDER` reads the wheel and the sdist there, and writes one bill for each lock
that a place installs. The same files and locks give the same bytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from otactl import __version__
from tests.support.paths import ROOT

LOCKS = ("core", "plan", "simulator")
TOOLS = Path(sys.prefix, "release/bin")
NO_TOOLS = "the environment of what writes the bill is missing; `make dist` and `make check` create it"
ROOT_REF = "root-component"


def bill(lock: Path, built: Sequence[Path]) -> dict[str, Any]:
    """Return the bill of one lock, bound to built files by their sha256."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder, "pyproject.toml")  # the version is in the sources, where the tool does not look
        text = (ROOT / "pyproject.toml").read_text().replace('dynamic = ["version"]', f'version = "{__version__}"')
        named.write_text(text)
        words = [str(TOOLS / "cyclonedx-py"), "requirements", "--pyproject", str(named)]
        words += ["--output-reproducible", "--spec-version", "1.6", "--output-file", "-", str(lock)]
        ran = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
    made: dict[str, Any] = json.loads(ran.stdout)
    refs = {component["name"]: component["bom-ref"] for component in made["components"]}
    direct = {_name(requirement) for requirement in project["dependencies"]}
    (root,) = (each for each in made["dependencies"] if each["ref"] == ROOT_REF)
    root["dependsOn"] = sorted(refs[name] for name in direct)
    made["metadata"]["component"]["externalReferences"] = [
        {"type": "distribution", "url": path.name, "hashes": [{"alg": "SHA-256", "content": _digest(path)}]}
        for path in sorted(built)
    ]
    return made


def _name(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def write(folder: Path, locks: Sequence[str] = LOCKS) -> list[Path]:
    """Write the bills of the files in a folder beside them."""
    built = [*folder.glob(f"otactl-{__version__}*.whl"), *folder.glob(f"otactl-{__version__}.tar.gz")]
    written = []
    for name in locks:
        path = folder / f"otactl-{__version__}-{name}.cdx.json"
        path.write_text(json.dumps(bill(ROOT / f"requirements-{name}.lock", built), indent=1, sort_keys=True) + "\n")
        written.append(path)
    return written


if __name__ == "__main__":
    for each in write(Path(sys.argv[1])):
        print(each)
