"""Finds who runs a command and by which commit: from options, CI variables and Git.

1. `--actor`, else the variable of GitHub or GitLab for who started the job, else Git's `user.email`.
2. `--commit`, else the commit that the manifests' repository has checked out, with `-dirty` where one of the files was
   changed since; else the commit in a variable of GitHub or GitLab.
3. What is not found is empty; no run fails for it. Neither is proved: they are what the machine says.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from otactl.manifest.repository import real, root_of
from otactl.model import Author
from otactl.model.author import MOST_CHARACTERS

F = TypeVar("F", bound=Callable[..., Any])
_COMMIT = re.compile(r"[0-9a-f]{7,64}(-dirty)?")
_ACTORS = ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR", "GITLAB_USER_LOGIN")
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA")
_PATIENCE_SECONDS = 10


def _actor(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and (not value.isprintable() or not 1 <= len(value) <= MOST_CHARACTERS):
        raise click.BadParameter(f"{value!r} is not 1 to {MOST_CHARACTERS} printable characters")
    return value


def _commit(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and _COMMIT.fullmatch(value) is None:
        raise click.BadParameter(f"{value!r} is no commit: write 7 to 64 digits of 0-9a-f")
    return value


actor_option = click.option(
    "--actor",
    metavar="WHO",
    callback=_actor,
    help="Who acts, for the journal.  [default: GITHUB_TRIGGERING_ACTOR, GITHUB_ACTOR or GITLAB_USER_LOGIN, else"
    " user.email of Git]",
)


def author_options(command: F) -> F:
    """Add `--actor` and `--commit` to a command."""
    commit = click.option(
        "--commit",
        metavar="SHA",
        callback=_commit,
        help="The commit of the manifests, for the journal.  [default: what Git says of PATHS, else GITHUB_SHA or"
        " CI_COMMIT_SHA]",
    )
    return actor_option(commit(command))


def author_of(actor: str | None, commit: str | None, paths: Sequence[str] = ()) -> Author:
    """Return who acts on the manifests in `paths` and by which commit (rules 1 to 3)."""
    files = [real(Path(path)) for path in paths] or [real(Path())]
    root = root_of(files[0] if files[0].is_dir() else files[0].parent)
    who = actor or _variable(_ACTORS) or _bounded(_git(root, "config", "user.email"))
    which = commit or _checked_out(root, files) or _variable(_COMMITS)
    return Author(actor=who, commit=which if _COMMIT.fullmatch(which) else "")


def _checked_out(root: Path | None, files: Sequence[Path]) -> str:
    head = _git(root, "rev-parse", "--verify", "HEAD")
    if not head or root is None:
        return ""
    inside = [str(each) for each in files if each.is_relative_to(real(root))]
    changed = _git(root, "status", "--porcelain", "--untracked-files=normal", "--", *inside) if inside else ""
    return f"{head}-dirty" if changed else head


def _variable(names: Sequence[str]) -> str:
    return next((_bounded(os.environ[name]) for name in names if os.environ.get(name)), "")


def _bounded(text: str) -> str:
    return "".join(each for each in text.strip() if each.isprintable())[:MOST_CHARACTERS]


def _git(root: Path | None, *words: str) -> str:
    """Return what Git answers, "" where it does not or there is no repository."""
    if root is None:
        return ""
    command = ["git", "-C", str(root), "-c", "core.fsmonitor=false", *words]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)  # noqa: S603 - no shell
    except (OSError, UnicodeDecodeError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout.strip() if ran.returncode == 0 else ""
