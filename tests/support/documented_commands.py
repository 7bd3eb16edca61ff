"""The commands that the docs show, in the order of a reader."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


COMMANDS_IN_ORDER = [
    (path.name, line.removeprefix("$ ").split("#")[0].strip())
    for path in DOCS
    for block in re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
