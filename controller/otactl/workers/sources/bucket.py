"""Fetches the objects below a prefix of an S3 bucket.

The revision is a digest of the names and entity tags, so that unchanged objects are not fetched again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from otactl.workers.sources.snapshot import Allowance, Snapshot, Snapshots, SourceError, inside, write


class BucketSource:
    """A prefix of a bucket; credentials and Region are those of the process."""

    shared = True

    def __init__(self, bucket: str, prefix: str, cache: Path) -> None:
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.name = f"s3://{bucket}/{self._prefix}"
        self._snapshots = Snapshots(cache, self.name)
        self._client: Any = None

    def fetch(self) -> Snapshot:
        """Return the objects as they are now. Raises: SourceError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            listed = sorted(self._listed())
            digest = hashlib.sha256("\n".join(f"{key}\0{tag}\0{size}" for key, tag, size in listed).encode())
            revision = digest.hexdigest()[:16]
            if self._snapshots.of(revision) is None:
                with self._snapshots.filling(revision) as folder:
                    self._download(listed, folder)
        except (BotoCoreError, ClientError) as error:
            raise SourceError(f"{self.name} cannot be read: {_words(error)}") from error
        return self._snapshot(revision)

    def at(self, revision: str) -> Snapshot | None:
        """Return the snapshot of an earlier revision if it is still in the cache."""
        there = self._snapshots.of(revision) if revision.isalnum() else None
        return Snapshot(revision, there) if there is not None else None

    def keep(self, revisions: Sequence[str]) -> None:
        """Remove the snapshots of all other revisions."""
        self._snapshots.keep(revisions)

    def _snapshot(self, revision: str) -> Snapshot:
        there = self._snapshots.of(revision)
        if there is None:
            raise SourceError(f"{self.name}: the files of {revision} disappeared; check --cache")
        return Snapshot(revision, there)

    def _listed(self) -> Iterator[tuple[str, str, int]]:
        pages = self._s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        allowance = Allowance(self.name)
        for page in pages:
            for found in page.get("Contents", ()):
                if not found["Key"].endswith("/"):
                    allowance.take(found["Size"])
                    yield found["Key"], found["ETag"], found["Size"]

    def _download(self, listed: Sequence[tuple[str, str, int]], folder: Path) -> None:
        for key, tag, _ in listed:
            place = inside(folder, key.removeprefix(self._prefix))
            if place is None:
                continue
            body = self._s3().get_object(Bucket=self._bucket, Key=key, IfMatch=tag)["Body"].read()
            write(place, partial(_write_all, body))

    def _s3(self) -> Any:
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4})
            self._client = boto3.client("s3", config=config)
        return self._client


def _write_all(data: bytes, descriptor: int) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as target:
        target.write(data)


def _words(error: Exception) -> str:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        return str(answer.get("Error", {}).get("Code", type(error).__name__))
    return str(error).splitlines()[0] if str(error) else type(error).__name__
