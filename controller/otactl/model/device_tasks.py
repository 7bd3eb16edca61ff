"""Defines the unfinished tasks of one device as its service lists them; read on request, never recorded."""

from __future__ import annotations

from datetime import datetime

from otactl.model.values import Value


class Home(Value, frozen=True, kw_only=False, order=True):
    """Where a device belongs: an environment, a product of the service there, and its name in that product.

    With `by_id`, `device` is the id that the service gave it, which needs no product.
    """

    environment: str
    product: str
    device: str
    by_id: bool = False


class Filters(Value, frozen=True, kw_only=False):
    """What is asked for: a module (None: all) and statuses in our words (none: all)."""

    module: str | None = None
    statuses: tuple[str, ...] = ()


class UnfinishedTask(Value, frozen=True, kw_only=True):
    """One upgrade of one device that has not ended.

    `status` is toConfirm, queued, notified, inProgress, or unknown for a status that otactl does not know. Versions are
    empty and times None where the service omits them; ids are the service's, `device_id` among them.
    """

    status: str
    module: str
    from_version: str
    to_version: str
    batch_id: str
    task_id: str
    firmware_id: str
    created_at: datetime | None
    moved_at: datetime | None
    device_id: str = ""
    product_name: str = ""
