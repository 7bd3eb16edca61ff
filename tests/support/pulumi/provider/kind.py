"""Defines what a resource type of the provider stand-in does; the tables of S3, IAM and recorded types implement it."""

from __future__ import annotations

from typing import Any, ClassVar

from botocore.exceptions import ClientError

from tests.support.pulumi.provider.cloud import Cloud, Properties


class Kind:
    """A resource type.

    `replaces`: the properties whose change creates another resource (the provider's reference: "Forces new resource").
    `computed`: the outputs that only the service knows. `documents`: the inputs that are policies.
    `defaults`: what the service takes for an input that is left out, so that leaving it out is no change.
    `named`: the property that is the resource's name, which two resources cannot share.
    """

    replaces: ClassVar[frozenset[str]] = frozenset()
    computed: ClassVar[tuple[str, ...]] = ()
    documents: ClassVar[tuple[str, ...]] = ()
    named: ClassVar[str] = ""
    defaults: ClassVar[dict[str, object]] = {}
    tagged: ClassVar[bool] = False

    def create(self, cloud: Cloud, given: Properties) -> str:
        """Create it; return its id."""
        raise NotImplementedError

    def read(self, cloud: Cloud, identifier: str) -> Properties | None:
        """Return its state by Pulumi's names, or None where it does not exist."""
        raise NotImplementedError

    def update(self, cloud: Cloud, identifier: str, olds: Properties, news: Properties) -> None:
        """Change it in place."""
        raise NotImplementedError

    def delete(self, cloud: Cloud, identifier: str, state: Properties) -> None:
        """Delete it; one that does not exist is deleted already."""
        raise NotImplementedError

    def all_tags(self, cloud: Cloud, given: Properties) -> dict[str, str]:
        """Return a resource's own tags over the provider's."""
        return {**cloud.tags, **given.get("tags", {})} if self.tagged else {}


def aws_tags(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def plain_tags(cloud: Cloud, listed: list[dict[str, str]]) -> Properties:
    """Return `tags` and `tagsAll` from what AWS shows: what the provider's default tags give is in the second only."""
    whole = {t["Key"]: t["Value"] for t in listed}
    return {"tags": {k: v for k, v in whole.items() if cloud.tags.get(k) != v}, "tagsAll": whole}


def missing(error: ClientError) -> bool:
    """Return whether an error says that there is no such thing."""
    code = str(error.response["Error"]["Code"])
    return code.startswith("NoSuch") or code in ("404", "NotFound") or code.endswith(("NotFoundError", "NotFound"))


def lower_first(value: Any) -> Any:
    """Return AWS's names as Pulumi writes them, at every depth."""
    if isinstance(value, dict):
        return {k[0].lower() + k[1:]: lower_first(v) for k, v in value.items()}
    return [lower_first(v) for v in value] if isinstance(value, list) else value
