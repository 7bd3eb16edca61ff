"""Plays the cases of a setting, and judges each: the same end, held and led on, or a failure."""

from __future__ import annotations

import gc
import os
import pickle
import select
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.support.faults import end_state, ways_out
from tests.support.faults.cases import Boundary, Case, Fault, Kind, Setting, cases
from tests.support.faults.controller import Trouble
from tests.support.faults.end_state import State
from tests.support.faults.play import MORE, MOST_ROUNDS, TRIES, Played, playing

SAME, LED, FAILED = "same", "led", "failed"
HANG_SECONDS = 900.0


class Result(msgspec.Struct, frozen=True):
    """What came of a case; `codes` held it, `detail` says what failed."""

    case: str
    outcome: str
    codes: tuple[str, ...] = ()
    detail: str = ""


class Scouted(NamedTuple):
    """The undisturbed run: its boundaries, and the state after each of its runs."""

    boundaries: list[Boundary]
    states: list[State]
    whole: list[bytes]
    """The same, in every id and time."""
    codes: list[tuple[str, ...]]
    """The holds and errors that each run of it reports."""

    @property
    def end(self) -> State:
        """Return the state at the end."""
        return self.states[-1]


class _BrokenError(Exception):
    """A case failed; its text says how."""


def scout(setting: Setting) -> Scouted:
    """Play a setting undisturbed until nothing happens any more. Raises: RuntimeError if that never comes."""
    found = Scouted([], [], [], [])
    with playing(setting) as played:
        played.app.recording = True
        for number in played.steps(0, MOST_ROUNDS):
            trouble = Trouble()
            played.run(trouble)
            found.boundaries.extend(played.app.boundaries)
            if setting.journal == "sqlite":
                for n, written in enumerate(trouble.written, start=1):
                    found.boundaries.append(Boundary(number + 1, n, Kind.COMMIT, f"commit {written}", body=False))
            found.states.append(played.state())
            found.whole.append(played.everything())
            found.codes.append(_codes(played))
            if number + 1 >= len(played.scene.steps) and end_state.at_rest(found.end):
                return found
    raise RuntimeError(f"{setting.name} does not come to rest undisturbed: {found.codes[-1]}, {found.end}")


def _codes(played: Played) -> tuple[str, ...]:
    holds = [h.reason for r in (played.report.rollouts if played.report is not None else ()) for h in r.holds]
    return tuple(dict.fromkeys([*holds, *(e.partition(":")[0] for e in played.errors)]))


def play(setting: Setting, chosen: Callable[[list[Case]], list[Case]], scouted: Scouted) -> Iterator[Result]:
    """Play the chosen cases of a setting, in forks of one undisturbed run."""
    todo = chosen(cases(setting, scouted.boundaries))
    with playing(setting) as played:
        for number in played.steps(0, len(scouted.states)):
            mine = [case for case in todo if case.boundary.run == number + 1]
            if mine:
                played.pause()
                for case in mine:
                    yield _in_a_fork(played, case, number, scouted)
                played.serve()
            if number + 1 >= max((case.boundary.run for case in todo), default=0):
                return
            played.run()
            wrong = end_state.differences(scouted.states[number], played.state())
            if wrong:
                raise RuntimeError(f"{setting.name} does not play the same way twice: {wrong[:3]}")


def _in_a_fork(played: Played, case: Case, number: int, scouted: Scouted) -> Result:
    reading, writing = os.pipe()
    gc.freeze()  # what is there stays shared with the fork
    child = os.fork()
    if child == 0:
        code = 0
        try:
            os.close(reading)
            os.setpgid(0, 0)
            gc.disable()
            folder = Path(tempfile.mkdtemp(prefix="case-", dir=played.folder))
            for file in played.folder.glob("journal.db*"):
                shutil.copy(file, folder)
            played.folder = folder
            os.write(writing, pickle.dumps(_judged(played, case, number, scouted)))
            shutil.rmtree(folder, ignore_errors=True)
        except BaseException:  # noqa: BLE001 - a fork must not go on as its parent
            traceback.print_exc()
            code = 1
        finally:
            os._exit(code)
    os.close(writing)
    try:
        return _outcome_of(child, reading, case)
    finally:
        os.close(reading)


def _outcome_of(child: int, reading: int, case: Case) -> Result:
    until, data = time.monotonic() + HANG_SECONDS, b""
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        part = os.read(reading, 65536) if ready else b""
        data += part
        if not part:
            break
    if not ready:
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if not ready:
        return Result(case.name, FAILED, detail=f"it hangs: no end in {HANG_SECONDS:.0f} s")
    if not data:
        return Result(case.name, FAILED, detail="the play of it ended with a traceback, which is above")
    found: Result = pickle.loads(data)  # noqa: S301 - from our own fork
    return found


def _judged(played: Played, case: Case, number: int, scouted: Scouted) -> Result:
    try:
        _disturbed(played, case)
        _sound(played)
        return _led_to_the_end(played, case, number, scouted)
    except _BrokenError as broken:
        return Result(case.name, FAILED, _codes(played), str(broken))


def _disturbed(played: Played, case: Case) -> None:
    trouble = Trouble(case.boundary.number, case.fault, at_commit=case.boundary.kind is Kind.COMMIT)
    if case.fault.kills:
        if not played.die(trouble):
            raise _BrokenError("the process did not come to where it was to die")
        return
    played.serve()
    played.run(trouble)
    if not played.app.hit:
        raise _BrokenError("the run did not come to the call that was to fail")


def _sound(played: Played) -> None:
    for text in played.errors:
        if "defect of otactl" in text:
            raise _BrokenError(text)


def _again(played: Played) -> None:
    played.run()
    _sound(played)


def _led_to_the_end(played: Played, case: Case, number: int, scouted: Scouted) -> Result:
    if played.everything() == scouted.whole[number]:
        return Result(case.name, SAME)
    for pause in TRIES:
        if played.state() == scouted.states[number]:
            break
        played.clock.advance(pause)
        _again(played)
    step = played.scene.steps[number] if number < len(played.scene.steps) else None
    played.clock.advance(step.pause if step is not None else played.scene.pause)
    for _ in played.steps(number + 1, len(scouted.states)):
        _again(played)
    if _comes_to(played, scouted.end, case.fault):
        return Result(case.name, SAME)
    codes = tuple(code for code in _codes(played) if code not in scouted.codes[-1])
    for code in codes:
        if ways_out.follow(code, played.scene):
            if _comes_to(played, ways_out.end_after(code, scouted.end), case.fault):
                return Result(case.name, LED, codes)
            break
    wrong = end_state.differences(scouted.end, played.state())
    raise _BrokenError(f"another end: {'; '.join(wrong)}; errors: {played.errors}")


def _comes_to(played: Played, end: State, fault: Fault) -> bool:
    for last in range(MORE + 1):
        here = played.state()
        if fault in (Fault.SHORT, Fault.STALE):
            here = end_state.without_closed(here, end)
        if here == end:
            return True
        if last < MORE:
            played.clock.advance(played.scene.pause)
            _again(played)
    return False
