"""Refuses, while the program runs, what must never be: public buckets or databases, wildcard trust, no encryption.

1. Every resource of the program is checked, whoever declares it; the first that must not be ends the program.
2. A bucket of a store has its policy, versioning, encryption and block of public access, or the program ends.
3. What is known only while AWS works (a policy with a key's ARN in it) is checked as soon as it is known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pulumi

PUBLIC = ("authenticated-read", "public-read", "public-read-write")
PRIVATE = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
PARTS = ("versioning", "encryption", "private", "policy")
# A statement for everyone is one for a few where a condition names the account, the principal or the source.
NARROWING = ("aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceaccount", "aws:sourcearn")


class NeverError(pulumi.RunError):
    """A resource is what must never be; Pulumi shows the message without a traceback."""


class Guardrails:
    """Checks the resources of one program; `finish` checks what is missing."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._buckets: set[str] = set()

    def transform(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Check a resource before it is registered."""
        kind = str(args.type_)
        if not kind.startswith("aws:"):
            return None
        self._seen.add(args.name)
        if kind.endswith(":Bucket") and args.name.endswith("-bucket"):
            self._buckets.add(args.name.removesuffix("-bucket"))
        props = {_camel(name): value for name, value in dict(args.props).items() if value is not None}
        checked = False
        for name, check in (CHECKS.get(kind) or CHECKS.get(kind.rsplit(":", 1)[-1], {})).items():
            value = props.get(name)
            if isinstance(value, pulumi.Output):
                raw = _raw_name(args.props, name)
                args.props[raw] = value.apply(_later(args.name, check))  # type: ignore[index]  # declared as a read-only mapping; the SDK passes a dict
                checked = True
            else:
                _refuse(args.name, check(value))
        return pulumi.ResourceTransformationResult(args.props, args.opts) if checked else None

    def finish(self) -> None:
        """Refuse a bucket of a store that lacks a part."""
        for stem in sorted(self._buckets):
            for part in PARTS:
                if f"{stem}-{part}" not in self._seen:
                    raise NeverError(f"otactl: {stem}-bucket has no {part}; declare {stem}-{part}")


def public_acl(value: object) -> str:
    """Return what is wrong with a canned ACL."""
    return f"has the ACL {value}, which is public; leave it out" if value in PUBLIC else ""


def not_blocked(value: object) -> str:
    """Return what is wrong with a switch of the block of public access."""
    return "" if value is True else "leaves a switch of the block of public access off; set all four to True"


def no_versions(value: object) -> str:
    """Return what is wrong with a bucket's versioning."""
    status = _get(value, "status")
    return (
        ""
        if status == "Enabled" or isinstance(status, pulumi.Output)
        else f"has versioning {status}; set status to Enabled"
    )


def not_encrypted(value: object) -> str:
    """Return what is wrong with a bucket's encryption."""
    rules = value if isinstance(value, list) else []
    used = [_get(_get(rule, "applyServerSideEncryptionByDefault"), "sseAlgorithm") for rule in rules]
    if used and all(algorithm in ENCRYPTIONS for algorithm in used):
        return ""
    return f"encrypts with {used or 'nothing'}; use one of {', '.join(ENCRYPTIONS)}"


def public_policy(value: object) -> str:
    """Return what is wrong with a resource's policy: a statement that allows everyone."""
    for statement in _allowed(value):
        if _everyone(statement.get("Principal")) and not _narrowed(statement):
            return f"allows everyone {statement.get('Action')}; name principals, or their account in a condition"
    return ""


def wildcard_trust(value: object) -> str:
    """Return what is wrong with a trust policy: everyone, or every subject of an identity provider."""
    for statement in _allowed(value):
        principal = statement.get("Principal")
        if _everyone(principal):
            return "trusts everyone; name the principals"
        if isinstance(principal, Mapping) and "Federated" in principal:
            subjects = [s for key, found in _conditions(statement) if key.endswith(":sub") for s in found]
            if not subjects or any("*" in s for s in subjects):
                return "trusts every workflow of an identity provider; name its subjects in full"
    return ""


def wildcard_action(value: object) -> str:
    """Return what is wrong with an identity's policy: an action with a wildcard on everything."""
    for statement in _allowed(value):
        broad = [a for a in _listed(statement.get("Action")) if "*" in a]
        if (broad and "*" in _listed(statement.get("Resource"))) or "NotAction" in statement:
            return f"allows {broad or 'every other action'} on everything; name the actions and their resources"
    return ""


def public_database(value: object) -> str:
    """Return what is wrong with a database's address."""
    return "has a public address; set publicly_accessible to False" if value is not False else ""


def plain_storage(value: object) -> str:
    """Return what is wrong with a database's storage."""
    return "" if value is True else "stores in the clear; set storage_encrypted to True"


def from_everywhere(value: object) -> str:
    """Return what is wrong with the addresses that come in through a security group."""
    found = value if isinstance(value, str) else ""
    return f"lets in {found}, which is everyone; name the security group that comes in" if found.endswith("/0") else ""


def public_task(value: object) -> str:
    """Return what is wrong with the network of a service of ECS."""
    public = _get(value, "assignPublicIp") if value is not None else None
    return "gives its tasks public addresses; leave assign_public_ip out" if public not in (None, False) else ""


Check = Callable[[object], str]
CHECKS: Mapping[str, Mapping[str, Check]] = {
    "Bucket": {"acl": public_acl},
    "BucketAcl": {"acl": public_acl},
    "BucketPublicAccessBlock": dict.fromkeys(PRIVATE, not_blocked),
    "BucketVersioning": {"versioningConfiguration": no_versions},
    "BucketServerSideEncryptionConfiguration": {"rules": not_encrypted},
    "BucketPolicy": {"policy": public_policy},
    "Key": {"policy": public_policy},
    "Role": {"assumeRolePolicy": wildcard_trust},
    "RolePolicy": {"policy": wildcard_action},
    "Policy": {"policy": wildcard_action},
    "aws:rds/instance:Instance": {"publiclyAccessible": public_database, "storageEncrypted": plain_storage},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": dict.fromkeys(
        ("cidrIpv4", "cidrIpv6"), from_everywhere
    ),
    "aws:ecs/service:Service": {"networkConfiguration": public_task},
}


