"""Runs one `reconcile` as a fresh process would: its clients, its journal; dies or loses patience where it should.

1. A call is counted here as the server counts it: one at a time, each attempt of it.
2. A process that dies is killed with SIGKILL by itself, before a call or after its answer, around a commit; between
   request and answer it is killed by the server.
3. A call whose answer never comes is sent by a client that waits `HASTE` seconds; every other waits as in production.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import boto3
from botocore.config import Config

from otactl.backends.aws.client import Answer, AwsClient
from otactl.backends.aws.responses import watch
from otactl.backends.registry import backends_for
from otactl.backends.tuya import connection, http
from otactl.backends.tuya.client import TuyaClient
from otactl.journal import S3Journal, SqlJournal, s3_store
from otactl.model import Environment, Rollout
from otactl.ports import Commit, Journal
from otactl.reconcile.reconciler import Reconciler
from otactl.reconcile.run_report import RunReport
from otactl_simulator.clock import Clock
from tests.support.clients import KeptClients
from tests.support.faults.cases import Fault
from tests.support.faults.wire import JOURNAL_BUCKET
from tests.support.fuota_stage import REGION

HASTE = 0.08
JOURNAL_URL = f"s3://{JOURNAL_BUCKET}/fleet"


class Trouble:
    """What goes wrong on the controller's side; counts calls and commits of one run, from 1."""

    def __init__(self, at: int = 0, fault: Fault | None = None, *, at_commit: bool = False) -> None:
        self.at, self.fault, self.at_commit = at, fault, at_commit
        self.calls = self.commits = 0
        self.written: list[str] = []
        """What was committed at each commit, by the names of the records."""
        self._dies_next_commit = False

    @property
    def hasty(self) -> bool:
        """Return whether the call that is being sent is to be given up soon."""
        return self.fault is Fault.TIMEOUT and self.calls == self.at

    def around(self, _service: str, _operation: str, send: Callable[[], Answer]) -> Answer:
        """Send a call, or die at it."""
        self.calls += 1
        here = self.calls == self.at and not self.at_commit
        if here and self.fault is Fault.DIES_BEFORE_SEND:
            _die()
        answer = send()
        if here and self.fault is Fault.DIES_BEFORE_JOURNAL:
            _die()
        self._dies_next_commit |= here and self.fault is Fault.DIES_AFTER_JOURNAL
        return answer

    def commit(self, commits: tuple[Commit, ...], write: Callable[[], dict[str, int]]) -> dict[str, int]:
        """Write a commit, or die at it."""
        self.commits += 1
        self.written.append("+".join(sorted(c.record.name for c in commits)))
        here = self.at_commit and self.commits == self.at
        if here and self.fault is Fault.DIES_BEFORE_JOURNAL:
            _die()
        revisions = write()
        if here or self._dies_next_commit:
            _die()
        return revisions


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Patience:
    """A client of boto3 that is hasty when it should be."""

    def __init__(self, patient: Any, hasty: Any, trouble: Trouble) -> None:
        self._patient, self._hasty, self._trouble = patient, hasty, trouble
        self.meta = patient.meta

    def __getattr__(self, name: str) -> Any:
        def call(**given: object) -> Any:
            # Chosen when the call is sent: who sends it takes the method before it is counted.
            return getattr(self._hasty if self._trouble.hasty else self._patient, name)(**given)

        return call


class _Session:
    """A session of boto3 whose clients are kept, and hasty when they should be."""

    def __init__(self, trouble: Trouble) -> None:
        self._kept, self._trouble = KeptClients(REGION), trouble

    def client(self, service: str, config: Config, **given: Any) -> Any:
        """As boto3.Session.client."""
        patient = self._kept.client(service, config=config, **given)
        hasty = self._kept.client(service, config=config.merge(Config(read_timeout=HASTE)), **given)
        watch(hasty)
        return _Patience(patient, hasty, self._trouble)


class _Bucket:
    """What a journal uses of boto3's S3 client, counted."""

    def __init__(self, trouble: Trouble) -> None:
        config = Config(retries={"total_max_attempts": 1})
        self._client, self._trouble = _Session(trouble).client("s3", config), trouble

    def _call(self, name: str, given: dict[str, object]) -> dict[str, Any]:
        # The client is chosen when the call is counted, so that only the call in question is hasty.
        return self._trouble.around("s3", name, lambda: getattr(self._client, name)(**given))

    def get_object(self, **given: object) -> dict[str, Any]:
        return self._call("get_object", given)

    def put_object(self, **given: object) -> dict[str, Any]:
        return self._call("put_object", given)

    def list_objects_v2(self, **given: object) -> dict[str, Any]:
        return self._call("list_objects_v2", given)


class _WatchedFile(SqlJournal):
    trouble: Trouble

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        return self.trouble.commit(commits, lambda: super(_WatchedFile, self).commit(commits, fencing))


class _WatchedBucket(S3Journal):
    trouble: Trouble

    def commit(self, commits: tuple[Commit, ...], fencing: int) -> dict[str, int]:
        return self.trouble.commit(commits, lambda: super(_WatchedBucket, self).commit(commits, fencing))


def _journal(kind: str, folder: Path, trouble: Trouble) -> _WatchedFile | _WatchedBucket:
    if kind == "sqlite":
        file = _WatchedFile(folder / "journal.db")
        file.trouble = trouble
        return file
    bucket = _WatchedBucket(JOURNAL_URL, client=_Bucket(trouble), sleep=lambda _s: None)
    bucket.trouble = trouble
    return bucket


def reconcile(
    environment: Environment, rollout: Rollout, journal: str, folder: Path, clock: Clock, trouble: Trouble, holder: str
) -> RunReport:
    """Run once. Raises: OtactlError where the command would print it and end."""
    session = cast("boto3.Session", _Session(trouble))

    def around(service: str, operation: str, send: Callable[[], Answer]) -> Answer:
        if service != "tuya":
            return trouble.around(service, operation, send)
        hasty = trouble.fault is Fault.TIMEOUT and trouble.calls + 1 == trouble.at
        if not hasty:
            return trouble.around(service, operation, send)
        # A connection that is kept has the patience it was opened with.
        with patch.object(http, "READ_SECONDS", HASTE), patch.object(http, "IDLE_SECONDS", -1.0):
            return trouble.around(service, operation, send)

    def gateway(here: Environment, **given: Any) -> TuyaClient:
        return TuyaClient(here, now=clock.now, **given)

    client = AwsClient(environment, sleep=lambda _s: None, now=clock.now, seed=1, around=around, session=session)
    with (
        patch.object(s3_store, "_WORKERS", 1),
        patch.object(connection, "TuyaClient", gateway),
        _journal(journal, folder, trouble) as opened,
    ):
        kept: Journal = opened
        return Reconciler(
            environment=environment,
            rollouts=(rollout,),
            backends=backends_for(environment, client),
            journal=kept,
            now=client.now,
            holder=holder,
            refused=lambda _r: (),
            covers=lambda _s: False,
            wall=clock.now,
            abreast=1,
        ).run()
