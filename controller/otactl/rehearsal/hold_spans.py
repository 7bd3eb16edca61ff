"""Joins the holds of successive passes into spans with a duration."""

from __future__ import annotations

from datetime import datetime

from otactl.model.actions import Hold
from otactl.reconcile.run_report import RolloutReport
from otactl.rehearsal.results import Wait

# An observation that comes too early for a lagging read is no wait that a plan declares.
PASSING = ("checks_are_incomplete", "change_not_visible_yet")


class Waits:
    """The holds of one rollout as they come and go."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], tuple[Hold, datetime]] = {}
        self._done: list[Wait] = []

    def see(self, report: RolloutReport, now: datetime) -> None:
        """Add one report: what is not reported any more is over."""
        current = {(report.wave, h.reason): h for h in report.holds if h.reason not in PASSING}
        for key in [k for k in self._open if k not in current]:
            self._close(key, now)
        for key, hold in current.items():
            self._open[key] = (hold, self._open[key][1] if key in self._open else now)

    def ended(self, now: datetime) -> tuple[Wait, ...]:
        """Return all of them, oldest first; what still holds ends now."""
        for key in list(self._open):
            self._close(key, now)
        return tuple(sorted(self._done, key=lambda w: (w.since, w.wave, w.reason)))

    def _close(self, key: tuple[str, str], now: datetime) -> None:
        hold, since = self._open.pop(key)
        wave, reason = key
        self._done.append(Wait(wave=wave, reason=reason, message=hold.message, since=since, until=max(now, since)))
