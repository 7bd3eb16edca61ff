"""Reads the address of a source.

`git+https://HOST/REPOSITORY@REF`, `git+ssh://USER@HOST/REPOSITORY@REF`, `git+file:///FOLDER@REF`, `s3://BUCKET/PREFIX`,
or a folder. Without @REF it is the default branch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from otactl.errors import UsageError
from otactl.workers.sources.bucket import BucketSource
from otactl.workers.sources.folder import FolderSource
from otactl.workers.sources.git import GitSource
from otactl.workers.sources.snapshot import Source

FORMS = "git+https://HOST/REPOSITORY@REF, git+ssh://USER@HOST/REPOSITORY@REF, s3://BUCKET/PREFIX, or a folder"
PROTOCOLS = ("https", "ssh", "file")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_source(address: str | None, paths: Sequence[str], cache: Path) -> Source:
    """Return the source at an address; without one, the working folder. Raises: UsageError."""
    if address is None or "://" not in address:
        root = Path(address) if address is not None else Path()
        if not root.is_dir():
            raise UsageError(f"--source {address} is no folder; write {FORMS}")
        return FolderSource(root.resolve(), paths)
    if address.startswith("s3://"):
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if _BUCKET.fullmatch(bucket) is None:
            raise UsageError(f"--source names no bucket; write s3://BUCKET/PREFIX instead of {address}")
        return BucketSource(bucket, prefix, cache)
    if not address.startswith("git+"):
        raise UsageError(f"--source is no address that otactl knows; write {FORMS}")
    return _git(address.removeprefix("git+"), cache)


def _git(address: str, cache: Path) -> GitSource:
    try:
        parts = urlsplit(address)
        secret = parts.password is not None or (parts.scheme == "https" and parts.username is not None)
    except ValueError:
        raise UsageError(f"--source is no address; write {FORMS}") from None
    if parts.scheme not in PROTOCOLS:
        raise UsageError(f"--source git+{parts.scheme}:// is not allowed; write {FORMS}")
    if secret:
        text = "--source holds a user or a password, which every user of this machine can read"
        raise UsageError(f"{text}; give it to git by a credential helper or GIT_ASKPASS")
    if parts.query or parts.fragment:
        raise UsageError(f"--source has a query or a fragment; write {FORMS}")
    path, at, ref = parts.path.rpartition("@")
    if not at:
        path, ref = parts.path, "HEAD"
    if _REF.fullmatch(ref) is None or ".." in ref:
        raise UsageError(f"--source: {ref} is no branch, tag or commit")
    if len(path.strip("/")) == 0 or (parts.scheme != "file" and not parts.hostname):
        raise UsageError(f"--source names no repository; write {FORMS}")
    return GitSource(parts._replace(path=path).geturl(), parts.scheme, ref, cache)
