"""The page of a fleet: its size, what building it costs, when it is painted, and how long a key of the search takes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import OTACTL
from tests.support import browser as browsers
from tests.support.browser import Browser
from tests.support.fleet_sample import fleet
from tests.support.page_journal import write_journal

DEVICES, RUNS, LOADS = 10_000, 5, 7
LIMIT = 5_000_000
KEYS = "70b3d57e00000 berlin failed 2.4"
STATIC_BYTES = 1_000_000
_TYPE = """
const done = arguments[arguments.length - 1];
const field = document.getElementById("q");
const times = [];
for (const key of arguments[0]) {
  const start = performance.now();
  field.value += key;
  field.dispatchEvent(new Event("input"));
  document.body.offsetHeight;
  times.push(performance.now() - start);
}
done(times);
"""
_PAINTED = """
const done = arguments[arguments.length - 1];
const tell = () => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  if (paint) done(paint.startTime); else setTimeout(tell, 5);
};
tell();
"""


def figures(tiny: bool = False) -> list[Figure]:
    """Build the page of 10,000 devices beside `status` of the same journal, then open it beside static pages.

    Raises: RuntimeError without a browser, except at the tiny size, which then leaves its figures out.
    """
    devices, runs, loads = (100, 1, 1) if tiny else (DEVICES, RUNS, LOADS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal, place = folder / "journal.db", folder / "fleet.html"
        write_journal(journal, fleet(devices))
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(run([OTACTL, "report", "--html", str(place), "--journal", str(journal)]).cpu)
            theirs.append(run([OTACTL, "status", "--journal", str(journal), "-o", "json"]).cpu)
        size = place.stat().st_size
        found = [_size(devices, size), _cost(devices, ours, theirs)]
        missing = browsers.missing()
        if missing and not tiny:
            raise RuntimeError(missing)
        if not missing:
            with browsers.browser() as shown:
                found += _seen(shown, folder, devices, size, loads)
    return found


def _size(devices: int, size: int) -> Figure:
    name = f"bytes of a page of {devices:,} devices"
    return Figure(name, f"{size / 1e6:.2f} MB", "at most 5 MB", size <= LIMIT, timed=False)


def _cost(devices: int, ours: list[float], theirs: list[float]) -> Figure:
    ratio = median(ours) / median(theirs)
    measured = f"{ratio:.2f} times: {spread(ours)} of CPU against {spread(theirs)}"
    name = f"`otactl report` of {devices:,} devices beside `otactl status -o json`"
    return Figure(name, measured, "at most 4 times, and at most 3 s", ratio <= 4 and median(ours) <= 3)


def _seen(shown: Browser, folder: Path, devices: int, size: int, loads: int) -> list[Figure]:
    static, same = folder / "static.html", folder / "same.html"
    static.write_text(_static(STATIC_BYTES), encoding="utf-8")
    same.write_text(_static(size), encoding="utf-8")
    ours, theirs = [], []
    for _ in range(loads):
        ours.append(_painted(shown, folder / "fleet.html"))
        theirs.append(_painted(shown, static))
    ratio = median(ours) / median(theirs)
    paint = f"{ratio:.2f} times: {spread(ours, 'ms', 0)} against {spread(theirs, 'ms', 0)}"
    typed, beside = _typed(shown, f"{(folder / 'fleet.html').as_uri()}#devices"), _typed(shown, same.as_uri())
    keys = f"{spread(typed, 'ms', 1)} against {spread(beside, 'ms', 1)}"
    more = median(typed) - median(beside)
    return [
        Figure(
            f"first paint of a page of {devices:,} devices beside a static page of 1 MB",
            paint,
            "at most 3 times",
            ratio <= 3,
        ),
        Figure(
            f"a key of the search over {devices:,} devices beside a static page of the same bytes",
            keys,
            "at most 100 ms more",
            more <= 100,
        ),
    ]


def _painted(shown: Browser, place: Path) -> float:
    shown.open(place.as_uri())
    return float(shown.driver.execute_async_script(_PAINTED))


def _typed(shown: Browser, address: str) -> list[float]:
    shown.open(address)
    return [float(time) for time in shown.driver.execute_async_script(_TYPE, KEYS)]


def _static(size: int) -> str:
    """A page of text and a field, as large as asked, that does nothing."""
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>static</title><input id="q"><p>fleet</p>'
    filler = json.dumps({"devices": "0" * max(size - len(head) - 60, 0)})
    return f'{head}<script type="application/json">{filler}</script>'
