"""Reaches the simulator for a provider: boto3 for S3, IAM and STS, and a folder for what moto does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3

Properties = dict[str, Any]


class Cloud:
    """The clients of one provider, and its default tags."""

    def __init__(
        self, *, region: str, url: str | None = None, folder: Path | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        kept = {"aws_access_key_id": "a", "aws_secret_access_key": "b"} if url else {}
        self._session = boto3.Session(region_name=region, **kept)
        self.region, self.tags = region, dict(tags or {})
        self.partition: str = self._session.get_partition_for_region(region)
        self.s3, self.iam, self.sts = (self._session.client(n, endpoint_url=url) for n in ("s3", "iam", "sts"))
        self._folder, self._account = folder, ""
        self._kept: dict[tuple[str, str], Properties] = {}

    @property
    def account(self) -> str:
        """Return the account of the credentials."""
        self._account = self._account or self.sts.get_caller_identity()["Account"]
        return self._account

    def arn(self, service: str, rest: str) -> str:
        """Return an ARN of the account and Region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{rest}"

    def record(self, kind: str, identifier: str, state: Properties) -> None:
        """Keep what moto cannot: in the folder, for the processes of several runs, or in memory without one."""
        if self._folder is not None:
            self._file(self._folder, kind, identifier).write_text(json.dumps(state))
        else:
            self._kept[kind, identifier] = state

    def recorded(self, kind: str, identifier: str) -> Properties | None:
        """Return what was kept."""
        if self._folder is None:
            return self._kept.get((kind, identifier))
        file = self._file(self._folder, kind, identifier)
        return dict(json.loads(file.read_text())) if file.exists() else None

    def forget(self, kind: str, identifier: str) -> None:
        """Remove what was kept."""
        if self._folder is not None:
            self._file(self._folder, kind, identifier).unlink(missing_ok=True)
        self._kept.pop((kind, identifier), None)

    def _file(self, folder: Path, kind: str, identifier: str) -> Path:
        return folder / f"{quote(f'{kind}|{self.region}|{identifier}', safe='')}.json"
