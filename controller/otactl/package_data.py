"""Finds the files that ship with otactl: JSON Schemas, example manifests, what `init` copies.

A wheel holds them inside the package; a checkout holds them at its top level, where people read and edit them.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parents[1]


def schemas() -> Path:
    """Return the folder with one folder of schemas per apiVersion (`v1`)."""
    return _shipped("schemas", "schemas")


def examples() -> Path:
    """Return the folder with the example rollouts, their environment and their images."""
    return _shipped("examples", "rollouts")


def repository_files() -> Path:
    """Return the folder with the files of a repository, in which words stand for values."""
    return _PACKAGE / "repository"


def action() -> Path:
    """Return the folder with `action.yml` and the locks of what it installs."""
    return _shipped("action", ".")


def pulumi_program() -> Path:
    """Return the folder with `Pulumi.yaml` and the folder `infra`."""
    return _shipped("pulumi", ".")


def _shipped(installed: str, in_checkout: str) -> Path:
    folder = _PACKAGE / installed
    return folder if folder.is_dir() else _CHECKOUT / in_checkout
