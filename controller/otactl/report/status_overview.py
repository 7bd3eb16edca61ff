"""Renders all rollouts on one screen: a row each, and below it what keeps it from going on and the way out.

1. Rollouts that need a person come first, then those under way, then those that are over.
2. It fits 80 columns: without room for a row, the rollout's name has a line of its own. No id or command is broken.
3. On a terminal it fits the height: what does not is counted, by phase, with the command that shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from otactl import explanations
from otactl.report.conditions import EnvironmentLine, FailureLine, HoldLine, receiver_text
from otactl.report.journals_used import UsedJournal, footer
from otactl.report.sanitize import plain
from otactl.report.status_summary import RolloutLine, StatusReport
from otactl.report.tables import columns, row_lines, wrapped
from otactl.report.wave_summary import WaveLine
from otactl.wording import count, span

_HEAD = ("ROLLOUT", "VERSION", "PHASE", "WAVE", "OK", "FAIL", "WAIT", "DRIFT", "NEXT RUN")
_NUMBERS = frozenset({4, 5, 6, 7})
_VERSION, _WIDE = 1, 100
_FIRST, _LAST = ("Stalled", "Failed", "Orphaned"), ("Succeeded", "Aborted", "Removed")
_AROUND = 5  # head, count of what is left, sum, the line of `--watch`, and the prompt
_FEWEST = 12
"""Lines of rollouts that are shown on however low a terminal."""


def render(
    report: StatusReport,
    now: datetime,
    used: tuple[UsedJournal, ...] = (),
    width: int | None = None,
    height: int | None = None,
) -> str:
    """Write the overview for a terminal's width and height; None for no limit. Ends without a line end."""
    above = [
        line
        for each in report.environments
        for line in (
            *_environment(each, now, width),
            *(part for receiver in each.receivers for part in _indented(receiver_text(receiver), width)),
        )
    ]
    below = footer(used, "text")
    if not report.rollouts:
        return "\n".join(["no rollout is recorded", *above, *below])
    blocks = _blocks(sorted(report.rollouts, key=_urgency), now, width, several=len(report.environments) > 1)
    room = None if height is None else max(height - len(above) - len(below) - _AROUND, _FEWEST)
    shown, left = _fitting(blocks[1:], room)
    rest = [_left(left)] if left else []
    summary = [_summary(report.rollouts)]
    return "\n".join([*above, *blocks[0][1], *shown, *rest, *summary, *below])


_Block = tuple[RolloutLine | None, list[str]]


def _blocks(rollouts: Sequence[RolloutLine], now: datetime, width: int | None, *, several: bool) -> list[_Block]:
    """Return the lines of the head, then of each rollout."""
    kept = [i for i in range(len(_HEAD)) if i != _VERSION or width is None or width >= _WIDE]
    names = [f"{r.environment}/{r.name}" if several else r.name for r in rollouts]
    rows = [_row(name, r, now) for name, r in zip(names, rollouts, strict=True)]
    numbers = frozenset(kept.index(i) for i in _NUMBERS)
    head = [_HEAD[i] for i in kept]
    table = row_lines(head, [[row[i] for i in kept] for row in rows], numbers=numbers)
    if width is not None and max(columns(line) for lines in table for line in lines) > width:
        narrow = row_lines(["", *head[1:]], [["", *(row[i] for i in kept[1:])] for row in rows], numbers=numbers)
        table = [[head[0], *narrow[0]], *([plain(n), *lines] for n, lines in zip(names, narrow[1:], strict=True))]
    blocks: list[_Block] = [(None, table[0])]
    for rollout, lines in zip(rollouts, table[1:], strict=True):
        blocks.append((rollout, [*lines, *(d for line in _details(rollout, now) for d in _indented(line, width))]))
    return blocks


def _fitting(blocks: Sequence[_Block], room: int | None) -> tuple[list[str], list[RolloutLine]]:
    """Return the lines of the first blocks that fit, and the rollouts that do not."""
    shown: list[str] = []
    for place, (_, lines) in enumerate(blocks):
        more = place + 1 < len(blocks)
        if room is not None and shown and len(shown) + len(lines) + more > room:
            return shown, [rollout for rollout, _ in blocks[place:] if rollout is not None]
        shown += lines
    return shown, []


def _urgency(rollout: RolloutLine) -> tuple[int, str, str]:
    needs = rollout.phase in _FIRST or any(h.stalled or h.overdue_since for h in rollout.holds)
    return (0 if needs else 2 if rollout.phase in _LAST else 1, rollout.environment, rollout.name)


