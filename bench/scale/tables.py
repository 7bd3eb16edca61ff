"""Writes the tables of docs/scale.md from the models; a test holds the page equal to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.scale import calls
from bench.scale.fleet import Fleet, Outcome, Shard, even
from otactl.model import Environment

PAGE = Path(__file__).parents[2] / "docs/scale.md"
BUDGET = int(next(field.default for field in msgspec.structs.fields(Environment) if field.name == "call_budget"))
EVERY, TICKS = 300.0, 6
PASS_CPU, ROLLOUT_CPU = 0.5, 0.002
"""Seconds of CPU of a pass and of each rollout in it: assumed, above what docs/benchmarks.md measures."""
ACTIVE_PERCENT = 5


def quiet() -> str:
    """One environment, by its rollouts."""
    rows = []
    for kind, count in calls.QUIET.items():
        for rollouts in (10, 1_000, 10_000, 100_000):
            active = max(1, rollouts * ACTIVE_PERCENT // 100)
            found = count(calls.Load(active))
            operation, seconds = calls.binding(found)
            reads = found.total()
            fits = "yes" if reads <= calls.reads_of(BUDGET) else f"no: `callBudget` {_rounded(reads)}"
            rows.append(
                f"| `{kind}` | {rollouts:,} | {active:,} | {reads:,} | `{operation}` | {_time(seconds)} | {fits} |"
            )
    return _table(
        ("Service", "Rollouts", "active", "Calls", "Binding operation", "A pass takes", "In the budget"), rows
    )


def devices() -> str:
    """One wave, by its devices."""
    million = 1_000_000
    rows = []
    for what, found in (
        ("FUOTA, 1,000 multicast groups of 1,000 devices", calls.start_groups(million, 1_000)),
        ("FUOTA, 10,000 multicast groups of 100 devices", calls.start_groups(million, 10_000)),
        ("FUOTA, single devices by DevEUI", calls.start_wireless_devices(million)),
        ("OTA update of one thing group", calls.start_thing_group(million)),
        ("Tuya, devices by name", calls.start_tuya_devices(million)),
    ):
        operation, seconds = calls.binding(found)
        rows.append(f"| {what} | {found.total():,} | `{operation}` | {_time(seconds)} |")
    return _table(("A wave of 1,000,000 devices", "Calls", "Binding operation", "Takes"), rows)


def workers() -> str:
    """1,000 environments in 100 accounts, by workers."""
    rows = []
    shards = even(1_000, 100, 6, PASS_CPU + 100 * ROLLOUT_CPU)
    for number in (1, 2, 3, 4, 8):
        found = _run(shards, number)
        rows.append(f"| {number} | {_ticks(found.worst_wait)} | {found.passes:,} of {1_000 * TICKS:,} |")
    return _table(("Workers", "Longest wait", "Passes of those due in 30 minutes"), rows)


def shared() -> str:
    """Environments of one account and Region, by how much they have to read."""
    rows = []
    for environments, active in ((16, 20), (64, 20), (64, 47), (64, 94), (1_000, 5)):
        found = _run(even(environments, 1, active + 1, PASS_CPU + active * ROLLOUT_CPU), 8)
        wanted = environments * (active + 1) / calls.RATES["iotwireless"] / EVERY
        waited, lasted = _ticks(found.worst_wait), _time(found.longest_pass)
        both = f"{environments:,} | {environments * active:,}"
        rows.append(f"| {both} | {wanted:.0%} | {found.used:.1%} | {waited} | {lasted} |")
    head = (
        "Environments",
        "active rollouts",
        "Rate asked for",
        "Rate used while asked",
        "Longest wait",
        "Longest pass",
    )
    return _table(head, rows)


def trouble() -> str:
    """Environments beside one that reads for longer than a tick."""
    calm = even(64, 64, 48, PASS_CPU + 47 * ROLLOUT_CPU)
    heavy = Shard("heavy", "place-heavy", 5_000, PASS_CPU + 5_000 * ROLLOUT_CPU)
    rows = []
    for what, shards in (("none", calm), ("one of 5,000 active rollouts", (*calm, heavy))):
        found = _run(shards, 2)
        rest = max(wait for name, wait in found.waits.items() if name != "heavy")
        rows.append(f"| {what} | {_ticks(rest)} | {_time(found.longest_pass)} |")
    return _table(("Trouble", "Longest wait of the other 64", "Longest pass"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "quiet": quiet,
    "devices": devices,
    "workers": workers,
    "shared": shared,
    "trouble": trouble,
}


def replaced(page: str) -> str:
    """Return the page with its tables written again; each is between two comments with its name."""
    for name, table in TABLES.items():
        found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", page, re.DOTALL)
        if found is None:
            raise ValueError(f"docs/scale.md has no table {name}; add <!-- {name} --> and <!-- end -->")
        page = page[: found.start(1)] + table() + page[found.end(1) :]
    return page


def _run(shards: tuple[Shard, ...], workers: int) -> Outcome:
    rate = calls.RATES["iotwireless"]
    return Fleet(shards, workers=workers, concurrency=4, rate=rate, every=EVERY).run(TICKS)


def _table(head: tuple[str, ...], rows: list[str]) -> str:
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *rows, ""])


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _ticks(wait: float) -> str:
    return "none" if wait < 0.005 else f"{wait:.2f} ticks"


def _rounded(reads: int) -> str:
    """Return a budget that has room for so many reads, and a fifth for writes."""
    return f"{-(-reads * 5 // 4 // 1_000) * 1_000:,}"
