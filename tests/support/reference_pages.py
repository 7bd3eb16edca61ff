"""Writes docs/reference from the explanations of the package: `python -m tests.support.reference_pages`."""

from __future__ import annotations

from otactl.explanations import PAGES, Explanation, page
from tests.support.paths import ROOT

FOLDER = ROOT / "docs/reference"
HEAD = "`make docs` writes this page from the text of `otactl explain CODE`; a test compares the two."


def text(name: str) -> str:
    """The whole page of one kind of codes."""
    shown = page(name)
    lines = [f"# {shown.title}", "", f"{shown.intro} {HEAD}"]
    for section in shown.sections:
        lines += ["", f"## {section.title}", "", "| Code | Meaning | Why | What to do |", "|---|---|---|---|"]
        lines += [_row(code, each) for code, each in section.codes.items()]
    return "\n".join(lines) + "\n"


def _row(code: str, text: Explanation) -> str:
    cells = (f"`{code}`", text.means, text.why, text.fix)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in PAGES:
        (FOLDER / f"{name}.md").write_text(text(name))