def _later(name: str, check: Check) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        _refuse(name, check(value))
        return value

    return checked


def _refuse(name: str, reason: str) -> None:
    if reason:
        raise NeverError(f"otactl: {name} {reason}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _raw_name(props: Any, name: str) -> str:
    return str(next(raw for raw in dict(props) if _camel(raw) == name))


def _get(value: Any, name: str) -> Any:
    """Return a property of an object of arguments or of a mapping, by Pulumi's name."""
    if isinstance(value, Mapping):
        return next((v for k, v in value.items() if _camel(str(k)) == name), None)
    return next((getattr(value, k) for k in dir(value) if _camel(k) == name), None)


def _allowed(value: object) -> Iterator[Mapping[str, Any]]:
    document = json.loads(value) if isinstance(value, str) else value
    statements = document.get("Statement", []) if isinstance(document, Mapping) else []
    for statement in statements if isinstance(statements, list) else [statements]:
        if statement.get("Effect") == "Allow":
            yield statement


def _everyone(principal: object) -> bool:
    return principal == "*" or (isinstance(principal, Mapping) and "*" in _listed(principal.get("AWS")))


def _narrowed(statement: Mapping[str, Any]) -> bool:
    return any(key in NARROWING and "*" not in found for key, found in _conditions(statement))


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys that must match, in small letters, with their values."""
    for operator, keys in statement.get("Condition", {}).items():
        if operator.startswith(("StringEquals", "StringLike", "ArnEquals", "ArnLike")):
            for key, value in keys.items():
                yield key.lower(), _listed(value)


def _listed(value: object) -> list[str]:
    return [] if value is None else [str(v) for v in value] if isinstance(value, list) else [str(value)]
