"""Fetches manifests from where they are kept: a folder, a Git repository, or a prefix of a bucket.

1. What was fetched is a snapshot: a folder of its own with a revision, which nothing changes later.
2. A fetch is bounded in time and bytes, asks no one anything, and runs nothing that the source brings along.
"""

from otactl.workers.sources.snapshot import Snapshot, Source, SourceError
from otactl.workers.sources.url import open_source

__all__ = ["Snapshot", "Source", "SourceError", "open_source"]
