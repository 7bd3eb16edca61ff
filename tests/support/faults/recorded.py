"""Keeps the figures of a recorded run of the fault product, and writes them into docs/reliability.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from tests.support.faults.cases import BACKENDS, MEANING, MODES, SCENARIOS, Fault
from tests.support.faults.judge import FAILED, LED, SAME, Result
from tests.support.paths import ROOT
from tests.support.recorded_page import put

FIGURES = ROOT / "tests/faults/recorded.json"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- recorded faults -->", "<!-- end of the recorded faults -->"


class Figures(msgspec.Struct, frozen=True):
    """How many cases there were of a fault in a setting, by what came of them; `codes` held them."""

    fault: str
    backend: str
    scenario: str
    journal: str
    mode: str
    outcome: str
    cases: int
    codes: tuple[str, ...] = ()


def figures(found: Iterable[Result]) -> list[Figures]:
    """Count cases."""
    counted: Counter[tuple[str, ...]] = Counter()
    codes: dict[tuple[str, ...], set[str]] = {}
    for result in found:
        setting, _, rest = result.case.partition("@")
        backend, scenario, journal, mode = setting.split("/")
        key = (rest.partition(":")[2], backend, scenario, journal, mode, result.outcome)
        counted[key] += 1
        codes.setdefault(key, set()).update(result.codes if result.outcome == LED else ())
    names = ("fault", "backend", "scenario", "journal", "mode", "outcome")
    rows = [
        {**dict(zip(names, key, strict=True)), "cases": number, "codes": sorted(codes[key])}
        for key, number in sorted(counted.items())
    ]
    return msgspec.convert(rows, list[Figures])


def _sum(found: Iterable[Figures], **wanted: str) -> int:
    return sum(f.cases for f in found if all(getattr(f, name) == value for name, value in wanted.items()))


def _line(found: list[Figures]) -> str:
    same, led, failed = (_sum(found, outcome=outcome) for outcome in (SAME, LED, FAILED))
    ended = f"{same:,} ended as undisturbed, {led:,} held and were led on, {failed:,} failures"
    return f"{same + led + failed:,} cases, {ended}"


def summary(found: Iterable[Result]) -> str:
    """Return the sum of all cases in a line."""
    return _line(figures(found))


def table(found: list[Figures]) -> str:
    """Return the figures as two tables of Markdown."""
    lines = [f"| What goes wrong | {' | '.join(BACKENDS)} | Cases | Held and led on | Failures |", "|---|" + "---|" * 6]
    for fault in Fault:
        mine = [f for f in found if f.fault == fault.value]
        by_backend = " | ".join(f"{_sum(mine, backend=b):,}" for b in BACKENDS)
        led, failed = _sum(mine, outcome=LED), _sum(mine, outcome=FAILED)
        lines.append(f"| {MEANING[fault]} | {by_backend} | {_sum(mine):,} | {led:,} | {failed:,} |")
    lines += ["", f"| Scenario | {' | '.join(f'{b}, {m}' for b in BACKENDS for m in MODES)} |", "|---|" + "---|" * 6]
    for scenario in SCENARIOS:
        counts = [_sum(found, scenario=scenario, backend=b, mode=m) for b in BACKENDS for m in MODES]
        lines.append(f"| {scenario} | {' | '.join(f'{n:,}' for n in counts)} |")
    on_s3 = _sum(found, journal="s3")
    codes = sorted({code for f in found for code in f.codes})
    held = f"Codes that held a case: {', '.join(f'`{c}`' for c in codes)}." if codes else "No case was held."
    lines += ["", f"{on_s3:,} of the cases have their journal on S3, {_sum(found) - on_s3:,} in a file. {held}"]
    return "\n".join([*lines, "", f"Together: {_line(found)}."])


def read() -> list[Figures]:
    """Return the figures of the recorded run."""
    return msgspec.json.decode(FIGURES.read_bytes(), type=list[Figures])


def write(found: list[Figures]) -> None:
    """Record figures, and write them into the page."""
    lines = [msgspec.json.encode(f).decode() for f in found]
    FIGURES.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    put(PAGE, BEGIN, END, table(found))
