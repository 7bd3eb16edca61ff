"""Finds the groups of a rollout's other waves that are to be counted."""

from __future__ import annotations

from otactl.model import Environment, PreflightRequest, Rollout


def other_groups(rollout: Rollout, request: PreflightRequest, environment: Environment, prefix: str) -> tuple[str, ...]:
    """Return the groups beside those that start next, sorted, where a limit or the request asks for their sizes."""
    if environment.guards.max_affected_percent is None and not request.count_groups:
        return ()
    starting = request.starting.keys if request.starting is not None else ()
    every = {key for wave in rollout.strategy.waves for key in rollout.targets_of(wave).keys}
    return tuple(sorted(key for key in every - set(starting) if key.startswith(prefix)))
