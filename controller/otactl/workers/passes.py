"""Runs each pass in a process of its own, forked from one that has everything imported.

1. A pass that hangs is ended at its time limit, one that takes too much memory by its own limit; a pass that crashes is
   an outcome. No other pass notices.
2. A process is asked to end first, so that it releases its lease, and killed when it does not.
3. It ends itself at once when its worker is gone: a killed worker leaves no pass behind.
4. The fork costs a few milliseconds; a new interpreter would import for half a second of CPU.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from types import FrameType
from typing import Generic, NamedTuple, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
ASKED_SECONDS = 5.0
"""How long a process that is asked to end may take for it."""
_MIB = 1024 * 1024
_LOG = logging.getLogger("otactl.workers")


class Ended(NamedTuple, Generic[A]):
    """How a process ended: with an answer, or with a problem: `hung`, `stopped` or `crashed`, and what that was."""

    answer: A | None
    problem: str = ""
    text: str = ""


class StoppedError(BaseException):
    """Raised in a process that is asked to end: whatever it holds is released on the way out."""


class Child(Generic[A]):
    """One process."""

    def __init__(self, process: ForkServerProcess, answers: Connection) -> None:
        self._process, self._answers = process, answers
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Ask it to end; may be called from another thread."""
        self._stopped.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._stopped.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        pid = self._process.pid
        if pid is not None and self._process.is_alive():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return

    def ended(self, seconds: float) -> Ended[A]:
        """Wait for its end, up to so many seconds; then end it."""
        answer: A | None = None
        hung = False
        try:
            if not wait([self._answers, self._process.sentinel], seconds):
                hung = True
                _LOG.warning("a pass takes longer than %g s; it is ended", seconds)
                self._signal(signal.SIGTERM)
            if wait([self._answers], ASKED_SECONDS if hung or self._stopped.is_set() else 0):
                answer = self._answers.recv()
        except (EOFError, OSError):  # it ended without an answer
            answer = None
        finally:
            self._answers.close()
        self._process.join(ASKED_SECONDS)
        self.kill()
        self._process.join()
        code = self._process.exitcode
        self._process.close()
        if hung:
            return Ended(None, "hung", f"it took longer than {seconds:g} s and was ended")
        if answer is not None:
            return Ended(answer)
        if self._stopped.is_set() and code in (0, -signal.SIGTERM, -signal.SIGKILL, _STOPPED):
            return Ended(None, "stopped", "its worker stopped")
        return Ended(None, "crashed", _how(code))


_STOPPED, _NO_MEMORY = 75, 76


class Processes:
    """Starts processes; one server of forks, which is started with the first."""

    def __init__(self, preload: tuple[str, ...], memory_mib: int) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(preload))
        self._memory_mib = memory_mib
        self.threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix="otactl-pass")

    def start(self, run: Callable[[Q], A], question: Q) -> Child[A]:
        """Start a process that answers a question. `run` is a function of a module; both are sent to it."""
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_child, args=(run, question, there, self._memory_mib), daemon=True)
        process.start()
        there.close()
        return Child(process, here)

    def close(self) -> None:
        """Wait for the threads that wait for processes."""
        self.threads.shutdown()


def _child(run: Callable[[Q], A], question: Q, answers: Connection, memory_mib: int) -> None:
    """Run in the new process: answer the question, or end with a code that says why there is no answer."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal reaches the worker, which asks passes to end
    threading.Thread(target=_end_with_the_worker, daemon=True, name="otactl-parent").start()
    if memory_mib:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mib * _MIB, memory_mib * _MIB))
    try:
        answer = run(question)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        answers.send(answer)
    except StoppedError:
        os._exit(_STOPPED)
    except MemoryError:
        os._exit(_NO_MEMORY)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise StoppedError


def _end_with_the_worker() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGKILL)


def _how(code: int | None) -> str:
    if code == _NO_MEMORY:
        return "it needed more memory than --pass-memory allows"
    if code is not None and code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    return f"its process ended with code {code}"
