"""Runs a simulator for a rehearsal: in this process, on its own clock, beside other simulators.

1. moto keeps one S3, IAM and STS a process. What it holds is set aside for the rehearsal, and put back after it.
2. Time stands still until it is moved. Who waits goes to the moment waited for: no two waits add up.
3. An image stands in for the declared one: bytes of its own and of its size under its recorded digest. Devices rebuild
   fragments, not firmware, so which bytes does not matter; that the recorded digest is checked does, and that devices
   report the version of the image they took.
4. The account is the declared one: moto tells accounts by access keys, so one of the account is added.
5. The radio is the planner's: sessions last as long as `otactl airtime` says, with as many parity fragments.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from moto.iam.models import iam_backends

from otactl_simulator.aws_backed import set_aside
from otactl_simulator.clock import Clock
from otactl_simulator.iam.role_session import find_bucket, put
from otactl_simulator.server import SimulatorServer
from otactl_simulator.world import World

SETTINGS: dict[str, object] = {
    "callsPerSecond": 0,  # counted in real time, and none passes here
    "keepsToRadio": True,
    "parityRounding": "floor",
}


class Rehearsal:
    """One simulator on a clock that stands, and the hand that moves it."""

    def __init__(self, server: SimulatorServer, clock: Clock) -> None:
        self.url = server.url
        self._server = server
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = threading.local()

    @property
    def world(self) -> World:
        """Return what the simulator holds."""
        return self._server.world

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._clock.now()

    def go_to(self, moment: datetime) -> None:
        """Advance the clock to a moment; one that has passed changes nothing."""
        with self._lock:
            if moment > self._clock.now():
                self._clock.set(moment)

    def monotonic(self) -> float:
        """Return the simulated time in seconds, as `time.monotonic` gives the real one."""
        now = self._clock.now().timestamp()
        self._asked.at = now
        return now

    def sleep(self, seconds: float) -> None:
        """Wait from when this thread last asked for the time: several that wait side by side wait once (rule 2)."""
        since = getattr(self._asked, "at", self._clock.now().timestamp())
        self.go_to(datetime.fromtimestamp(since, UTC) + timedelta(seconds=seconds))

    def next_change(self) -> datetime | None:
        """Return the moment something next happens by itself; None when all wait for calls."""
        self.world.advance()
        return self.world.next_change()

    def forget_requests(self) -> int:
        """Drop the log of calls, which would grow for as long as the rehearsal lasts; how many there were."""
        number = len(self.world.requests)
        self.world.requests.clear()
        return number


@contextmanager
def rehearsal(seed: int, at: datetime) -> Iterator[Rehearsal]:
    """Yield an empty simulator whose clock stops at a moment; nothing of it is left after the block."""
    clock = Clock(freeze=True, at=at)
    with set_aside(), SimulatorServer(seed=seed, clock=clock) as server:
        server.world.apply_settings(SETTINGS)
        yield Rehearsal(server, clock)


def access_key(account: str, region: str) -> tuple[str, str]:
    """Return an access key of an account, and its secret (rule 4)."""
    partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
    backend = iam_backends[account][partition]
    name = f"rehearsal-{len(backend.users)}"
    backend.create_user(region, name)
    made = backend.create_access_key(name)
    return str(made.access_key_id), str(made.secret_access_key)


def stand_in(bucket: str, key: str, size: int, sha256: str) -> str:
    """Store an object of a size under a recorded SHA-256 that its bytes do not have (rule 3), and return theirs."""
    found = find_bucket(bucket)
    if found is None:
        raise ValueError(f"bucket {bucket} does not exist")
    pattern = bytes.fromhex(sha256)
    image = (pattern * (size // len(pattern) + 1))[:size]
    put(found, key, image)
    stored = found.keys[key]
    stored.checksum_algorithm = "SHA256"
    stored.checksum_value = base64.b64encode(bytes.fromhex(sha256)).decode()
    stored.set_metadata({"x-amz-meta-otactl": "rehearsal-stand-in"})
    return hashlib.sha256(image).hexdigest()
