"""The commands that the docs show, in the order of a reader.

A block of `console` is run with the example manifests; one of `sh` belongs to a machine or a repository of the reader.
"""

from __future__ import annotations

import re

from tests.support.paths import ROOT

DOCS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]


COMMANDS_IN_ORDER = [
    (path.name, line.removeprefix("$ ").split("#")[0].strip())
    for path in DOCS
    for block in re.findall(r"```console\n(.*?)```", path.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


def shell_blocks(text: str) -> list[str]:
    """The blocks of `sh` in a page."""
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


COMMANDS_OF_READERS = sorted(
    {
        (path.name, line.split(" > ")[0].split("  #")[0].split(" # ")[0].strip())
        for path in DOCS
        for block in shell_blocks(path.read_text())
        for line in block.splitlines()
        if line.strip().startswith("otactl ")
    }
)
