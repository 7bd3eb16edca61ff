"""Records that give notices, and rounds of delivery over a journal, for tests of what receivers get."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from otactl.journal import AnyJournal
from otactl.model import Record, RecordedHold
from otactl.model.notices import Receiver, Webhook
from otactl.ports import Commit, Stored
from otactl.reconcile.deliver import Delivery, Send
from otactl.reconcile.leased_journal import LeasedJournal
from tests.support.builders import NOW

HOME = "prod-eu"
SECRET = "OTACTL_NOTICE_SECRET"


def receiver(name: str = "ops", url: str = "http://127.0.0.1:9/") -> Receiver:
    """A webhook that wants everything."""
    return Receiver(name=name, webhook=Webhook(url=url, secret=SECRET))


class Runner:
    """One run over a journal, as far as notices go."""

    def __init__(
        self,
        journal: AnyJournal,
        receivers: Iterable[Receiver],
        send: Send,
        now: Callable[[], datetime] = lambda: NOW,
        monotonic: Callable[[], float] = time.monotonic,
        holder: str = "a/1",
    ) -> None:
        self._receivers = tuple(receivers)
        self._send, self._now, self._monotonic = send, now, monotonic
        self.leased = LeasedJournal(HOME, journal, holder, now, receivers=self._receivers)
        self.leased.check_free()
        self.leased.load()

    def happen(self, names: Iterable[str], number: int) -> None:
        """Commit one more thing that needs a person, for each rollout; its reason has the number."""
        commits = []
        for name in names:
            held = self.leased.stored.get(name, Stored(record=Record(environment=HOME, name=name), revision=0))
            hold = RecordedHold(reason=f"hold_{number}", message="why", stalled=True, since=self._now())
            record = msgspec.structs.replace(held.record, holds=(hold,), version=str(number))
            commits.append(Commit(record=record, expected_revision=held.revision))
        self.leased.commit(tuple(commits))

    def deliver(self) -> tuple[str, ...]:
        """Send what waits; gives the notes."""
        return Delivery(self.leased, HOME, self._receivers, self._send, self._now, self._monotonic).run()

    def end(self) -> None:
        """Give the lease back."""
        self.leased.release()
