"""Collects the metrics of a run of `reconcile`, and writes and pushes them when it ends, however it ends.

1. A run that fails leaves its metrics too: what it does not know keeps its last value, in the file and at the gateway.
2. A file that cannot be written is an error of the run (exit code 1), as every output is; what was sent stays sent.
3. A gateway that fails, or does not answer in `PUSH_SECONDS`, changes no exit code; stderr has it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import click
import msgspec

from otactl.backends.transport.machine_clock import utc_now
from otactl.backends.transport.usage import Stats
from otactl.cli.push_gateway import push
from otactl.cli.replaced_files import must_be_replaceable
from otactl.errors import OtactlError, reason_of
from otactl.journal import AnyJournal
from otactl.model import Environment
from otactl.planning.environment import NAME
from otactl.ports import Stored
from otactl.report.metric_samples import (
    JournalFigures,
    RunFigures,
    Sample,
    build_samples,
    journal_samples,
    run_samples,
)
from otactl.report.reconcile import ReconcileReport
from otactl.report.sanitize import plain

GATEWAY = "OTACTL_PUSHGATEWAY"
_GOOD = "otactl_run_last_success_timestamp_seconds"
F = TypeVar("F", bound=Callable[..., object])


def metrics_options(command: F) -> F:
    """Add the options that say where the metrics of a run go."""
    file = click.option(
        "--metrics",
        "metrics",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        callback=must_be_replaceable,
        help="Write metrics for Prometheus to FILE (of the textfile collector: a name that ends in .prom).",
    )
    gateway = click.option(
        "--push-gateway",
        "gateway",
        envvar=GATEWAY,
        metavar="URL",
        help=f"Push metrics to a Pushgateway; if it fails, the run goes on.  [default: {GATEWAY}]",
    )
    return file(gateway(command))


class RunMetrics:
    """Collects the figures of each environment of a run, and writes them when the run leaves its `with` block."""

    def __init__(self, file: str | None, gateway: str | None, holder: str, *, keep: bool = False) -> None:
        """Take as `holder` the name under which this run holds leases; `keep` leaves the metrics in `samples`."""
        self._file, self._gateway, self._holder, self._keep = file, gateway, holder, keep
        self.samples: dict[str, tuple[Sample, ...]] = {}
        """The metrics of each environment, once the run has left the block."""
        self._started = time.monotonic()
        self._figures: dict[str, tuple[RunFigures, JournalFigures | None]] = {}

    def __enter__(self) -> Self:
        return self

    def add(
        self,
        declared: Environment,
        ran: ReconcileReport,
        started: float,
        stats: Stats | None,
        journal: AnyJournal | None,
    ) -> None:
        """Add what the run over an environment came to; `started` is by the monotonic clock.

        `stats` and `journal` are None where the journal could not be opened.
        """
        if not self._wanted:
            return
        kept = self._journal(declared.name, journal) if journal is not None else None
        failed = bool(ran.errors) or any(r.error for r in ran.rollouts)
        reasons = {error.reason for error in ran.errors}
        if failed and not reasons:
            own = kept.records.get(NAME) if kept is not None else None
            last = own.record.last_run if own is not None else None
            reasons = {last.reason if last is not None and last.reason else "RolloutsFailed"}
        run = RunFigures(
            environment=declared.name,
            ended_at=utc_now(),
            seconds=time.monotonic() - started,
            exit_code=0,
            succeeded=None if ran.lease_held_by and not failed else not failed,
            reasons=tuple(sorted(reasons)),
            passes=ran.passes,
            calls=dict(stats.by_operation) if stats is not None else {},
            throttled=dict(stats.throttled_by_operation) if stats is not None else {},
            writes=ran.writes,
            budget=declared.call_budget,
        )
        self._figures[declared.name] = (run, kept)

    def add_errors(self, total: ReconcileReport) -> None:
        """Add the errors of environments that could not be read; "" stands for those that are not known."""
        for name in dict.fromkeys(error.environment or "" for error in total.errors):
            if name not in self._figures:
                reasons = {error.reason for error in total.errors if (error.environment or "") == name}
                self._figures[name] = (self._failed(name, *sorted(reasons)), None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._wanted:
            return
        code = _exit_code(error)
        if error is not None and not isinstance(error, SystemExit) and "" not in self._figures:
            self._figures[""] = (self._failed("", _reason(error)), None)
        groups = {name: self._samples(run, kept, code) for name, (run, kept) in self._figures.items()}
        self.samples = groups
        for name, samples in groups.items() if self._gateway is not None else ():
            complete = self._figures[name][1] is not None
            problem = push(self._gateway or "", name, (*build_samples(), *samples), complete=complete)
            if problem:
                click.echo(plain(f"otactl: {problem}"), err=True)
        if self._file is not None and not self._write(self._file, groups) and not code:
            sys.exit(1)

    @property
    def _wanted(self) -> bool:
        return self._file is not None or self._gateway is not None or self._keep

    def records(self, environment: str) -> Mapping[str, Stored]:
        """Return the records that the journal held of an environment after its run; none where they are not known."""
        kept = self._figures[environment][1] if environment in self._figures else None
        return kept.records if kept is not None else {}

    def _failed(self, name: str, *reasons: str) -> RunFigures:
        return RunFigures(
            environment=name,
            ended_at=utc_now(),
            seconds=time.monotonic() - self._started,
            exit_code=1,
            succeeded=False,
            reasons=reasons,
        )

    def _journal(self, name: str, journal: AnyJournal) -> JournalFigures | None:
        try:
            records, lease = journal.load_all(name), journal.lease(name)
        except OtactlError as error:
            click.echo(
                plain(f"otactl: the metrics of environment {name} lack what its journal holds: {error}"), err=True
            )
            return None
        try:
            size: int | None = journal.size_bytes()
        except (OtactlError, OSError):  # the right to list is not needed for a run
            size = None
        return JournalFigures(records=records, lease=lease, size_bytes=size)

    def _samples(self, run: RunFigures, kept: JournalFigures | None, code: int) -> tuple[Sample, ...]:
        run = msgspec.structs.replace(run, exit_code=code)
        own = kept.records.get(NAME) if kept is not None else None
        last = own.record.last_run if own is not None else None
        good = last.last_good if last is not None else None
        found = run_samples(run, good)
        if kept is None:
            return found
        return (*found, *journal_samples(run.environment, kept, run.ended_at, self._holder))

    def _write(self, file: str, groups: dict[str, tuple[Sample, ...]]) -> bool:
        """Write the file with what an earlier one knows of the last success (rule 1); report whether that worked."""
        from otactl.report.metrics_text import kept_values, write

        samples = [*build_samples(), *(sample for each in groups.values() for sample in each)]
        known = {sample.labels[0] for sample in samples if sample.name == _GOOD}
        try:
            before = kept_values(Path(file).read_text("utf-8"), _GOOD)
        except (OSError, ValueError):  # the first one, or another file: nothing is known of earlier runs
            before = {}
        samples += [Sample(name=_GOOD, labels=(n,), value=v) for n, v in before.items() if n not in known]
        try:
            write(file, samples)
        except OSError as error:
            text = (
                f"otactl: cannot write the metrics to {file}: {error.strerror}; correct --metrics, or create its folder"
            )
            click.echo(plain(text), err=True)
            return False
        return True


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 1


def _reason(error: BaseException) -> str:
    return reason_of(error) if isinstance(error, OtactlError) else "Defect"
