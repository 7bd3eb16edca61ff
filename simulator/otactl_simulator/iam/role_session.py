"""Acts with a role as a service does: may it assume the role, and what may the session do in moto's IAM and S3.

1. The role's trust policy must let the service's principal assume it, under the condition keys it sends.
2. The session may do what inline, attached and bucket policies allow, within the boundary; its calls are over TLS.

Source: IAM user guide, "Policy evaluation logic" and "The confused deputy problem". Not checked: KMS keys, S3 block
public access, organisation policies. A policy element the evaluator does not know raises UnsupportedPolicyError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moto.iam.models import Role
from moto.s3.models import FakeBucket, FakeKey, s3_backends

from otactl_simulator.iam.moto_roles import boundary_of, document, policies_of
from otactl_simulator.iam.patterns import ContextValue
from otactl_simulator.iam.policy import Decision, Request, evaluate, may_assume


def trust(role: Role, principal: str, context: Mapping[str, ContextValue]) -> Decision:
    """Return whether a service principal may assume a role; MotoIamError when its trust policy cannot be read."""
    trusted = document(role.assume_role_policy_document, f"the trust policy of role {role.name}")
    return may_assume(trusted, principal, context, role_arn=role.arn)


@dataclass(frozen=True)
class RoleSession:
    """A role as a service in a Region has assumed it; `name` is the session's."""

    role: Role
    region: str
    name: str

    @property
    def arn(self) -> str:
        """Return the session's ARN, as refusals name it."""
        return f"arn:{self.role.partition}:sts::{self.role.account_id}:assumed-role/{self.role.name}/{self.name}"

    def decide(
        self,
        action: str,
        resource: str,
        bucket: FakeBucket | None = None,
        context: Mapping[str, ContextValue] | None = None,
    ) -> Decision:
        """Return what IAM says to an action; `bucket` brings its policy and its owner."""
        request = Request(
            principal=self.arn,
            action=action,
            resource=resource,
            context={
                "aws:SecureTransport": "true",
                "aws:PrincipalArn": self.role.arn,
                "aws:RequestedRegion": self.region,
                **(context or {}),
            },
            resource_account=bucket.account_id if bucket is not None else None,
        )
        said = bucket.policy if bucket is not None else None
        bucket_policies = [document(said, f"the policy of bucket {bucket.name}")] if bucket is not None and said else []
        return evaluate(policies_of(self.role), bucket_policies, request, boundaries=boundary_of(self.role))


def find_bucket(name: str) -> FakeBucket | None:
    """Return a bucket of any account."""
    owner = s3_backends.bucket_accounts.get(name)
    if owner is None:
        return None
    partition, account = owner
    return s3_backends[account][partition].get_bucket(name)


def find_object(bucket: FakeBucket, key: str, version: str = "") -> FakeKey | None:
    """Return an object's version, or without one its latest; None for a delete marker."""
    found = s3_backends[bucket.account_id][bucket.partition].get_object(bucket.name, key, version or None)
    return found if isinstance(found, FakeKey) else None


def put(bucket: FakeBucket, key: str, content: bytes) -> None:
    """Write an object."""
    backend = s3_backends[bucket.account_id][bucket.partition]
    backend.put_object(bucket.name, key, content, disable_notification=True)
