"""Runs the pass of a worker in its process: the same run as `otactl reconcile`, for one environment."""

from __future__ import annotations

import contextlib
import io
import logging
import os

import otactl.backends.aws.client
import otactl.backends.registry  # noqa: F401 - imported before the fork, so that no pass imports it
from otactl.cli.journal_option import VARIABLE, place_for
from otactl.cli.push_gateway import push  # noqa: F401 - the same
from otactl.cli.run_environments import Ran, holder, run_environments
from otactl.cli.run_metrics import GATEWAY, RunMetrics
from otactl.errors import OtactlError, StalledError, reason_of
from otactl.model import Author, Phase
from otactl.model.attempt import Stage
from otactl.reconcile.run_report import RolloutReport
from otactl.workers.logs import set_up
from otactl.workers.pace import DatabasePace
from otactl.workers.pass_request import PassAnswer, PassRequest
from otactl.workers.readings import Slice
from otactl.workers.schedule import Urgency
from otactl.workers.store import Outcome

_LIVE = (Stage.SCHEDULED, Stage.RUNNING)
_NOT_WELL = (Phase.FAILED, Phase.STALLED)
REMOTE = "s3://BUCKET/PREFIX or postgresql://HOST/DATABASE"
_LOG = logging.getLogger("otactl.workers.pass")


def run_pass(request: PassRequest) -> PassAnswer:
    """Run one pass, and return what it came to. No error leaves it that a run of `reconcile` would report."""
    part, settings = request.part, request.settings
    name = part.environment.name
    set_up(settings.log_level, worker=settings.name, run=request.run, environment=name)
    os.chdir(part.snapshot.root)
    pace = DatabasePace(settings.conninfo, part.sharers)
    said = io.StringIO()
    monitor = RunMetrics(None, os.environ.get(GATEWAY), holder(), keep=True)
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), monitor:
            ran = run_environments(
                part.reading,
                settings.paths,
                only=name,
                journal=settings.journal,
                author=Author(actor=settings.actor, commit=part.commit),
                monitor=monitor,
                shared=pace,
            )
    except OtactlError as error:
        return PassAnswer(Outcome(outcome="failed", message=f"{reason_of(error)}: {error}"), Urgency(), ())
    finally:
        pace.close()
        for line in said.getvalue().splitlines():
            _LOG.warning("%s", line)
    return PassAnswer(_outcome(ran), _urgency(part, ran, monitor), monitor.samples.get(name, ()))


def unfit(part: Slice, paths: tuple[str, ...], journal: str | None, *, fetched: bool) -> str:
    """Return why an environment cannot run where its manifests are `fetched`: its memory would go with a snapshot."""
    place = place_for(part.environment, paths, journal)
    if not fetched or not _is_in_a_file(place.url) or place.origin in ("--journal", VARIABLE):
        return ""
    text = (
        "its journal would be a file among manifests that are fetched again; set spec.journal of the environment to"
        f" {REMOTE}, or {VARIABLE} where the workers run"
    )
    error = StalledError("JournalNotShared", text)
    return f"{error.reason}: {error}"


def _is_in_a_file(url: str) -> bool:
    scheme, separator, _ = url.partition("://")
    return not separator or scheme == "sqlite"


def _outcome(ran: Ran) -> Outcome:
    report = ran.report
    found = "failed" if ran.failed else "busy" if report.lease_held_by else "ok"
    said = ran.unopened or tuple(f"{error.reason}: {error.message}" for error in report.errors)
    if not said:
        said = tuple(f"{each.name}: {each.error or each.phase}" for each in report.rollouts if _is_wrong(each))
    more = f" (and {len(said) - 1} more)" if len(said) > 1 else ""
    busy = f"the lease is held by {report.lease_held_by}" if found == "busy" else ""
    return Outcome(
        outcome=found,
        message=f"{said[0]}{more}" if said and found == "failed" else busy,
        passes=report.passes,
        calls=report.calls,
        writes=report.writes,
    )


def _is_wrong(rollout: RolloutReport) -> bool:
    return bool(rollout.error or rollout.overdue) or (rollout.phase in _NOT_WELL and not rollout.acknowledged)


def _urgency(part: Slice, ran: Ran, monitor: RunMetrics) -> Urgency:
    """Return what the environment's next job goes by."""
    records = [stored.record for stored in monitor.records(part.environment.name).values()]
    live = any(attempt.stage in _LIVE for record in records for attempt in record.attempts)
    aborted = tuple(r.name for r in ran.report.rollouts if r.name in part.aborts and r.phase == Phase.ABORTED)
    return Urgency(live=live, aborted=aborted)
