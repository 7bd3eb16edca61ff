"""docs/lifecycle.md, written from the tables the controller runs on: `python -m tests.support.lifecycle_page`."""

from __future__ import annotations

from otactl.model import Phase, Stage, UnitPhase
from otactl.state.lifecycle import TRANSITIONS
from otactl.verdicts.gate import GateState

HEAD = """# The life of an attempt

Written from the tables in `controller/` by `make docs`, and tested equal to them.

An attempt is one unit of a wave: a FUOTA task, an OTA update, the batches of a Tuya wave. What its service shows moves
it; what we send is only believed when it is shown.

```mermaid
stateDiagram-v2
    [*] --> declared
"""
MEANS = {
    Stage.DECLARED: "meant to be made; its answer may be lost",
    Stage.OPEN: "there, nothing sent to devices",
    Stage.SCHEDULED: "its start was accepted",
    Stage.RUNNING: "devices are being updated",
    Stage.ENDED: "ended, its results are recorded; watched while its wave has to stay well or answers may come late",
    Stage.DELETED: "its results are recorded, and nothing of it is left to look at",
    Stage.SUPERSEDED: "replaced, or ended because other content was declared",
    Stage.LOST: "gone without our doing; seen again, it goes on",
    Stage.FAILED: "its service could not make it; nothing was sent",
}
GATE = {
    GateState.WAITING: "devices have to answer, and the time for it is not over",
    GateState.PASSED: "the wave is let go once its soak is over and nothing is to be tried again",
    GateState.FAILED: "the rollout pauses, or is aborted, as `onFailure` says",
    GateState.INCONCLUSIVE: "fewer answers than `minReported`: it holds, and never passes",
}


def page() -> str:
    """The whole page."""
    moves: dict[tuple[Stage, Stage], list[UnitPhase]] = {}
    for (stage, phase), after in TRANSITIONS.items():
        if after is not stage:
            moves.setdefault((stage, after), []).append(phase)
    lines = [HEAD.rstrip()]
    lines += [f"    {a.value} --> {b.value}: {', '.join(p.value for p in seen)}" for (a, b), seen in moves.items()]
    lines += ["    running --> judged: ended, with results", "    cleaned --> [*]", "    superseded --> [*]", "```", ""]
    lines += ["| Stage | Means |", "|---|---|", *(f"| {s.value} | {MEANS[s]} |" for s in Stage), ""]
    lines += ["## Every transition", "", f"| Stage | {' | '.join(p.value for p in UnitPhase)} |"]
    lines.append(f"|---{'|---' * len(UnitPhase)}|")
    for stage in Stage:
        row = [TRANSITIONS[stage, phase] for phase in UnitPhase]
        lines.append(f"| {stage.value} | {' | '.join('·' if s is stage else s.value for s in row)} |")
    lines += ["", "## A wave's gate", "", "| State | Then |", "|---|---|"]
    lines += [f"| {state.value} | {GATE[state]} |" for state in GateState]
    lines += ["", "## A rollout", "", f"Its phases are {', '.join(p.value for p in Phase)}: see docs/rollout.md."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
