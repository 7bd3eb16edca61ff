"""Simulates gates and writes the figures into docs/gates.md: `python -m tests.support.gates` (make gates)."""

from __future__ import annotations

import time

from tests.support.gates import recorded


def main() -> None:
    """Run every case and record it."""
    since = time.process_time()
    found = recorded.run()
    recorded.write(found)
    print(f"{recorded.simulated(found).splitlines()[-1]} {time.process_time() - since:.0f} s of CPU.")


if __name__ == "__main__":
    main()
