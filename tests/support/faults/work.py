"""Plays the product share by share over a few processes, and keeps what came of each case in a file; goes on there."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.support.faults.cases import Case, Setting, cases, settings, shared
from tests.support.faults.judge import Result, Scouted, play, scout
from tests.support.sdk_models import read_once


class Job(NamedTuple):
    """One share of the cases of one setting."""

    setting: Setting
    share: int
    shares: int
    folder: Path


def jobs(folder: Path, only: list[str], most: int, shares: int) -> list[Job]:
    """List at most so many shares of each setting, in the order in which they are played: the first of every setting,
    then the second of each.
    """
    chosen = [s for s in settings() if not only or s.name.startswith(tuple(only))]
    return [Job(setting, share, shares, folder) for share in range(min(most, shares)) for setting in chosen]


def results(folder: Path) -> list[Result]:
    """Return what came of the cases that were played, each once."""
    found: dict[str, Result] = {}
    for file in sorted(folder.glob("*.results")):
        for line in file.read_bytes().splitlines():
            result = msgspec.json.decode(line, type=Result)
            found[result.case] = result
    return list(found.values())


def run(todo: list[Job], workers: int, until: float) -> Iterator[list[Result]]:
    """Play shares until a moment; yields what came of each."""
    given = [(job, until) for job in todo]
    if workers == 1:
        yield from map(_one, given)
        return
    # Fresh processes: each forks its cases, and has no thread when it does.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap_unordered(_one, given, chunksize=1)


def _one(given: tuple[Job, float]) -> list[Result]:
    job, until = given
    file = job.folder / f"{job.setting.name.replace('/', '-')}-{job.share:02}-{os.getpid()}.results"
    known = {r.case for r in results(job.folder)}
    found: list[Result] = []
    with read_once():
        scouted = scout_of(job.setting)
        mine = [c for c in shared(cases(job.setting, scouted.boundaries), job.share, job.shares) if c.name not in known]
        if not mine:
            return found
        names = {case.name for case in mine}

        def chosen(every: list[Case]) -> list[Case]:
            return [case for case in every if case.name in names]

        for result in play(job.setting, chosen, scouted):
            with file.open("ab") as kept:
                kept.write(msgspec.json.encode(result) + b"\n")
            found.append(result)
            if time.time() > until:
                break
    return found


_SCOUTED: dict[Setting, Scouted] = {}


def scout_of(setting: Setting) -> Scouted:
    """Return the undisturbed run of a setting, played once in a process."""
    if setting not in _SCOUTED:
        _SCOUTED[setting] = scout(setting)
    return _SCOUTED[setting]
