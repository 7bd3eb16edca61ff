"""Fetches one commit of a Git repository, by git itself, and unpacks its files.

1. Nothing is asked: no prompt of git, of its credential helpers or of ssh; a fetch ends within its time.
2. Nothing of the repository is run: no hook, no filter, no submodule, no working tree of Git. The files come from
   `git archive`, as regular files; links are left out, so no manifest leads out of its snapshot.
3. Only the protocol that the source names is allowed; a redirect to another is refused.
4. Credentials come from the machine: git's configuration, its credential helper, GIT_ASKPASS, or ssh. A password in
   the address is refused.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

from otactl.workers.sources.snapshot import Allowance, Snapshot, Snapshots, SourceError, inside, write

FETCH_SECONDS = 120.0
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SETTINGS = (
    ("safe.directory", "*"),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.fsckObjects", "true"),
    ("transfer.fsckObjects", "true"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    ("http.followRedirects", "initial"),
)
_OF_ANOTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")


class GitSource:
    """One branch, tag or commit of a repository."""

    shared = True

    def __init__(self, url: str, protocol: str, ref: str, cache: Path, *, seconds: float = FETCH_SECONDS) -> None:
        self._url, self._protocol, self._ref, self._seconds = url, protocol, ref, seconds
        self.name = f"git+{url}@{ref}"
        self._snapshots = Snapshots(cache, self.name)
        self._store = self._snapshots.folder / ".store"

    def fetch(self) -> Snapshot:
        """Return the snapshot of the commit that the ref names now. Raises: SourceError."""
        return self._snapshot(self._fetched(self._ref))

    def at(self, revision: str) -> Snapshot | None:
        """Return the snapshot of a commit; None where it is neither here nor given by the server."""
        if _COMMIT.fullmatch(revision) is None:
            return None
        try:
            if self._snapshots.of(revision) is None and not self._has(revision):
                self._fetched(revision)
            return self._snapshot(revision)
        except SourceError:
            return None

    def keep(self, revisions: Sequence[str]) -> None:
        """Remove the snapshots of all other commits."""
        self._snapshots.keep(revisions)

    def _fetched(self, ref: str) -> str:
        if not (self._store / "HEAD").exists():
            shutil.rmtree(self._store, ignore_errors=True)
            try:
                self._store.mkdir(parents=True)
            except OSError as error:
                raise SourceError(f"cannot write to {self._store}: {error.strerror}; choose another --cache") from error
            self._git("init", "--quiet", "--bare", "--template=", ".")
        self._git(
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--force",
            "--end-of-options",
            self._url,
            f"{ref}:refs/otactl/tip",
        )
        found = self._git("rev-parse", "--verify", "--end-of-options", "refs/otactl/tip^{commit}").decode().strip()
        if _COMMIT.fullmatch(found) is None:
            raise SourceError(f"{self.name}: {self._ref} is no commit; name a branch or a tag")
        return found

    def _has(self, revision: str) -> bool:
        try:
            self._git("cat-file", "-e", f"{revision}^{{commit}}")
        except SourceError:
            return False
        return True

    def _snapshot(self, commit: str) -> Snapshot:
        there = self._snapshots.of(commit)
        if there is None:
            with self._snapshots.filling(commit) as folder:
                self._unpack(commit, folder)
            there = self._snapshots.of(commit)
        if there is None:
            raise SourceError(f"{self.name}: the files of {commit[:12]} disappeared; check --cache")
        return Snapshot(commit, there, commit)

    def _unpack(self, commit: str, folder: Path) -> None:
        process = subprocess.Popen(  # noqa: S603 - no shell
            [*self._command(), "archive", "--format=tar", commit],
            cwd=self._store,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        limit = threading.Timer(self._seconds, process.kill)
        limit.start()
        try:
            if process.stdout is None:
                raise SourceError("git archive has no output")
            _extract(process.stdout, folder, self.name)
        except tarfile.TarError as error:
            raise SourceError(f"{self.name}: git archive of {commit[:12]} cannot be read: {error}") from error
        finally:
            limit.cancel()
            process.kill()
            _, said = process.communicate()
        if process.returncode > 0:
            raise SourceError(f"{self.name}: git archive failed: {_last_line(said)}")

    def _git(self, *words: str) -> bytes:
        try:
            ran = subprocess.run(  # noqa: S603 - no shell
                [*self._command(), *words],
                cwd=self._store,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=self._seconds,
            )
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"{self.name}: git {words[0]} took longer than {self._seconds:g} s") from error
        except OSError as error:
            raise SourceError(f"git cannot be run: {error.strerror}; install git") from error
        if ran.returncode:
            raise SourceError(f"{self.name}: git {words[0]} failed: {_last_line(ran.stderr)}")
        return ran.stdout

    def _command(self) -> list[str]:
        settings = (*_SETTINGS, (f"protocol.{self._protocol}.allow", "always"))
        return [
            "git",
            "-c",
            "safe.directory=*",
            *(word for key, value in settings for word in ("-c", f"{key}={value}")),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=20",
            **{key: value for key, value in os.environ.items() if key not in _OF_ANOTHER_REPOSITORY},
            "GIT_TERMINAL_PROMPT": "0",
            "GCM_INTERACTIVE": "never",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "LC_ALL": "C",
        }


def _extract(stream: IO[bytes], folder: Path, name: str) -> None:
    """Unpack the regular files of an archive."""
    allowance = Allowance(name)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            place = inside(folder, member.name)
            if not member.isreg() or place is None:
                continue
            allowance.take(member.size)
            content = archive.extractfile(member)
            if content is None:
                continue
            with content:
                write(place, partial(_copy, content))


def _copy(source: IO[bytes], descriptor: int) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as target:
        shutil.copyfileobj(source, target)


def _last_line(said: bytes) -> str:
    """Return the last line that git said, without a user or a password in an address."""
    lines = said.decode(errors="replace").strip().splitlines()
    return re.sub(r"(//)[^/@\s]+@", r"\1", lines[-1])[:300] if lines else "it said nothing"
