"""Writes docs/lifecycle.md from the tables the controller runs on: `python -m tests.support.lifecycle_page`."""

from __future__ import annotations

from otactl.model import Phase, Stage, UnitPhase
from otactl.state.lifecycle import TRANSITIONS
from otactl.verdicts.gate import GateState

HEAD = """# The life of an attempt

`make docs` writes this page from the tables in `controller/`; a test compares the two.

An attempt is one try to update the devices of a wave. Its unit is a FUOTA task, an OTA update, or the batches of a Tuya
wave. The stage changes when the service shows the unit in another phase, not when a call is accepted.

```mermaid
stateDiagram-v2
    [*] --> declared
"""
MEANS = {
    Stage.DECLARED: "planned; the response to its create may be lost",
    Stage.OPEN: "created; nothing was sent to devices",
    Stage.SCHEDULED: "its start was accepted",
    Stage.RUNNING: "devices are being updated",
    Stage.ENDED: "its results are recorded; observed while its wave must stay passed or late answers may come",
    Stage.DELETED: "its results are recorded, and its unit is observed no more",
    Stage.SUPERSEDED: "replaced, or canceled because another revision was declared",
    Stage.LOST: "missing, and not deleted by us; if it is shown again, it continues",
    Stage.FAILED: "the service could not create it; nothing was sent",
}
GATE = {
    GateState.WAITING: "devices must still answer, and the time for it is not over",
    GateState.PASSED: "the next wave starts after the soak, if no retry is due",
    GateState.FAILED: "the rollout is paused or aborted, as `onFailure` says",
    GateState.INCONCLUSIVE: "fewer answers than `minReported`: the wave is held and does not pass",
}


def page() -> str:
    """The whole page."""
    moves: dict[tuple[Stage, Stage], list[UnitPhase]] = {}
    for (stage, phase), after in TRANSITIONS.items():
        if after is not stage:
            moves.setdefault((stage, after), []).append(phase)
    lines = [HEAD.rstrip()]
    lines += [f"    {a.value} --> {b.value}: {', '.join(p.value for p in seen)}" for (a, b), seen in moves.items()]
    lines += ["    running --> ended: ended, with results", "    deleted --> [*]", "    superseded --> [*]", "```", ""]
    lines += ["| Stage | Meaning |", "|---|---|", *(f"| {s.value} | {MEANS[s]} |" for s in Stage), ""]
    lines += ["## Every transition", "", f"| Stage | {' | '.join(p.value for p in UnitPhase)} |"]
    lines.append(f"|---{'|---' * len(UnitPhase)}|")
    for stage in Stage:
        row = [TRANSITIONS[stage, phase] for phase in UnitPhase]
        lines.append(f"| {stage.value} | {' | '.join('·' if s is stage else s.value for s in row)} |")
    lines += ["", "## A wave's gate", "", "| State | Result |", "|---|---|"]
    lines += [f"| {state.value} | {GATE[state]} |" for state in GateState]
    lines += [
        "",
        "## A rollout",
        "",
        f"Its phases are {', '.join(p.value for p in Phase)}: see reference/conditions.md.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
