"""Identifies the caller of a request, and matches it against a policy's Principal element.

1. A principal is an ARN, an AWS service (`iotwireless.amazonaws.com`), a federated provider, or anyone (`*`).
2. An account (`111122223333` or its root ARN) means everyone in it, by delegation: their own policies decide.
3. A role's session is meant by its own ARN, by its role's and by its account's.
4. A principal id such as `AROA...` names a deleted principal and matches no one.

Source: IAM user guide, "AWS JSON policy elements: Principal" and "NotPrincipal".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from otactl_simulator.iam.conditions import values_of
from otactl_simulator.iam.patterns import UnsupportedPolicyError

_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)")
_FEDERATED = re.compile(
    r"cognito-identity\.amazonaws\.com|accounts\.google\.com|www\.amazon\.com|graph\.facebook\.com"
    r"|arn:[a-z-]+:iam::\d{12}:(saml|oidc)-provider/.+"
)
_ARN = re.compile(r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>\d{12}):(?P<rest>.+)")
_ACCOUNT = re.compile(r"\d{12}")
_DELETED = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")
_KINDS = ("AWS", "Service", "Federated")


class Grant(Enum):
    """How directly a Principal element names someone; the order is that of strength."""

    NONE = 0
    ACCOUNT = 1
    """Delegated to the account: the principal's own policies must allow as well."""
    PRINCIPAL = 2
    """The role, user or everyone: enough on its own within the account, within boundary and session policies."""
    SESSION = 3
    """The session itself: not limited by boundary or session policies."""


@dataclass(frozen=True)
class Caller:
    """A request's principal, taken apart. `names` runs from the most specific ARN to the account's root."""

    text: str
    kind: str
    account: str | None
    names: tuple[str, ...]
    role_arn: str | None

    @property
    def has_identity(self) -> bool:
        """Return whether identity policies can exist for it: services, providers and anonymous callers have none."""
        return self.kind == "AWS" and self.text != "*"


def caller(principal: str) -> Caller:
    """Parse a principal; raises UnsupportedPolicyError when it is none IAM knows."""
    if principal == "*":
        return Caller("*", "AWS", None, (), None)
    if _FEDERATED.fullmatch(principal):
        return Caller(principal, "Federated", None, (principal,), None)
    if _SERVICE.fullmatch(principal):
        return Caller(principal, "Service", None, (principal,), None)
    if (parts := _ARN.fullmatch(principal)) is None:
        raise UnsupportedPolicyError(f"principal {principal!r} is neither an IAM or STS ARN, a service nor a provider")
    root = f"arn:{parts['partition']}:iam::{parts['account']}:root"
    rest = parts["rest"]
    if rest == "root":
        raise UnsupportedPolicyError(
            f"principal {principal!r}: policies do not decide what an account's root user may do"
        )
    if parts["service"] == "sts" and rest.startswith("assumed-role/"):
        role = f"arn:{parts['partition']}:iam::{parts['account']}:role/{rest.split('/')[1]}"
        return Caller(principal, "AWS", parts["account"], (principal, role, root), role)
    role_arn = principal if rest.startswith("role/") else None
    return Caller(principal, "AWS", parts["account"], (principal, root), role_arn)


def granted(element: object, who: Caller) -> Grant:
    """Return how a Principal element names a caller."""
    return max((_names(kind, text, who) for kind, text in _entries(element)), key=lambda g: g.value, default=Grant.NONE)


def excepted(element: object, who: Caller, *, deny: bool) -> bool:
    """Return whether a NotPrincipal element spares a caller.

    With Deny the caller is spared only when its session, role and account are all listed (user guide, NotPrincipal).
    """
    entries = list(_entries(element))
    if any(text == "*" for _, text in entries):
        return True
    if not deny:
        return granted(element, who) is not Grant.NONE
    return bool(who.names) and all(any(_same(kind, text, name, who) for kind, text in entries) for name in who.names)


def _entries(element: object) -> list[tuple[str, str]]:
    if element == "*":
        return [("AWS", "*")]
    if not isinstance(element, Mapping) or not element:
        raise UnsupportedPolicyError('Principal is neither "*" nor an object of AWS, Service or Federated')
    entries = []
    for kind, named in element.items():
        if kind not in _KINDS:
            raise UnsupportedPolicyError(f"Principal kind {kind} is not evaluated; AWS, Service and Federated are")
        entries += [(str(kind), _checked(str(kind), text)) for text in values_of(named, f"Principal {kind}")]
    return entries


def _checked(kind: str, text: str) -> str:
    if text == "*" and kind != "Federated":
        return text
    if "*" in text or "?" in text:
        raise UnsupportedPolicyError(f"Principal {kind} {text!r}: IAM takes no wildcard inside a principal")
    known = {
        "AWS": lambda: _ARN.fullmatch(text) or _ACCOUNT.fullmatch(text) or _DELETED.fullmatch(text),
        "Service": lambda: _SERVICE.fullmatch(text),
        "Federated": lambda: _FEDERATED.fullmatch(text),
    }[kind]()
    if not known:
        raise UnsupportedPolicyError(f"Principal {kind} {text!r} is not one IAM knows")
    return text


def _names(kind: str, text: str, who: Caller) -> Grant:
    if text == "*":
        # "*" and {"AWS": "*"} both mean everyone; {"Service": "*"} means services only
        return Grant.PRINCIPAL if kind == "AWS" or who.kind == kind else Grant.NONE
    for name in who.names:
        if _same(kind, text, name, who):
            if name.endswith(":root"):
                return Grant.ACCOUNT
            return Grant.SESSION if ":assumed-role/" in name else Grant.PRINCIPAL
    return Grant.NONE


def _same(kind: str, text: str, name: str, who: Caller) -> bool:
    if kind != who.kind:
        return False
    if _ACCOUNT.fullmatch(text):
        return name.endswith(":root") and who.account == text
    if name == who.role_arn and name != who.text:
        # a session's ARN does not carry its role's path, so the role is known by partition, account and last name
        prefix, _, last = name.rpartition("/")
        return text.startswith(prefix + "/") and text.rpartition("/")[2] == last
    return text == name
