"""Decides whether the process behind a lease is dead, so that a crashed run does not block the next.

1. Dead means proved dead: the same host, the same boot and the same process namespace, and no such process there.
2. A number that was given to another process since proves it too: its start time differs.
3. Everything not proved counts as alive; the lease then ends by its expiry.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from otactl.model import Value

_PROC = Path("/proc")
_STATE, _START_TIME = 0, 19  # fields 3 and 22 of /proc/<pid>/stat, counted after the name (proc(5))


class Process(Value, frozen=True, kw_only=True):
    """One process for ever: `place` is boot and process namespace, `started` clock ticks since boot; "" if unknown."""

    host: str
    pid: int
    place: str = ""
    started: str = ""


def current() -> Process:
    """Name this process."""
    pid = os.getpid()
    stat = _stat(pid)
    return Process(host=socket.gethostname(), pid=pid, place=_place(), started=stat[_START_TIME] if stat else "")


def is_dead(process: Process, here: Process) -> bool:
    """Return whether `process` is proved dead, as seen from `here` (rules 1 to 3)."""
    if (process.host, process.place) != (here.host, here.place) or process.pid <= 0:
        return False
    if not _exists(process.pid):
        return True
    stat = _stat(process.pid)
    if not stat:
        return False
    return stat[_STATE] in ("Z", "X") or (process.started != "" and stat[_START_TIME] != process.started)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True  # another user's, or no number of this system: not proved dead
    return True


def _stat(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []  # no such file system (macOS), hidden from us, or ended just now: not proved
    fields = text.rpartition(")")[2].split()
    return fields if len(fields) > _START_TIME else []


def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""
