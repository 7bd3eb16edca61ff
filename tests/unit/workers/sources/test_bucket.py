"""The objects below a prefix are fetched as files, once for each state of the prefix; by boto3 against an S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from otactl.workers.sources import Source, SourceError, open_source, snapshot
from otactl.workers.sources.snapshot import Snapshot
from otactl_simulator.server import SimulatorServer

pytestmark = pytest.mark.server
BUCKET = "acme-manifests"


@pytest.fixture
def s3(empty_simulator: SimulatorServer) -> Iterator[Any]:
    client = boto3.client(
        "s3", endpoint_url=empty_simulator.url, aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    yield client
    client.close()


@pytest.fixture
def source(s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    found: Any = open_source(f"s3://{BUCKET}/fleet", ("rollouts",), tmp_path / "cache")
    yield found
    if found._client is not None:
        found._client.close()


def put(s3: Any, **objects: str) -> None:
    for key, text in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key.replace("__", "/"), Body=text.encode())


def files(found: Snapshot) -> dict[str, str]:
    return {str(each.relative_to(found.root)): each.read_text() for each in found.root.rglob("*") if each.is_file()}


def test_the_objects_below_the_prefix_are_files_of_a_snapshot(s3: Any, source: Source) -> None:
    put(s3, fleet__rollouts__a="1", fleet__b="2", fleeting="3", other__c="4")
    s3.put_object(Bucket=BUCKET, Key="fleet/rollouts/", Body=b"")
    found = source.fetch()

    assert files(found) == {"rollouts/a": "1", "b": "2"}
    assert found.commit == ""
    assert source.name == f"s3://{BUCKET}/fleet/"


def test_a_prefix_that_did_not_change_is_not_fetched_again(s3: Any, source: Source) -> None:
    put(s3, fleet__a="1")
    first = source.fetch()
    (first.root / "a").write_text("as it was fetched")
    assert (source.fetch(), files(first)) == (first, {"a": "as it was fetched"})

    put(s3, fleet__a="2")
    second = source.fetch()
    assert second.revision != first.revision
    assert files(second) == {"a": "2"}


def test_earlier_snapshots_stay_until_they_are_not_needed(s3: Any, source: Source) -> None:
    put(s3, fleet__a="1")
    first = source.fetch()
    put(s3, fleet__a="2")
    second = source.fetch()
    assert source.at(first.revision) == first

    source.keep([second.revision])
    assert source.at(first.revision) is None
    assert source.at("../cache") is None
    assert source.at(second.revision) == second


def test_no_object_leads_out_of_the_snapshot(s3: Any, source: Source, tmp_path: Path) -> None:
    put(s3, fleet__a="1")
    for key in ("fleet/../../out", "fleet/.git/config", "fleet/x\\y"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"evil")
    assert files(source.fetch()) == {"a": "1"}
    assert not list(tmp_path.rglob("out"))


def test_more_than_a_snapshot_may_have_is_refused_before_it_is_fetched(
    s3: Any, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3, fleet__a="123456", fleet__b="123456")
    monkeypatch.setattr(snapshot, "MOST_BYTES", 10)
    with pytest.raises(SourceError, match=r"s3://acme-manifests/fleet/ has more than .*name the folder"):
        source.fetch()


def test_a_bucket_that_is_not_there_is_one_clear_error(source: Source, s3: Any) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    with pytest.raises(SourceError, match=r"s3://acme-manifests/fleet/ cannot be read: NoSuchBucket"):
        source.fetch()
