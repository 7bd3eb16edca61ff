"""Measures evidence: its size and its CPU for a fleet, and how many tamperings of a chain of events are found."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

import msgspec

from bench.measure import Figure, spread
from otactl.model import Attempt, DeviceResult, Outcome, Record, Stage, WaveRecord
from otactl.report.evidence import collect, statement
from otactl.report.evidence_values import PAYLOAD_TYPE, ChainLine, Producer
from otactl.signatures.dsse import parsed, signed, verifying
from otactl.signatures.keys import private_key, public_key
from tests.support.chained_events import broken, chain, tampered
from tests.support.signing import pair

DEVICES, TAMPERINGS, LENGTH, RUNS = 10_000, 10_000, 20, 5
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
MEBIBYTE = 1024**2


def figures(tiny: bool = False) -> list[Figure]:
    """Write and verify evidence of a fleet; tamper with a chain."""
    devices, tamperings, runs = (50, 100, 1) if tiny else (DEVICES, TAMPERINGS, RUNS)
    (private, public), record = pair("ed25519"), _record(devices)
    signer, key = private_key(private, None, "key"), public_key(public, "key")
    producer, head = (
        Producer(name="otactl", version="0", journal="0" * 16),
        ChainLine(number=1, sha256="0" * 64, unchained=0),
    )
    seconds: list[float] = []
    envelope = b""
    for _ in range(runs):
        before = time.process_time()
        envelope = signed(PAYLOAD_TYPE, statement(collect(record, (), None, head, producer, NOW)), [signer])
        assert verifying(parsed(envelope, "evidence"), [key]) == (key,)
        seconds.append(time.process_time() - before)
    size, found = len(envelope), _found(tamperings)
    return [
        Figure(
            f"evidence of {devices:,} devices, signed",
            f"{size:,} bytes",
            f"at most {MEBIBYTE:,} bytes",
            size <= MEBIBYTE,
            timed=False,
        ),
        Figure(
            f"CPU to write and verify evidence of {devices:,} devices",
            spread(seconds),
            "at most 1 s",
            max(seconds) <= 1,
        ),
        Figure(
            f"single tamperings of a chain of {LENGTH} events that are found (edit, removal, swap, insertion)",
            f"{found:,} of {tamperings:,}",
            "all",
            found == tamperings,
            timed=False,
        ),
    ]


def _record(devices: int) -> Record:
    results = tuple(
        DeviceResult(
            device=f"d1a5f0c0-0000-4000-8000-{n:012x}",
            outcome=Outcome.SUCCEEDED if n % 50 else Outcome.FAILED,
            name=f"70b3d57ed{n:07x}",
        )
        for n in range(devices)
    )
    attempt = Attempt(
        number=1,
        generation="a" * 64,
        unit_id="probe-fleet-1-0a1b2c3d",
        stage=Stage.DELETED,
        ended_at=NOW,
        image_sha256="f" * 64,
        results=results,
    )
    wave = WaveRecord(name="fleet", attempts=(attempt,))
    record = Record(environment="prod-eu", name="probe", generation="a" * 64, version="2.4.1")
    return msgspec.structs.replace(record, waves=(wave,))


def _found(tamperings: int) -> int:
    draw, whole = random.Random(20261130), chain(LENGTH)  # noqa: S311 - seeded
    done = found = 0
    while done < tamperings:
        _, _, left = tampered(whole, draw)
        if left == whole:  # an event that was put in the place of its equal
            continue
        done += 1
        found += broken(left) is not None
    return found
