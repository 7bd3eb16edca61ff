"""Fits the pages to the site: README and changelog become pages of it, links to other files of the repository text."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie in the root of the repository."""
    for name, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite the links of a page."""
    here = next((name for name, shown in PAGES.items() if shown == page.file.src_uri), f"docs/{page.file.src_uri}")
    folder, shown = posixpath.dirname(here), posixpath.dirname(page.file.src_uri)

    def rewritten(found: re.Match[str]) -> str:
        text, target, anchor = found.group(1), found.group(2), found.group(3) or ""
        place = posixpath.normpath(posixpath.join(folder, target))
        if (ROOT / place).is_dir() and list((ROOT / place).glob("*.md")):
            place = f"{place}/{min(each.name for each in (ROOT / place).glob('*.md'))}"
        inside = PAGES.get(place) or (place.removeprefix("docs/") if place.startswith("docs/") else "")
        if not inside:
            return text  # a file of the repository: the site does not hold it
        return f"[{text}]({posixpath.relpath(inside, shown or '.')}{anchor})"

    return LINK.sub(rewritten, markdown)
