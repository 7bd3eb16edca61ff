"""Run the benches named on the command line, or all; a full run writes docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime

from bench import (
    airtime,
    checking,
    commenting,
    journaling,
    pacing,
    paging,
    proving,
    quiet,
    rehearsing,
    starting,
    validating,
)
from bench.measure import Figure
from bench.versions import HEADING, PAGE

BENCHES = {
    "starting": starting,
    "validating": validating,
    "commenting": commenting,
    "quiet": quiet,
    "journaling": journaling,
    "checking": checking,
    "pacing": pacing,
    "paging": paging,
    "proving": proving,
    "airtime": airtime,
    "rehearsing": rehearsing,
}


def main(names: list[str]) -> int:
    """0 when every promise holds."""
    unknown = sorted(set(names) - set(BENCHES))
    if unknown:
        print(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 1
    figures: list[Figure] = []
    for name in names or list(BENCHES):
        for figure in BENCHES[name].figures():
            print(
                f"{'holds' if figure.holds else 'FAILS'}  {figure.name}: {figure.measured} ({figure.promise})",
                flush=True,
            )
            figures.append(figure)
    if not names:
        _, heading, beside = PAGE.read_text().partition(HEADING)
        PAGE.write_text(page(figures) + (f"\n{heading}{beside}" if heading else ""))
    return 0 if all(f.holds for f in figures) else 1


def page(figures: list[Figure]) -> str:
    """The page of figures."""
    rows = [f"| {f.name} | {f.measured} | {f.promise} | {'yes' if f.holds else '**no**'} |" for f in figures]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "```console",
            "$ make bench",
            "```",
            "",
            "writes this page. Each pair is measured side by side in one run; figures are medians of at least five",
            "runs, with the least and the greatest in brackets. Only the ratios mean anything on another machine.",
            "",
            f"Last full run: {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores.",
            "",
            "| What | Measured | Promised | Holds |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
