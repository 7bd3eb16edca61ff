"""Reads a stack's configuration from Pulumi with all its keys, so that a misspelt one is refused."""

from __future__ import annotations

import json

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from .config_reader import SettingsError
from .settings import Settings, settings

OBJECTS = ("channels", "access", "options")


def read() -> Settings:
    """Return the settings of the current stack; SettingsError for the first that is wrong."""
    raw = {**get_config_env(), **CONFIG.get()}
    stack = pulumi.get_stack()
    given: dict[str, object] = {}
    for key, value in raw.items():
        namespace, _, name = key.partition(":")
        if namespace == "otactl":
            given[name] = _value(name, value, stack)
    found = settings(given, region=raw.get("aws:region"), stack=stack)
    # The provider refuses credentials of another account only when it is asked to.
    if _list(raw.get("aws:allowedAccountIds")) != [found.account]:
        text = f'aws:allowedAccountIds must be ["{found.account}"], so that no other account is ever touched'
        raise SettingsError(f"Pulumi.{stack}.yaml: {text}")
    return found


def _list(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _value(name: str, value: object, stack: str) -> object:
    """Pulumi hands every value over as text; what is an object or a list is JSON."""
    if name not in OBJECTS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise SettingsError(f"Pulumi.{stack}.yaml: otactl:{name} is not an object or a list") from error
