"""A rehearsal of three waves and a thousand fragments for 100 to 100,000 devices: linear, in bounded memory."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

from bench.measure import Cost, Figure, median, run, spread
from bench.stage import ACCOUNT, BUCKET, OTACTL, REGION, ROLE

WAVES, FRAGMENTS, SIZE = 3, 1000, 112
FLEETS = ((100, 5), (1000, 5), (10_000, 3), (100_000, 1))
"""Devices, runs."""
SMALL_FLEETS = ((3, 1), (6, 1))
MOST_MEMORY = 60.0  # KiB a device, beyond what a rehearsal takes anyway
MOST_CPU, MOST_IN_ALL = 60.0, 400.0  # seconds and MiB, of the largest fleet


def figures(tiny: bool = False) -> list[Figure]:
    """Time whole processes, CPU: what is more than a small fleet's is what the devices cost."""
    fleets, fragments = (SMALL_FLEETS, 100) if tiny else (FLEETS, FRAGMENTS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, fragments)
        _run(folder, fleets[0][0])  # compiled files are written
        costs = {devices: [_run(folder, devices) for _ in range(runs)] for devices, runs in fleets}
    cpu = {devices: median([c.cpu for c in found]) for devices, found in costs.items()}
    peak = {devices: median([c.peak for c in found]) for devices, found in costs.items()}
    name = f"CPU of a rehearsal of {WAVES} waves and {fragments:,} fragments"
    sizes = ", ".join(f"{held / 1024:.0f} MiB" for held in peak.values())
    small, *_, large = cpu
    grown = (peak[large] - peak[small]) / (large - small)
    found = [_beside(name, fewer, more, costs) for (fewer, _), (more, _) in itertools.pairwise(fleets)]
    memory = Figure(
        f"most memory held, {', '.join(f'{d:,}' for d in peak)} devices",
        f"{sizes}: {grown:.1f} KiB a device",
        f"at most {MOST_MEMORY:.0f} KiB a device",
        grown <= MOST_MEMORY,
    )
    largest = [
        Figure(
            f"CPU of a rehearsal of {large:,} devices",
            spread([c.cpu for c in costs[large]]),
            f"at most {MOST_CPU:.0f} s",
            cpu[large] <= MOST_CPU,
        ),
        Figure(
            f"most memory of a rehearsal of {large:,} devices",
            f"{peak[large] / 1024:.0f} MiB",
            f"at most {MOST_IN_ALL:.0f} MiB",
            peak[large] <= MOST_IN_ALL * 1024,
        ),
    ]
    return [*found, memory, *largest]


def _beside(name: str, fewer: int, more: int, costs: dict[int, list[Cost]]) -> Figure:
    """Linear is: ten times the devices for at most ten times the CPU."""
    few, many = ([c.cpu for c in costs[devices]] for devices in (fewer, more))
    ratio = median(many) / median(few)
    measured = f"{ratio:.2f} times: {spread(many)} against {spread(few)}"
    limit = more // fewer
    return Figure(f"{name}, {more:,} devices beside {fewer:,}", measured, f"at most {limit} times", ratio <= limit)


def _run(folder: Path, devices: int) -> Cost:
    words = [OTACTL, "rehearse", str(folder), "--seeds", "1", "--devices-per-group", str(-(-devices // WAVES))]
    cost = run([*words, "-o", "json"], expect=(0,))
    found = json.loads(cost.output)
    assert found["forecasts"][0]["devices"]["median"] == WAVES * -(-devices // WAVES), "not every wave went out"
    return cost


def _write(folder: Path, fragments: int) -> None:
    groups = [f"3f0c1d52-0d1f-4e6e-9f6a-6f3d2b1a{n:04x}" for n in range(WAVES)]
    waves = [{"name": f"w{n}", "targets": {"multicastGroups": [g]}} for n, g in enumerate(groups)]
    digest = "ab" * 32
    rollout = {
        "environment": "bench",
        "firmware": {
            "version": "1.0.0",
            "image": f"s3://{BUCKET}/probe/sha256/{digest}/probe.bin",
            "sha256": digest,
            "sizeBytes": fragments * SIZE,
        },
        "fuota": {
            "rfRegion": "EU868",
            "role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
            "dataRate": 3,
            "fragmentSizeBytes": SIZE,
            "fragmentIntervalMs": 9000,
            "redundancyPercent": 20,
            "descriptor": "AAECAw==",
        },
        "strategy": {"waves": waves, "gate": {"minSuccessPercent": 90}},
    }
    environment = {"owner": "acme", "account": ACCOUNT, "region": REGION}
    for kind, name, spec in (("Rollout", "probe", rollout), ("Environment", "bench", environment)):
        document = {"apiVersion": "otactl.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        (folder / f"{name}.json").write_text(json.dumps(document))
