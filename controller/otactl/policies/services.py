"""Checks Regions, partitions and roles of AWS, which an environment declares and a backend may need."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from otactl.aws_sdk.regions import known_regions, partition_of, regions_of
from otactl.model import Environment, Rollout
from otactl.model.violation import Severity, Violation


def region_without_service(environment: Environment | None, service: str, name: str) -> Iterator[Violation]:
    """Check whether the environment's Region has an AWS service, as far as the SDK here knows."""
    if environment is not None and environment.region not in regions_of(service):
        yield Violation(
            pointer="/spec/environment",
            code="region_without_service",
            message=f"{name} is not known to be in {environment.region}",
            hint=f"it is in {', '.join(regions_of(service))}",
            severity="warning",
        )


def partitions(rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
    """Check whether the role is of the partition that the environment's Region is in."""
    if environment is not None:
        yield from partition(rollout.backend.role, environment.region, f"/spec/{rollout.backend_kind}/role")


def partition(arn: str, region: str, pointer: str) -> Iterator[Violation]:
    """Check whether an ARN is of the partition that a Region is in.

    A reference that is not filled in is not checked.
    """
    own, there = partition_of(region), arn.split(":")[1] if arn.startswith("arn:") else ""
    if own and there and own != there:
        message = f"the ARN is of partition {there}, and {region} is in {own}"
        yield Violation(pointer=pointer, code="partition_differs", message=message, hint=f"write arn:{own}:…")


def region(environment: Environment) -> Iterator[Violation]:
    """Check the environment's Region and the role it assumes there."""
    where = environment.region
    if where not in known_regions():
        near = difflib.get_close_matches(where, sorted(known_regions()), n=1)
        hint = f"did you mean {near[0]}?" if near else "name one of AWS, such as eu-west-1"
        message = f"AWS has no Region named {where}, as far as its SDK here knows"
        severity: Severity = "warning" if partition_of(where) else "error"
        yield Violation(pointer="/spec/region", code="unknown_region", message=message, hint=hint, severity=severity)
    yield from partition(environment.assumed_role or "", where, "/spec/assumedRole")
