"""Strategies over the multicast groups of a FUOTA stage."""

from __future__ import annotations

from otactl.model import Gate, Strategy, Targets, Wave
from tests.support.fuota_stage import GROUPS

SESSION = 2200  # seconds after which a session started at once is on air


def waves(*pairs: tuple[str, tuple[str, ...]], gate: float = 90) -> Strategy:
    """Strategy with a wave for each pair of name and groups."""
    listed = tuple(Wave(name=n, targets=Targets(multicast_groups=groups)) for n, groups in pairs)
    return Strategy(waves=listed, gate=Gate(min_success_percent=gate))


ONE = waves(("canary", GROUPS[:1]))
