"""Keeps the figures of simulated gates, and writes them into docs/gates.md beside those that are computed."""

from __future__ import annotations

from itertools import product

import msgspec

from otactl.model import Gate
from otactl.report.gate import percent
from otactl.verdicts.error_rates import chances
from tests.support.gates.simulate import ALLOWED, FLEET, Case, Figures, simulate
from tests.support.paths import ROOT
from tests.support.recorded_page import put

FIGURES = ROOT / "tests/support/gates/recorded.json"
PAGE = ROOT / "docs/gates.md"
SIMULATED = ("<!-- simulated gates -->", "<!-- end of the simulated gates -->")
COMPUTED = ("<!-- computed gates -->", "<!-- end of the computed gates -->")
ROLLOUTS = 2_500
GATES: tuple[tuple[int, float | None], ...] = ((3, None), (30, None), (300, None), (300, 0.95), (1_000, 0.95))
FAILING = (50, 100, 101, 500)
"""Devices of the fleet that firmware fails on: 1 %, 2 % as allowed, just more, and 10 %."""
CASES = tuple(
    Case(canaries, confidence, failing, silent)
    for (canaries, confidence), silent, failing in product(GATES, (0.0, 1.0), FAILING)
)
SIZES = (3, 10, 30, 100, 300, 1_000)


def run(rollouts: int = ROLLOUTS) -> list[Figures]:
    """Simulate every case; each has its own seed."""
    return [simulate(case, rollouts, seed) for seed, case in enumerate(CASES)]


def simulated(found: list[Figures]) -> str:
    """Return the figures as a table of Markdown."""
    lines = [
        "| Gate | Fails on | Never answers | First wave passes | Fails | Undecided | Decided early | Reaches all |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        case = each.case
        kind = f"{case.canaries:,} canaries" + (f", confidence {case.confidence:g}" if case.confidence else "")
        parts = (each.passed, each.failed, each.undecided, each.early, each.everywhere)
        cells = " | ".join(f"{100 * n / each.rollouts:.2f} %" for n in parts)
        lines.append(f"| {kind} | {100 * case.failing / FLEET:g} % | {case.silent_percent:g} % | {cells} |")
    rollouts, back = sum(f.rollouts for f in found), sum(f.taken_back for f in found)
    return "\n".join([*lines, "", f"Together: {rollouts:,} rollouts of {FLEET:,} devices, {back} verdicts taken back."])


def computed() -> str:
    """Return what `otactl gate` computes of gates that allow as much, as a table of Markdown."""
    gates = {"plain": Gate(min_success_percent=100 - ALLOWED)}
    gates["`confidence: 0.95`"] = Gate(min_success_percent=100 - ALLOWED, confidence=0.95)
    lines = [
        "| Gate | Devices | Passes firmware failing on 10 % | on 5 % | Holds firmware failing on 1 % | on 0.1 % |",
        "|---|---|---|---|---|---|",
    ]
    for (name, gate), devices in product(gates.items(), SIZES):
        passes = [percent(100 * chances(gate, devices, None, share).passes) for share in (0.1, 0.05)]
        holds = [percent(100 * chances(gate, devices, None, share).holds) for share in (0.01, 0.001)]
        lines.append(f"| {name} | {devices:,} | {' | '.join([*passes, *holds])} |")
    return "\n".join(lines)


def read() -> list[Figures]:
    """Return the figures of the recorded simulation."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=list[Figures])


def write(found: list[Figures]) -> None:
    """Record figures, and write them into the page with those that are computed."""
    FIGURES.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    put(PAGE, *SIMULATED, simulated(found))
    put(PAGE, *COMPUTED, computed())