def _row(name: str, rollout: RolloutLine, now: datetime) -> list[str]:
    devices, names = rollout.devices, [w.name for w in rollout.waves]
    wave = rollout.wave or "-"
    if rollout.wave in names:
        wave = f"{rollout.wave} {names.index(rollout.wave) + 1}/{len(names)}"
    counts = (devices.succeeded, devices.failed, devices.waiting, rollout.open_drift)
    return [
        name,
        rollout.version or "-",
        rollout.phase,
        wave,
        *map(str, counts),
        _until(rollout.requeue_at, now, "due"),
    ]


def _until(moment: str | None, now: datetime, past: str) -> str:
    if moment is None:
        return "-"
    left = datetime.fromisoformat(moment) - now
    return past if left <= timedelta() else f"in {span(left)}"


def _ago(moment: str, now: datetime) -> str:
    return span(max(now - datetime.fromisoformat(moment), timedelta()))


def _environment(line: EnvironmentLine, now: datetime, width: int | None) -> list[str]:
    drift = f"; {count(line.open_drift, 'drift entry belongs', 'drift entries belong')} to no rollout: `otactl drift`"
    after = drift if line.open_drift else ""
    if line.run is None:
        return _indented(f"{line.name}: no run is recorded yet{after}", width, by=0)
    run = line.run
    text = f"{line.name}: last recorded run {_ago(run.at, now)} ago, {run.at} by {run.by}, "
    if not run.reason:
        return _indented(f"{text}without an error{after}", width, by=0)
    good = f"last without an error {_ago(run.last_good, now)} ago" if run.last_good else "none without an error yet"
    lines = _indented(f"{text}failed; {good}{after}", width, by=0)
    return [
        *lines,
        *(
            part
            for each in (f"{run.reason} for {_ago(run.since, now)}: {run.error}", *_fix(run.reason))
            for part in _indented(each, width)
        ),
    ]


def _details(rollout: RolloutLine, now: datetime) -> list[str]:
    lines = [*_failure(rollout.failure, now)]
    known = {rollout.failure.message} if rollout.failure is not None else set()
    for hold in rollout.holds:
        if hold.message not in known:
            known.add(hold.message)
            lines += _hold(hold, now)
    lines += [named for wave in rollout.waves if (named := _unit(wave))]
    if rollout.devices.failed:
        lines.append(f"{count(rollout.devices.failed, 'device')} failed: `otactl status {rollout.name}`")
    if rollout.intents:
        lines.append(f"{count(rollout.intents, 'call has', 'calls have')} no outcome yet; the next pass reads it")
    return lines


def _failure(failure: FailureLine | None, now: datetime) -> list[str]:
    if failure is None:
        return []
    return [f"error {failure.reason} for {_ago(failure.since, now)}: {failure.message}", *_fix(failure.reason)]


def _hold(hold: HoldLine, now: datetime) -> list[str]:
    age = f" for {_ago(hold.since, now)}" if hold.since else ""
    late = ", too long" if hold.overdue_since else ""
    ends = f", ends by itself {_until(hold.until, now, 'now')} ({hold.until})" if hold.until else ""
    return [f"held {hold.reason}{age}{late}{ends}: {hold.message}", *(() if hold.until else _fix(hold.reason))]


def _fix(code: str) -> list[str]:
    found = explanations.find(code)
    return [f"way out: {found[0][2].fix}"] if found else []


def _unit(wave: WaveLine) -> str:
    """Name what the service has of a wave while its attempt lives."""
    if wave.service_id is None or wave.stage not in ("declared", "open", "scheduled", "running"):
        return ""
    job = f", job {wave.job_id}" if wave.job_id else ""
    return f"{wave.stage} {wave.unit_id}: id {', '.join(wave.parts) or wave.service_id}{job}"


def _indented(text: str, width: int | None, by: int = 2) -> list[str]:
    safe = plain(text)
    parts = [safe] if width is None else wrapped(safe, max(width - by - 2, 20))
    return [f"{' ' * (by if not n else by + 2)}{part}" for n, part in enumerate(parts)]


def _phases(rollouts: Sequence[RolloutLine]) -> str:
    return ", ".join(f"{n} {phase}" for phase, n in Counter(r.phase for r in rollouts).items())


def _left(rollouts: Sequence[RolloutLine]) -> str:
    return f"and {count(len(rollouts), 'more rollout')} ({_phases(rollouts)}): `otactl status --details`"


def _summary(rollouts: Sequence[RolloutLine]) -> str:
    return f"{count(len(rollouts), 'rollout')}: {_phases(rollouts)}; one in full: `otactl status NAME`"
