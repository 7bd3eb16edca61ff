"""Serves tags and log levels.

Tags: 50 a resource (developer guide), although the SDK model allows 200 in a request; TooManyTagsException beyond.
Log levels: by resource type, and at most 200 overrides for single resources (developer guide, logging).
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iotwireless.common import tags_of
from otactl_simulator.iotwireless.state import Store, Stores, invalid, not_found
from otactl_simulator.service import Handler, ModelledError, Request

MAX_TAGS = 50
MAX_OVERRIDES = 200


class Labels:
    """The tag and log-level operations."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list_tags,
            "GetLogLevelsByResourceTypes": self.get_levels,
            "UpdateLogLevelsByResourceTypes": self.update_levels,
            "PutResourceLogLevel": self.put_level,
            "GetResourceLogLevel": self.get_level,
            "ResetResourceLogLevel": self.reset_level,
            "ResetAllResourceLogLevels": self.reset_levels,
        }

    def tag(self, request: Request) -> dict[str, object]:
        """TagResource: in any state of the resource."""
        tags = self._tags(request)
        merged = {**tags, **tags_of(request.parameters)}
        if len(merged) > MAX_TAGS:
            raise ModelledError("TooManyTagsException", f"a resource has at most {MAX_TAGS} tags")
        tags.update(merged)
        return {}

    def untag(self, request: Request) -> dict[str, object]:
        """UntagResource: what is not there is ignored."""
        tags, keys = self._tags(request), request.parameters["TagKeys"]
        for key in keys if isinstance(keys, list) else []:
            tags.pop(str(key), None)
        return {}

    def list_tags(self, request: Request) -> dict[str, object]:
        """ListTagsForResource."""
        return {"Tags": [{"Key": k, "Value": v} for k, v in self._tags(request).items()]}

    def _tags(self, request: Request) -> dict[str, str]:
        store, arn = self._stores.of(request), str(request.parameters["ResourceArn"])
        tags = store.tags_of(arn)
        if tags is None:
            raise not_found("Resource", arn)
        return tags

    def get_levels(self, request: Request) -> dict[str, object]:
        """GetLogLevelsByResourceTypes."""
        levels = self._stores.of(request).log_levels
        return {"DefaultLogLevel": "ERROR", **levels}

    def update_levels(self, request: Request) -> dict[str, object]:
        """UpdateLogLevelsByResourceTypes."""
        self._stores.of(request).log_levels |= request.parameters
        return {}

    def put_level(self, request: Request) -> dict[str, object]:
        """PutResourceLogLevel."""
        store = self._stores.of(request)
        if len(store.resource_levels) >= MAX_OVERRIDES and self._key(request) not in store.resource_levels:
            raise invalid(f"there are at most {MAX_OVERRIDES} overrides")
        store.resource_levels[self._key(request)] = str(request.parameters["LogLevel"])
        return {}

    def get_level(self, request: Request) -> dict[str, object]:
        """GetResourceLogLevel."""
        store = self._stores.of(request)
        level = store.resource_levels.get(self._key(request))
        if level is None:
            raise not_found("LogLevel", self._key(request)[0])
        return {"LogLevel": level}

    def reset_level(self, request: Request) -> dict[str, object]:
        """ResetResourceLogLevel."""
        self._stores.of(request).resource_levels.pop(self._key(request), None)
        return {}

    def reset_levels(self, request: Request) -> dict[str, object]:
        """ResetAllResourceLogLevels."""
        self._stores.of(request).resource_levels.clear()
        return {}

    @staticmethod
    def _key(request: Request) -> tuple[str, str]:
        return str(request.parameters["ResourceIdentifier"]), str(request.parameters["ResourceType"])


def forget(store: Store, arn: str) -> None:
    """Delete the tags and log level of a deleted resource."""
    store.tags.pop(arn, None)
    identifier = arn.rsplit("/", 1)[-1]
    for key in [k for k in store.resource_levels if k[0] == identifier]:
        del store.resource_levels[key]
