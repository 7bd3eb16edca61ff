"""What processes of the tests of passes do: functions of a module, as a process is sent them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple


class Answer(NamedTuple):
    """What a process answers."""

    number: int


def double(number: int) -> Answer:
    """Answer twice the number."""
    return Answer(2 * number)


def crash(number: int) -> Answer:
    """Die as a defect in C code does."""
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)
    return Answer(number)


def fill_memory(number: int) -> Answer:
    """Take a gigabyte."""
    return Answer(len(bytearray(1024**3)) * number)


def hang(number: int) -> Answer:
    """Never answer."""
    threading.Event().wait()
    return Answer(number)


def ignore_and_hang(number: int) -> Answer:
    """Never answer, whatever is asked."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Event().wait()
    return Answer(number)


def release_on_the_way_out(place: str) -> Answer:
    """Wait in vain; when asked to end, note in a file that what was held is released."""
    Path(place).write_text("held")
    try:
        threading.Event().wait()
    finally:
        Path(place).write_text("released")
    return Answer(0)


_WORKER = """
import time
from otactl.workers.passes import Processes
from tests.support.worker_children import tell_and_hang
if __name__ == "__main__":
    Processes((), 0).start(tell_and_hang, 0)
    time.sleep(600)
"""


def tell_and_hang(number: int) -> Answer:
    """Print the process, then never answer."""
    print(os.getpid(), flush=True)
    return hang(number)


def orphan() -> int:
    """Start a worker that starts a pass, kill the worker, and return the process of the pass."""
    worker = subprocess.Popen([sys.executable, "-c", _WORKER], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    worker.kill()
    worker.wait()
    worker.stdout.close()
    return pid
