"""Finds which files a pull request touches, by Git: what `plan --changed-since` puts first."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from otactl.errors import UsageError
from otactl.manifest import Reading
from otactl.manifest.repository import real, root_of
from otactl.model import Rollout

_PATIENCE_SECONDS = 60


def changed_since(revision: str, names: Iterable[str]) -> frozenset[Path]:
    """Return the files that differ from where this branch left `revision`, new ones too, as real paths.

    `names` are files of the repositories to ask. Raises: UsageError where Git cannot tell.
    """
    if revision.startswith("-"):
        raise UsageError(f"--changed-since {revision} names no revision; name a branch, a tag or a commit")
    roots = {root_of(Path(name).absolute().parent) for name in names}
    if not roots or None in roots:
        raise UsageError("--changed-since needs manifests in a Git repository; omit it, or plan a working tree")
    found: set[Path] = set()
    for root in roots:
        if root is not None:
            differ = _git(root, "diff", "--name-only", "-z", "--merge-base", revision, "--")
            new = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
            found |= {real(root / name) for name in (*differ, *new)}
    return frozenset(found)


def _git(root: Path, *words: str) -> list[str]:
    command = ["git", "-C", str(root), *words]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)  # noqa: S603 - no shell, and the revision is no option
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git cannot be run: {error}; install it, or omit --changed-since") from error
    if ran.returncode != 0:
        why = ran.stderr.strip().splitlines()[-1:] or ["no reason given"]
        text = f"git cannot compare with the revision of --changed-since: {why[0]}; fetch the revision and its history"
        raise UsageError(f"{text} (`fetch-depth: 0` of actions/checkout)")
    return [name for name in ran.stdout.split("\0") if name]


def is_touched(rollout: Rollout, reading: Reading, changed: frozenset[Path]) -> bool:
    """Return whether a file of a rollout has changed: its manifest, its environment, or what these refer to."""
    homes = [e.source.file for e in reading.environments if e.name == rollout.environment]
    own = (rollout.source.file, *homes)
    files = (*own, *(used for file in own for used in reading.referred.get(file, ())))
    return any(real(Path(file)) in changed for file in files)
