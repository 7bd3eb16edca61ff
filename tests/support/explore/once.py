"""Assesses equal inputs once: an assessment is pure, so what was computed for one run holds for every other.

A share of the answers is computed again and compared, so that a hidden input is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from unittest.mock import patch

import msgspec

from otactl.model import Environment, Observation, Record, Rollout
from otactl.model.actions import Hold
from otactl.planning import assess as assessing
from otactl.planning.assess import Assessment
from otactl.planning.outlook import Outlook
from otactl.planning.sent_content import SentContents
from otactl.ports import Shape
from otactl.reconcile import observe, preview

MOST = 20_000
COMPARED = 97
"""Every so many answers one is computed again."""


class Assessments:
    """Answers of `assess` by what it was asked."""

    def __init__(self) -> None:
        self.asked = self.known = 0
        self._found: dict[bytes, Assessment] = {}
        self._digests: dict[int, tuple[Record, bytes]] = {}
        self._rollouts: dict[int, tuple[Rollout, bytes]] = {}
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode

    def __call__(
        self,
        environment: Environment,
        rollout: Rollout,
        record: Record,
        seen: Observation,
        shape: Shape | None,
        refused: tuple[Hold, ...],
        now: datetime,
        busy: Mapping[str, str] | None = None,
        sendings: SentContents | None = None,
    ) -> Assessment:
        """Return an assessment: one that is known, or a new one."""
        given = (environment, rollout, record, seen, shape, refused, now, busy, sendings)
        self.asked += 1
        others = sendings.records if sendings is not None else {}
        key = blake2b(
            b"".join(
                (
                    self._of_rollout(rollout),
                    self._of_record(record),
                    *(self._of_record(held) for _, held in sorted(others.items())),
                    self._encode((environment.journal_id, seen, refused, now, dict(busy or {}))),
                )
            ),
            digest_size=16,
        ).digest()
        found = self._found.get(key)
        if found is None:
            found = self._remember(key, assessing.assess(*given))
        elif self.asked % COMPARED == 0 and assessing.assess(*given) != found:
            raise AssertionError(f"two assessments of {rollout.name} with equal inputs differ")
        else:
            self.known += 1
        return found

    def _remember(self, key: bytes, found: Assessment) -> Assessment:
        if len(self._found) >= MOST:
            self._found.clear()
            self._digests.clear()
        self._found[key] = found
        return found

    def _of_record(self, record: Record) -> bytes:
        known = self._digests.get(id(record))
        if known is None or known[0] is not record:
            digest = blake2b(self._encode(record), digest_size=16).digest()
            known = self._digests[id(record)] = (record, digest)
        return known[1]

    def _of_rollout(self, rollout: Rollout) -> bytes:
        known = self._rollouts.get(id(rollout))
        if known is None or known[0] is not rollout:
            known = self._rollouts[id(rollout)] = (rollout, blake2b(self._encode(rollout), digest_size=16).digest())
        return known[1]


@contextmanager
def installed() -> Iterator[Assessments]:
    """Have this process assess equal inputs once, and leave the outlook out of plans: it is slow and not compared."""
    known = Assessments()
    with patch.object(observe, "assess", known), patch.object(preview, "outlook", lambda *_given: Outlook()):
        yield known
