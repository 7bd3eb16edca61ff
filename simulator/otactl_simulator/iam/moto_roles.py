"""Reads roles, users and sessions of moto's in-process IAM as parsed policy documents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.sts.models import sts_backends

from otactl_simulator.iam.policy import Document

PARTITION = "aws"


class MotoIamError(LookupError):
    """Something named is not in moto's IAM, or is not what its name says."""


@dataclass(frozen=True)
class Caller:
    """Who an access key belongs to. `administrator` is a key that no one made, such as a test's."""

    arn: str
    account: str
    policies: Sequence[Document] = ()
    session_policies: Sequence[Document] = ()
    boundaries: Sequence[Document] = ()
    administrator: bool = False


def caller_of(access_key: str, account: str) -> Caller:
    """Return the principal behind an access key; MotoIamError when its role is deleted."""
    for backends in list(sts_backends.values()):
        for backend in list(backends.values()):
            for session in backend.assumed_roles:
                if session.access_key_id == access_key:
                    role = role_of(session.role_arn)
                    name = f"{role.name}/{session.session_name}"
                    limits = [document(session.policy, "the session policy")] if session.policy else []
                    arn = f"arn:{PARTITION}:sts::{role.account_id}:assumed-role/{name}"
                    return Caller(arn, role.account_id, policies_of(role), limits, boundary_of(role))
    for user in iam_backends[account][PARTITION].users.values():
        if any(key.access_key_id == access_key for key in user.access_keys):
            own = [document(text, f"policy {name} of user {user.name}") for name, text in user.policies.items()]
            own += [managed(policy) for policy in user.managed_policies.values()]
            return Caller(user.arn, account, own)
    # Not the root user, for whom IAM itself decides nothing: someone the account lets do everything.
    return Caller(f"arn:{PARTITION}:iam::{account}:user/administrator", account, administrator=True)


def role_of(arn: str) -> Role:
    """Return a role by its ARN."""
    parts = arn.split(":")
    if len(parts) < 6 or not parts[5].startswith("role/"):
        raise MotoIamError(f"{arn!r} is not the ARN of a role")
    for role in iam_backends[parts[4]][parts[1]].get_roles():
        if role.arn == arn:
            return role
    raise MotoIamError(f"role {arn} does not exist")


def policies_of(role: Role) -> Sequence[Document]:
    """Return a role's inline and attached policies."""
    inline = [document(text, f"policy {name} of role {role.name}") for name, text in role.policies.items()]
    return [*inline, *(managed(policy) for policy in role.managed_policies.values())]


def boundary_of(role: Role) -> Sequence[Document]:
    """Return a role's permissions boundary, if it has one."""
    arn = role.permissions_boundary_arn
    if not arn:
        return ()
    policy = iam_backends[role.account_id][role.partition].managed_policies.get(arn)
    if policy is None:
        raise MotoIamError(f"role {role.name} has the permissions boundary {arn}, which does not exist")
    return [managed(policy)]


def managed(policy: ManagedPolicy) -> Document:
    """Return a managed policy's default version."""
    for version in policy.versions:
        if version.version_id == policy.default_version_id:
            return document(version.document, f"policy {policy.arn}")
    raise MotoIamError(f"policy {policy.arn} has no default version {policy.default_version_id}")


def document(text: str | bytes, what: str) -> Document:
    """Return a policy document as parsed JSON."""
    try:
        parsed: object = json.loads(text)
    except ValueError as error:
        raise MotoIamError(f"{what} is not JSON") from error
    if not isinstance(parsed, dict):
        raise MotoIamError(f"{what} is not a JSON object")
    return parsed
