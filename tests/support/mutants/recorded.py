"""Keeps what became of the sampled mutants, and writes it into docs/reliability.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.support.mutants.judged import KILLED, SURVIVED, TIMEOUT
from tests.support.paths import ROOT
from tests.support.recorded_page import put

FIGURES = ROOT / "tests/support/mutants/recorded.json"
REASONS = ROOT / "tests/support/mutants/survivors.toml"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- recorded mutants -->", "<!-- end of the recorded mutants -->"
PACKAGES = ("drift", "planning", "state", "verdicts")
LEAST_KILLED = 0.95


class Survivor(msgspec.Struct, frozen=True):
    """A mutant that no test noticed: where it is, the line before and after, and why that is right."""

    function: str
    before: str
    after: str
    reason: str


class Recorded(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the sample; `mutants` counts all that mutmut can create, by package."""

    seed: int
    mutants: dict[str, int]
    judged: dict[str, int]
    killed: dict[str, int]
    timeouts: dict[str, int]
    survivors: list[Survivor]

    @property
    def total(self) -> int:
        """Return how many mutants were judged."""
        return sum(self.judged.values())

    @property
    def share_killed(self) -> float:
        """Return the share of the judged mutants that a test noticed."""
        return (sum(self.killed.values()) + sum(self.timeouts.values())) / self.total


def package(name: str) -> str:
    """Return the package of a mutant."""
    return name.split(".")[1]


def function(name: str) -> str:
    """Return the function of a mutant, for people: `planning.abort.plan_abort`, `verdicts.gate.Gate.judge`."""
    module, _, mangled = name.partition("__mutmut_")[0].removeprefix("otactl.").rpartition(".")
    return f"{module}.{mangled[2:].replace('ǁ', '.')}"


def reasons() -> dict[tuple[str, str, str], str]:
    """Return why each known survivor survives, by function and change."""
    listed = tomllib.loads(REASONS.read_text())["survivor"]
    return {(s["function"], s["before"], s["after"]): s["reason"] for s in listed}


def recorded(seed: int, every: list[str], found: Mapping[str, str], changes: Mapping[str, tuple[str, str]]) -> Recorded:
    """Return the record of the mutants that were judged; each survivor with its reason, empty when none is known."""
    why = reasons()
    keys = {name: (function(name), *changes[name]) for name, state in found.items() if state == SURVIVED}
    return Recorded(
        seed=seed,
        mutants=_by_package(every),
        judged=_by_package(list(found)),
        killed=_by_package([name for name, state in found.items() if state == KILLED]),
        timeouts=_by_package([name for name, state in found.items() if state == TIMEOUT]),
        survivors=[Survivor(*key, reason=why.get(key, "")) for _, key in sorted(keys.items())],
    )


def _by_package(names: list[str]) -> dict[str, int]:
    return {each: sum(package(name) == each for name in names) for each in PACKAGES}


def table(found: Recorded | None) -> str:
    """Return the record as Markdown."""
    if found is None:
        return "No run over a whole sample is recorded yet."
    lines = ["| Package | Mutants | Judged | Killed | Endless | Survived |", "|---|---|---|---|---|---|"]
    for each in PACKAGES:
        survived = found.judged[each] - found.killed[each] - found.timeouts[each]
        lines.append(
            f"| `{each}` | {found.mutants[each]:,} | {found.judged[each]} | {found.killed[each]} | "
            f"{found.timeouts[each]} | {survived} |"
        )
    every, left = sum(found.mutants.values()), len(found.survivors)
    lines += [
        "",
        f"{100 * found.share_killed:.1f} % of {found.total} killed, drawn by seed out of {every:,}; {left} survived:",
        "",
        "| Function | The line | becomes | Why no test is to notice |",
        "|---|---|---|---|",
    ]
    cells = ([f"`{s.function}`", _code(s.before), _code(s.after), s.reason] for s in found.survivors)
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)])


def _code(line: str) -> str:
    return f"`` {line} ``".replace("|", "\\|")


def read() -> Recorded | None:
    """Return the record; None before the first run over a whole sample."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=Recorded) if FIGURES.exists() else None


def write(found: Recorded, figures: Path = FIGURES, page: Path = PAGE) -> None:
    """Record what became of the sample, and write it into the page."""
    figures.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    put(page, BEGIN, END, table(found))
