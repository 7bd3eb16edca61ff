"""Writes recorded figures into a page, between the two comments that hold their place."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, begin: str, end: str, table: str) -> None:
    """Replace what a page has between two comments, and nothing else."""
    before, _, rest = page.read_text().partition(begin)
    page.write_text(f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}")
