"""Serves streams: files in S3 that devices fetch over MQTT.

Rules, from the API reference (CreateStream and related operations) and the developer guide, "MQTT-based file delivery":

1. A stream has 1 to 50 files with distinct ids of 0 to 255, each in S3. Whether the objects are there is not checked
   before a device asks [inferred].
2. UpdateStream sets what it is given and counts the version up.
3. A stream the service made for an OTA update is like any other: whoever may can change or delete it, and the update's
   devices then miss their file. Whether DeleteStream asks who uses it is the switch `deleteStreamInUse`: it declares a
   DeleteConflictException that no page explains.
4. ListStreams shows the summaries, newest first unless ascendingOrder [inferred: by creation].
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.clock import Clock
from otactl_simulator.iot.common import page
from otactl_simulator.iot.service_role import Place
from otactl_simulator.iot.settings import Settings
from otactl_simulator.iot.state import Store, Stores, Stream, invalid, not_found
from otactl_simulator.iot.tags import given_tags
from otactl_simulator.service import Handler, ModelledError, Request

KIND = "stream"
MAX_FILES = 50


class Streams:
    """The stream operations."""

    def __init__(self, stores: Stores, clock: Clock, settings: Settings) -> None:
        self._stores = stores
        self._clock = clock
        self._settings = settings

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "CreateStream": self.create,
            "DescribeStream": self.describe,
            "ListStreams": self.list_streams,
            "UpdateStream": self.update,
            "DeleteStream": self.delete,
        }

    def create(self, request: Request) -> dict[str, object]:
        """CreateStream."""
        store, wanted = self._stores.of(request), request.parameters
        identifier = str(wanted["streamId"])
        arn = store.arn(KIND, identifier)
        if identifier in store.streams:
            text = f"Stream {identifier} already exists"
            raise ModelledError("ResourceAlreadyExistsException", text, resourceId=identifier, resourceArn=arn)
        files, role, tags = _files(wanted), _role(store, wanted), given_tags(wanted)
        store.remember(KIND, identifier, None)
        made = Stream(identifier, arn, str(wanted.get("description", "")), files, role, self._clock.now())
        store.streams[identifier] = made
        store.tags[arn] = tags
        return _document(made)

    def describe(self, request: Request) -> dict[str, object]:
        """DescribeStream."""
        store, identifier = self._stores.of(request), str(request.parameters["streamId"])
        stream = store.as_read(KIND, identifier, store.streams.get(identifier), stale=request.stale)
        if not isinstance(stream, Stream):
            raise not_found(f"Stream {identifier}")
        shown = {**_document(stream), "files": stream.files, "roleArn": stream.role_arn}
        return {
            "streamInfo": {
                **shown,
                "createdAt": stream.created_at,
                "lastUpdatedAt": stream.updated_at or stream.created_at,
            }
        }

    def list_streams(self, request: Request) -> dict[str, object]:
        """ListStreams (rule 4)."""
        store, newest_first = self._stores.of(request), request.parameters.get("ascendingOrder") is not True
        found = sorted(store.streams.values(), key=lambda s: (s.created_at, s.id), reverse=newest_first)
        listed, token = page(found, request.parameters)
        return {"streams": [_document(stream) for stream in listed], "nextToken": token}

    def update(self, request: Request) -> dict[str, object]:
        """UpdateStream (rule 2)."""
        store, wanted = self._stores.of(request), request.parameters
        stream = _stream(store, wanted)
        files = _files(wanted) if "files" in wanted else stream.files
        role = _role(store, wanted) if "roleArn" in wanted else stream.role_arn
        store.remember(KIND, stream.id, stream)
        stream.files, stream.role_arn = files, role
        stream.description = str(wanted.get("description", stream.description))
        stream.version += 1
        stream.updated_at = self._clock.now()
        return _document(stream)

    def delete(self, request: Request) -> dict[str, object]:
        """DeleteStream (rule 3)."""
        store = self._stores.of(request)
        stream = _stream(store, request.parameters)
        users = [update.id for update in store.updates.values() if update.stream_id == stream.id]
        if users and self._settings["deleteStreamInUse"] == "conflict":
            raise ModelledError("DeleteConflictException", f"Stream {stream.id} is used by OTA update {users[0]}")
        store.remember(KIND, stream.id, stream)
        del store.streams[stream.id]
        store.tags.pop(stream.arn, None)
        return {}


def _stream(store: Store, wanted: Mapping[str, object]) -> Stream:
    stream = store.streams.get(str(wanted["streamId"]))
    if stream is None:
        raise not_found(f"Stream {wanted['streamId']}")
    return stream


def _document(stream: Stream) -> dict[str, object]:
    return {
        "streamId": stream.id,
        "streamArn": stream.arn,
        "description": stream.description or None,
        "streamVersion": stream.version,
    }


def _role(store: Store, wanted: Mapping[str, object]) -> str:
    role = str(wanted["roleArn"])
    parts = role.split(":")
    if len(parts) < 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise invalid(f"roleArn {role} is not the ARN of a role")
    if parts[4] != store.account:
        raise invalid("Cross-account pass role is not allowed.")
    return role


def _files(wanted: Mapping[str, object]) -> list[dict[str, object]]:
    given = wanted["files"]
    files: list[dict[str, object]] = [dict(file) for file in given] if isinstance(given, list) else []
    if not 1 <= len(files) <= MAX_FILES:
        raise invalid(f"a stream has 1 to {MAX_FILES} files")
    for file in files:
        place = file.get("s3Location")
        if "fileId" not in file or not isinstance(place, dict) or not (place.get("bucket") and place.get("key")):
            raise invalid("a file of a stream has fileId and s3Location with bucket and key")
    if len({str(file["fileId"]) for file in files}) < len(files):
        raise invalid("two files of a stream have the same fileId")
    return files


def place_of(location: Mapping[str, object]) -> Place:
    """Return an S3Location as a place."""
    return Place(str(location["bucket"]), str(location["key"]), str(location.get("version") or ""))
