"""Ends processes with the one that started them, however that ends: a guard reads a pipe that it alone holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# A line is a process and when it started, so that no other one with its number is killed. The pipe's end is our end.
_GUARD = """
while read -r pid start; do known="$known $pid:$start"; done
for each in $known; do
  pid=${each%%:*}
  [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -d' ' -f20)" = "${each##*:}" ] && kill -KILL "$pid"
done
"""


class Guard:
    """Watches processes; use it as a context manager, which ends the guard and leaves them alone."""

    def __init__(self) -> None:
        self._guard = subprocess.Popen(["sh", "-c", _GUARD], stdin=subprocess.PIPE, start_new_session=True)

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def watch(self, pid: int) -> None:
        """Let a process end with this one."""
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19]
        if self._guard.stdin is not None:
            os.write(self._guard.stdin.fileno(), f"{pid} {started}\n".encode())

    def close(self) -> None:
        """End the guard; what it watched goes on."""
        self._guard.kill()
        self._guard.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
