"""Finds other work at a product whose devices the service selects itself.

1. A batch of any package of the product may hold devices of ours; the gateway does not show which before. So every
   batch that has not ended, and is none of this rollout's, is other work; whichever way its devices were selected.
2. A batch that says it runs though each of its tasks has ended is none; one that does not show its tasks is.
3. The rollout's own package comes first, and only as many batches are read as are reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from otactl.backends.errors import NotFoundError
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.reads import BatchReader, product_key
from otactl.backends.tuya.schemas import JobRow
from otactl.backends.tuya.statuses import COUNTS, UNFINISHED, job_phase
from otactl.model import TargetFacts, UnitPhase

MOST_LISTED = 2
_NEXT = "it is waited for until it has ended; cancel it in Tuya's console to wait no longer"


def product_facts(reader: BatchReader, spec: TuyaConfig, firmware_id: str, ours: Collection[str]) -> TargetFacts:
    """Return the product as a target.

    `busy` names batches of others, or of a rollout that is not remembered any more.
    """
    busy: list[str] = []
    for row in _rows(reader, spec.product, firmware_id):
        if len(busy) < MOST_LISTED and row.job_id not in ours and (work := _works(reader, row)):
            busy.append(f"batch {row.job_id} of package {row.firmware_id} {work}")
    text = f"{', '.join(busy)}; {_NEXT}" if busy else ""
    return TargetFacts(key=product_key(spec), exists=True, busy_with=text)


def _rows(reader: BatchReader, product: str, firmware_id: str) -> Iterator[JobRow]:
    ids = {p.firmware_id for p in reader.packages_of(product)}
    for identifier in sorted(ids, key=lambda i: (i != firmware_id, i)):
        try:
            yield from reader.batches_of(identifier)
        except NotFoundError:  # deleted since it was listed
            continue


def _works(reader: BatchReader, row: JobRow) -> str:
    """Return what a batch still does (rule 2); empty when it has ended."""
    if job_phase(row.job_status) is UnitPhase.ENDED:
        return ""
    listed = reader.tasks(row.job_id)
    waits = [COUNTS[t.task_status.upper()] for t in listed.tasks if t.task_status.upper() in UNFINISHED]
    if not waits:
        return "" if listed.tasks and not listed.lacks else "runs and does not show all its tasks"
    return "has " + ", ".join(f"{waits.count(kind)} {kind}" for kind in sorted(set(waits)))
