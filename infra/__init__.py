"""Defines the Pulumi program: image buckets, the roles of services and of otactl, the journal's bucket.

It is a program to run, and `FirmwareRollouts` for a program of your own. Imports nothing of the controller; what the
two share are names written in docs/infra.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .component import FirmwareRollouts as FirmwareRollouts
    from .component import FirmwareRolloutsArgs as FirmwareRolloutsArgs

__all__ = ["FirmwareRollouts", "FirmwareRolloutsArgs"]


def __getattr__(name: str) -> Any:
    """Import the component when it is asked for: settings and permissions are read without Pulumi."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import component

    return getattr(component, name)
