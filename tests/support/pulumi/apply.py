"""Applies registrations to moto: S3 and IAM over HTTP to the simulator, by unmodified boto3, as the provider does.

1. A type that is not in the provider's table raises: nothing is let through unseen.
2. boto3 checks every parameter name and type, which Pulumi's own mocks do not.
3. What moto does not know (`RECORDED`) is only recorded; nothing of it is proved here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.pulumi.provider.cloud import Cloud
from tests.support.pulumi.provider.kinds import KINDS

Inputs = Mapping[str, Any]
Made = tuple[str, dict[str, Any]]


class Applier:
    """Carries registrations out with one set of clients."""

    def __init__(self, url: str, region: str = "eu-west-1") -> None:
        self._cloud = Cloud(region=region, url=url)
        self.s3, self.iam = self._cloud.s3, self._cloud.iam

    def __call__(self, kind: str, inputs: Inputs) -> Made:
        """Carry one registration out; gives its id and what the provider would add."""
        if kind not in KINDS:
            raise KeyError(f"no way to apply {kind}")
        identifier = KINDS[kind].create(self._cloud, dict(inputs))
        shown = KINDS[kind].read(self._cloud, identifier) or {}
        return identifier, {name: shown[name] for name in KINDS[kind].computed if name in shown}
