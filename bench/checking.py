"""Measures the checks before a start: every device of a group, and every live task that another actor created."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from bench.measure import Figure, run
from bench.quiet import CHECKS
from bench.stage import ACCOUNT, BUCKET, KEY, ROLE, BenchStage, stage

DEVICES, OTHERS, PAGE = 1000, 20, 250
GROUP = "3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a0c01"


def figures(tiny: bool = False) -> list[Figure]:
    """Plan one wave of a group beside tasks of others, and count the calls."""
    devices, others = (3, 1) if tiny else (DEVICES, OTHERS)
    # Who we are, the list of tasks, the group, its devices page by page; of a task of others itself and its members.
    budget = 3 + math.ceil(devices / PAGE) + CHECKS + 3 * others
    with tempfile.TemporaryDirectory() as name, stage(Path(name)) as at:
        _prepare(at, devices, others)
        before = len(at.requests())
        run(at.otactl("plan", "--exit-code", "0"), env=at.env)
        calls = len(at.requests()) - before
    what = f"calls of a plan before a start on a group of {devices:,} devices, beside {others} tasks of others"
    return [Figure(what, str(calls), f"at most {budget}", calls <= budget, timed=False)]


def _prepare(at: BenchStage, devices: int, others: int) -> None:
    fleet = [
        {"id": f"d1a5f0c0-0000-4000-8000-{n:012x}", "devEui": f"70b3d57ed{n:07x}", "rfRegion": "EU868"}
        for n in range(devices + 1)
    ]
    group = {"name": "all", "id": GROUP, "rfRegion": "EU868", "devices": [d["devEui"] for d in fleet[:-1]]}
    at.post("fleet", {"devices": fleet, "groups": [group]})
    at.post("settings", {"callsPerSecond": 0})
    at.environment({})
    at.rollout("probe", group=GROUP)
    for n in range(others):
        made = at.wireless.create_fuota_task(
            Name=f"by-hand-{n}",
            LoRaWAN={"RfRegion": "EU868"},
            FirmwareUpdateImage=f"s3://{BUCKET}/{KEY}",
            FirmwareUpdateRole=f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        )
        at.wireless.associate_wireless_device_with_fuota_task(Id=made["Id"], WirelessDeviceId=fleet[-1]["id"])
