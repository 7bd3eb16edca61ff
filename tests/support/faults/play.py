"""Plays a setting undisturbed, and each of its cases from the run that it disturbs: in a fork, to the end.

1. Between two runs nothing is open, so a case starts as a copy of this process: the simulator as it is then, the
   journal's file copied. The run that is disturbed, and all after it, are played for real.
2. A run that is to die is a process of its own; it is killed with SIGKILL while the simulator goes on.
3. A disturbed run that leaves the very state of the undisturbed one, in every id and time, is not played on: the same
   follows from it. After any other cron comes again, soon and later, until the state is that of the undisturbed run at
   the same step, or for `TRIES` times; then the steps go on. At the end cron comes `MORE` times at most.
4. A case that is held then follows the way out that its code names, and has to come to the same end.
"""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec
from botocore.config import Config
from moto.moto_api._internal import mock_random

from otactl.errors import OtactlError, reason_of
from otactl.journal import s3_store, sqlite_file
from otactl.ports import Identity
from otactl.reconcile.run_report import RunReport
from otactl.rehearsal.loopback import kept_environment, only_loopback
from otactl_simulator.clock import Clock
from otactl_simulator.server import SimulatorServer, application, listen
from otactl_simulator.world import World
from tests.support.clients import KeptClients
from tests.support.faults import end_state
from tests.support.faults.cases import Setting
from tests.support.faults.controller import Trouble, reconcile
from tests.support.faults.end_state import State
from tests.support.faults.scenes import SCENES, Scene
from tests.support.faults.wire import JOURNAL_BUCKET, Disturbed
from tests.support.fuota_stage import REGION

NOON = datetime(2025, 3, 3, 12, 0, 20, tzinfo=UTC)
TRIES = (60.0, 150.0, 900.0, 300.0)
"""Seconds; the last two are for a create that may arrive late, which is looked for twice before it is sent again."""
MORE, MOST_ROUNDS = 6, 12


@functools.cache
def _listening() -> socket.socket:
    """Return the socket of this process: clients are kept for an address, and they are dear to create."""
    return listen(0)


class Played:
    """A setting while it is played; a fork has one of its own."""

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting, self.folder = setting, folder
        self.number = 0
        self.clock = Clock(freeze=True, at=NOON)
        mock_random.seed(3)  # moto draws the versions of objects, which are in records
        first = application(3, self.clock)
        self.app = Disturbed(first.world, lambda _world: None)
        self._socket = _listening()
        self._server: SimulatorServer | None = None
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.serve()
        only_loopback(self.url)
        assert self._server is not None
        self.scene: Scene = SCENES[setting.backend](setting, self._server, folder)
        client = KeptClients(REGION).client("s3", config=Config(retries={"total_max_attempts": 1}))
        client.create_bucket(Bucket=JOURNAL_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.report: RunReport | None = None
        self.errors: list[str] = []

    @property
    def world(self) -> World:
        """Return the simulator's world."""
        return self.app.world

    def serve(self) -> None:
        """Serve from a thread of this process, on the socket that is kept."""
        self._server = SimulatorServer(app=self.app, listening=self._socket.dup())
        self._server.__enter__()
        if hasattr(self, "scene"):
            self.scene.stage.server = self._server

    def pause(self) -> None:
        """Stop serving: no thread is left."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def run(self, trouble: Trouble | None = None) -> None:
        """Run the controller once in this process; keeps what it reports."""
        given = trouble or Trouble()
        self.number += 1
        fault = None if given.at_commit or given.fault is None or given.fault.kills else given.fault
        self.app.start(self.number, given.at if fault else 0, fault, given.at)
        self.report = None
        try:
            self.report = self._reconcile(given)
        except OtactlError as error:
            self.errors = [f"{reason_of(error)}: {error}"]
        else:
            self.errors = [f"{e.reason}: {e.message}" for e in self.report.errors]
            self.errors += [r.error for r in self.report.rollouts if r.error]
        finally:
            self.app.counting = False

    def die(self, trouble: Trouble) -> bool:
        """Run the controller in a process that dies; gives whether it did."""
        self.pause()
        self.number += 1
        child = os.fork()
        if child == 0:
            try:
                self._reconcile(trouble)
            finally:
                os._exit(3)
        self.app.start(self.number, 0 if trouble.at_commit else trouble.at, trouble.fault)
        self.app.victim = child
        self.serve()
        _, status = os.waitpid(child, 0)
        self.app.counting = False
        self.report, self.errors = None, []
        return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL

    def _reconcile(self, trouble: Trouble) -> RunReport:
        stage = self.scene.stage
        holder = f"host/{self.number}"
        return reconcile(
            stage.environment(), self.scene.rollout, self.setting.journal, self.folder, self.clock, trouble, holder
        )

    def state(self) -> State:
        """Return what there is now."""
        found = end_state.records(self.setting.journal, self.folder)
        return end_state.state(self.world, self.app.created, found)

    def everything(self) -> bytes:
        """Return the whole state, times and ids included: from equal ones the same follows."""
        found = end_state.records(self.setting.journal, self.folder)
        return msgspec.json.encode((self.world.snapshot(), found), enc_hook=str)

    def steps(self, first: int, rounds: int) -> Iterator[int]:
        """Do what happens before each step from `first` on, and let time pass after it; `rounds` in all."""
        for number in range(first, rounds):
            step = self.scene.steps[number] if number < len(self.scene.steps) else None
            if step is not None and step.before is not None:
                step.before(self.scene)
            yield number
            self.clock.advance(step.pause if step is not None else self.scene.pause)


@contextmanager
def playing(setting: Setting) -> Iterator[Played]:
    """Set a setting up; leave no thread, file or variable behind."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own below it; a journal's file is synced at each commit
    folder = Path(tempfile.mkdtemp(prefix="otactl-faults-", dir=memory if memory.is_dir() else None))
    try:
        # The id of a journal is drawn, and is in the tags of each unit: with one id all plays are alike.
        drawn = partial(Identity, id="feedfacecafe0001")
        with kept_environment(), patch.object(sqlite_file, "drawn", drawn), patch.object(s3_store, "drawn", drawn):
            played = Played(setting, folder)
            try:
                yield played
            finally:
                played.pause()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
