"""Renders how the workers are: text for people, JSON for machines."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from otactl.model import Value
from otactl.report.sanitize import plain, safe_json
from otactl.report.tables import table

OUTCOMES = Literal["running", "ok", "failed", "busy", "hung", "crashed", "stopped", "lost"]


class WorkerState(Value, frozen=True, kw_only=True):
    """One worker, by its own account."""

    name: Annotated[str, Meta(description="Name of the worker.", examples=["host/4711/a1b2"])]
    alive: Annotated[bool, Meta(description="Whether it gave a sign within 15 seconds.", examples=[True])]
    stopping: Annotated[bool, Meta(description="Whether it was asked to stop.", examples=[False])]
    started_at: Annotated[datetime, Meta(description="When it started.", examples=["2026-11-20T09:00:00Z"])]
    seen_at: Annotated[datetime, Meta(description="Its last sign.", examples=["2026-11-20T09:10:00Z"])]
    concurrency: Annotated[int, Meta(description="Passes that it may run at a time.", ge=1, examples=[4])]
    running: Annotated[int, Meta(description="Passes that it runs.", ge=0, examples=[1])]
    version: Annotated[str, Meta(description="Version of otactl.", examples=["1.0.0"])]
    revision: Annotated[
        str | None, Meta(description="Revision of its newest manifests; null before the first.", examples=["4f2a9c"])
    ]
    problem: Annotated[
        str | None, Meta(description="What is wrong with the newest manifests; null if nothing is.", examples=[None])
    ]


class RunState(Value, frozen=True, kw_only=True):
    """One pass of an environment."""

    id: Annotated[str, Meta(description="Id of the run, as the logs have it.", examples=["5b1f0a9c2d3e4f60"])]
    worker: Annotated[str, Meta(description="Worker that ran it.", examples=["host/4711/a1b2"])]
    revision: Annotated[str, Meta(description="Revision of the manifests.", examples=["4f2a9c"])]
    waited_seconds: Annotated[float, Meta(description="How long its job had waited.", ge=0, examples=[0.4])]
    started_at: Annotated[datetime, Meta(description="When it started.", examples=["2026-11-20T09:00:00Z"])]
    ended_at: Annotated[
        datetime | None, Meta(description="When it ended; null while it runs.", examples=["2026-11-20T09:00:03Z"])
    ]
    outcome: Annotated[
        OUTCOMES,
        Meta(
            description="What it came to: busy found the lease held, hung took too long, stopped was handed over by a"
            " worker that stopped, lost was of a worker that is gone.",
            examples=["ok"],
        ),
    ]
    message: Annotated[str | None, Meta(description="What went wrong; null if nothing did.", examples=[None])]
    passes: Annotated[int, Meta(description="Passes made.", ge=0, examples=[1])]
    calls: Annotated[int, Meta(description="Vendor calls made.", ge=0, examples=[12])]
    writes: Annotated[int, Meta(description="Vendor calls that write.", ge=0, examples=[0])]


class EnvironmentState(Value, frozen=True, kw_only=True):
    """One environment that the workers run."""

    name: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    every_seconds: Annotated[float, Meta(description="How often it runs.", ge=0, examples=[300.0])]
    waiting_since: Annotated[
        datetime | None, Meta(description="Since when a job waits; null if none does.", examples=[None])
    ]
    priority: Annotated[int | None, Meta(description="Priority of the waiting job.", examples=[None])]
    runs: Annotated[
        tuple[RunState, ...],
        Meta(description="Its newest runs, the newest first.", examples=[[]]),
    ]


class SourceState(Value, frozen=True, kw_only=True):
    """One source of manifests, as the workers share it."""

    name: Annotated[str, Meta(description="Its address.", examples=["git+https://git.example/fleet.git@main"])]
    revision: Annotated[str, Meta(description="Revision that was fetched last.", examples=["4f2a9c"])]
    good_revision: Annotated[
        str | None,
        Meta(description="Newest revision without an error; null without one.", examples=["4f2a9c"]),
    ]
    fetched_at: Annotated[datetime, Meta(description="When it was fetched.", examples=["2026-11-20T09:00:00Z"])]
    problem: Annotated[str | None, Meta(description="What is wrong with it; null if nothing is.", examples=[None])]


class WorkersStatus(Value, frozen=True, kw_only=True):
    """How the workers are."""

    at: Annotated[datetime, Meta(description="Time of the database.", examples=["2026-11-20T09:10:00Z"])]
    workers: Annotated[tuple[WorkerState, ...], Meta(description="Every worker.", examples=[[]])]
    sources: Annotated[tuple[SourceState, ...], Meta(description="Every source that is shared.", examples=[[]])]
    environments: Annotated[tuple[EnvironmentState, ...], Meta(description="Every environment.", examples=[[]])]


def as_json(status: WorkersStatus) -> str:
    """Return one line of JSON, as schemas/v1/workers.schema.json says."""
    return safe_json(json.dumps(msgspec.to_builtins(status), ensure_ascii=False))


def as_text(status: WorkersStatus) -> str:
    """Return a line a worker, a source and an environment."""
    lines = [_worker(each, status.at) for each in status.workers] or ["no worker runs; start one: otactl workers run"]
    for source in status.sources:
        lines.append(f"source {source.name}: {source.revision[:12]}, fetched {_ago(source.fetched_at, status.at)}")
        if source.problem:
            kept = f"; {source.good_revision[:12]} is kept" if source.good_revision else ""
            lines.append(f"  problem: {source.problem}{kept}")
    rows = [_environment(each, status.at) for each in status.environments]
    head = ("environment", "every", "waits", "last run", "outcome", "calls", "worker")
    lines += table(head, rows, numbers=frozenset({1, 2, 3, 5})) if rows else ["no environment is declared"]
    for each in status.environments:
        last = _last(each)
        if last is not None and last.message:
            lines.append(f"{each.name}: {last.message}")
    return "\n".join(plain(line) for line in lines)


def _worker(worker: WorkerState, now: datetime) -> str:
    state = "stopping" if worker.stopping else "alive" if worker.alive else f"gone, seen {_ago(worker.seen_at, now)}"
    revision = f", manifests {worker.revision[:12]}" if worker.revision else ", no manifests yet"
    problem = f"\n  problem: {worker.problem}" if worker.problem else ""
    return f"worker {worker.name}: {state}, {worker.running} of {worker.concurrency} passes{revision}{problem}"


def _environment(each: EnvironmentState, now: datetime) -> tuple[str, ...]:
    last = _last(each)
    waits = f"{(now - each.waiting_since).total_seconds():.0f} s" if each.waiting_since is not None else "-"
    every = f"{each.every_seconds:g} s"
    if last is None:
        return each.name, every, waits, "-", "-", "-", "-"
    return each.name, every, waits, _ago(last.started_at, now), last.outcome, str(last.calls), last.worker


def _last(each: EnvironmentState) -> RunState | None:
    return each.runs[0] if each.runs else None


def _ago(moment: datetime, now: datetime) -> str:
    return f"{max(0.0, (now - moment).total_seconds()):.0f} s ago"
