"""A thousand devices to associate at ten calls a second: how much of the rate is used, and whether it is kept."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from bench.measure import Figure, median, run, spread
from bench.stage import stage

DEVICES, RATE, RUNS = 1000, 10, 5
OPERATION = "AssociateWirelessDeviceWithFuotaTask"


def figures(tiny: bool = False) -> list[Figure]:
    """Make five runs side by side, each on its own simulator with AWS's quota in force."""
    devices, runs = (3, 1) if tiny else (DEVICES, RUNS)
    with ThreadPoolExecutor(runs) as pool:
        found = list(pool.map(_one, [devices] * runs))
    used, throttled = [f[0] for f in found], sum(f[1] for f in found)
    share = f"{spread(used, '%', 1)} of {RATE} calls a second"
    return [
        Figure(f"{devices:,} associations under AWS's rate", share, "at least 95 %", median(used) >= 95),
        Figure("throttles the simulator answered meanwhile", str(throttled), "0", throttled == 0, timed=False),
    ]


def _one(count: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as name, stage(Path(name)) as at:
        devices = [
            {"id": f"d1a5f0c0-0000-4000-8000-{n:012x}", "devEui": f"70b3d57ed{n:07x}", "rfRegion": "EU868"}
            for n in range(count)
        ]
        at.post("fleet", {"devices": devices})
        at.environment({})
        at.rollout("many", devices=[d["id"] for d in devices])
        run(at.otactl("reconcile"), env=at.env)
        asked = at.requests()
    moments = [datetime.fromisoformat(str(r["at"])) for r in asked if r["operation"] == OPERATION]
    assert len(moments) == count, f"{len(moments)} associations"
    seconds = (moments[-1] - moments[0]).total_seconds()
    throttled = sum(r["status"] == 429 for r in asked)
    return 100.0 * (count - 1) / seconds / RATE, throttled
