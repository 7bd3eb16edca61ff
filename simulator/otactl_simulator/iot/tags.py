"""Serves the tags of AWS IoT's resources.

1. A resource has at most 50 tags; keys are unique and do not start with `aws:` (developer guide, "Tagging your AWS IoT
   resources"). Beyond 50: LimitExceededException (declared by TagResource).
2. Jobs, OTA updates, streams and thing groups carry tags, things do not (the same page, and the resource types of
   TagResource in the service authorization reference).
3. ListTagsForResource has no maxResults; a page has 25 tags here [inferred], so that two pages can occur.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.iot.common import page
from otactl_simulator.iot.state import Store, Stores, invalid, not_found
from otactl_simulator.service import Handler, ModelledError, Request

MAX_TAGS = 50
PAGE = 25


class Labels:
    """The tag operations."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return {"TagResource": self.tag, "UntagResource": self.untag, "ListTagsForResource": self.list_tags}

    def tag(self, request: Request) -> dict[str, object]:
        """TagResource: adds, and replaces the values of keys that are there."""
        tags = self._tags(request)
        merged = {**tags, **given_tags(request.parameters)}
        if len(merged) > MAX_TAGS:
            raise ModelledError("LimitExceededException", f"a resource has at most {MAX_TAGS} tags")
        tags.update(merged)
        return {}

    def untag(self, request: Request) -> dict[str, object]:
        """UntagResource: what is not there is ignored."""
        tags, keys = self._tags(request), request.parameters["tagKeys"]
        for key in keys if isinstance(keys, list) else []:
            tags.pop(str(key), None)
        return {}

    def list_tags(self, request: Request) -> dict[str, object]:
        """ListTagsForResource."""
        listed, token = page(list(self._tags(request).items()), {**request.parameters, "maxResults": PAGE})
        return {"tags": [{"Key": key, "Value": value} for key, value in listed], "nextToken": token}

    def _tags(self, request: Request) -> dict[str, str]:
        store, arn = self._stores.of(request), str(request.parameters["resourceArn"])
        if not _exists(store, arn):
            raise not_found(f"Resource {arn}")
        return store.tags.setdefault(arn, {})


def _exists(store: Store, arn: str) -> bool:
    kind, _, name = arn.removeprefix(f"arn:aws:iot:{store.region}:{store.account}:").partition("/")
    kinds: dict[str, Mapping[str, object]] = {
        "job": store.jobs,
        "otaupdate": store.updates,
        "stream": store.streams,
        "thinggroup": store.groups,
        "thingtype": store.types,
    }
    if kind not in kinds:
        raise invalid(f"{arn} is not the ARN of a resource of this account and Region that carries tags")
    return name in kinds[kind]


def given_tags(parameters: Mapping[str, object]) -> dict[str, str]:
    """Return tags as a Create or TagResource gives them; refuses what rule 1 does not allow."""
    given = parameters.get("tags")
    listed = given if isinstance(given, list) else []
    tags = {str(tag["Key"]): str(tag.get("Value", "")) for tag in listed}
    if len(tags) < len(listed):
        raise invalid("a tag key is given twice")
    reserved = [key for key in tags if key.lower().startswith("aws:")]
    if reserved:
        raise invalid(f"tag key {reserved[0]} starts with aws:, which is reserved")
    if len(tags) > MAX_TAGS:
        raise ModelledError("LimitExceededException", f"a resource has at most {MAX_TAGS} tags")
    return tags
