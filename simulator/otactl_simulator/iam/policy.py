"""Evaluates IAM policies: may this principal do this action on this resource, and who may assume a role.

1. An explicit Deny in any policy wins.
2. Within one account an Allow in an identity policy or in the resource's policy is enough; across accounts both sides
   must allow. A resource policy that names only the account delegates: it never suffices alone.
3. A permissions boundary and session policies limit what identity policies and the resource's policy allow to a role;
   a resource policy that names the session itself is not limited by them.
4. A service, a provider or an anonymous caller has no identity policies: the resource's policy decides.
5. A trust policy is a resource policy without Resource; the resource is its role.
6. What is not understood raises UnsupportedPolicyError, whether or not the statement would have mattered: a guess here
   would let a rollout pass that fails on the real service.

Source: IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic" and the element reference.
Organisation policies (SCP, RCP) are outside: they are not the product's to see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from otactl_simulator.iam.conditions import holds, values_of
from otactl_simulator.iam.patterns import (
    Context,
    ContextValue,
    UnresolvedVariableError,
    UnsupportedPolicyError,
    expand,
    matcher,
)
from otactl_simulator.iam.principals import Caller, Grant, caller, excepted, granted

__all__ = ["Decision", "Document", "Request", "UnsupportedPolicyError", "evaluate", "may_assume"]

Document = Mapping[str, object]
"""A policy document as parsed JSON."""


class Decision(Enum):
    """The outcome of an evaluation."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True)
class Request:
    """One call to judge.

    `principal` is an IAM or STS ARN, a service principal, a federated provider or `*`; `resource` an ARN;
    `resource_account` the owner of the resource where its ARN does not say (S3), None for the principal's own account.
    `context` carries the condition keys; aws:PrincipalArn, aws:PrincipalAccount and aws:PrincipalIsAWSService are
    derived unless given.
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, ContextValue] = field(default_factory=dict)
    resource_account: str | None = None


class _Kind(Enum):
    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


@dataclass(frozen=True)
class _Verdict:
    """What one group of policies says: whether any denies, and how strongly any allows."""

    denies: bool
    allows: Grant


_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_VERSIONS = {"2012-10-17", "2008-10-17"}


def evaluate(
    policies: Sequence[Document],
    resource_policies: Sequence[Document],
    request: Request,
    session_policies: Sequence[Document] = (),
    boundaries: Sequence[Document] = (),
) -> Decision:
    """Evaluate a request against the principal's policies, the resource's, and what limits the session.

    `boundaries` is empty when the principal has no permissions boundary; an empty `session_policies` likewise.
    Raises UnsupportedPolicyError.
    """
    return _decide(policies, resource_policies, request, session_policies, boundaries, _Kind.RESOURCE)


def may_assume(
    trust_document: Document,
    principal: str,
    context: Mapping[str, ContextValue],
    *,
    role_arn: str | None = None,
    policies: Sequence[Document] = (),
    action: str = "sts:AssumeRole",
) -> Decision:
    """Decide whether a service principal or an ARN may assume the role that carries a trust document.

    `role_arn` names the role (needed when the caller's account may differ or its own policies count), `policies` are
    the caller's identity policies. Raises UnsupportedPolicyError.
    """
    account = role_arn.split(":")[4] if role_arn else None
    request = Request(principal, action, role_arn or "*", context, account)
    return _decide(policies, [trust_document], request, (), (), _Kind.TRUST)


def _decide(
    policies: Sequence[Document],
    resource_policies: Sequence[Document],
    request: Request,
    session_policies: Sequence[Document],
    boundaries: Sequence[Document],
    resource_kind: _Kind,
) -> Decision:
    who = caller(request.principal)
    context = _context(request, who)
    # every group is read whole, so that an unsupported element is found wherever it stands
    identity = _judge(policies if who.has_identity else (), _Kind.IDENTITY, request, who, context)
    session = _judge(session_policies, _Kind.IDENTITY, request, who, context)
    boundary = _judge(boundaries, _Kind.IDENTITY, request, who, context)
    resource = _judge(resource_policies, resource_kind, request, who, context)
    if any(verdict.denies for verdict in (identity, session, boundary, resource)):
        return Decision.EXPLICIT_DENY
    within_session = not session_policies or session.allows is not Grant.NONE
    within_boundary = not boundaries or boundary.allows is not Grant.NONE
    by_identity = identity.allows is not Grant.NONE and within_session and within_boundary
    if _crosses_accounts(request, who):
        allowed = by_identity and resource.allows is not Grant.NONE
    elif not who.has_identity:
        allowed = resource.allows is not Grant.NONE
    else:
        allowed = (
            (by_identity and (resource_kind is not _Kind.TRUST or resource.allows is not Grant.NONE))
            or resource.allows is Grant.SESSION
            or (resource.allows is Grant.PRINCIPAL and within_session and (within_boundary or who.role_arn is None))
        )
    return Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY


def _crosses_accounts(request: Request, who: Caller) -> bool:
    if who.account is None:
        return False
    parts = request.resource.split(":")
    owner = request.resource_account or (parts[4] if len(parts) > 5 else "") or who.account
    return owner != who.account


def _context(request: Request, who: Caller) -> Context:
    derived: dict[str, ContextValue] = {"aws:PrincipalIsAWSService": "true" if who.kind == "Service" else "false"}
    if who.has_identity and who.account is not None:
        derived |= {"aws:PrincipalArn": who.role_arn or who.text, "aws:PrincipalAccount": who.account}
    known = {key.lower() for key in request.context}
    return Context({k: v for k, v in derived.items() if k.lower() not in known} | dict(request.context))


def _judge(documents: Sequence[Document], kind: _Kind, request: Request, who: Caller, context: Context) -> _Verdict:
    denies, allows = False, Grant.NONE
    for document in documents:
        variables, statements = _statements(document)
        for statement in statements:
            reach = _reach(statement, kind, request, who, context, variables)
            if reach is Grant.NONE:
                continue
            if statement["Effect"] == "Deny":
                denies = True
            else:
                allows = max(allows, reach, key=lambda grant: grant.value)
    return _Verdict(denies, allows)


def _statements(document: Document) -> tuple[bool, list[Mapping[str, object]]]:
    """Read a document's statements, and whether its version has policy variables."""
    if unknown := set(document) - {"Version", "Id", "Statement"}:
        raise UnsupportedPolicyError(f"policy element {sorted(unknown)[0]} is not known")
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise UnsupportedPolicyError(f"policy version {version!r} is not known")
    found = document.get("Statement")
    listed = found if isinstance(found, list) else [found]
    statements = []
    for statement in listed:
        if not isinstance(statement, Mapping):
            raise UnsupportedPolicyError("Statement is neither an object nor a list of objects")
        if unknown := set(statement) - _ELEMENTS:
            raise UnsupportedPolicyError(f"statement element {sorted(unknown)[0]} is not known")
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise UnsupportedPolicyError(f"Effect {statement.get('Effect')!r} is neither Allow nor Deny")
        statements.append(statement)
    return version == "2012-10-17", statements


def _reach(
    statement: Mapping[str, object], kind: _Kind, request: Request, who: Caller, context: Context, variables: bool
) -> Grant:
    """Return how a statement applies to a request: NONE when it does not."""
    if kind is _Kind.TRUST and {"Resource", "NotResource"} & set(statement):
        raise UnsupportedPolicyError("a trust policy has no Resource element; IAM refuses it")
    reach = _principal(statement, kind, who)
    acts = _listed(statement, "Action", request.action, context, variables=False, ignore_case=True)
    here = kind is _Kind.TRUST or _listed(statement, "Resource", request.resource, context, variables=variables)
    met = _met(statement.get("Condition"), context, variables)
    return reach if acts and here and met else Grant.NONE


def _principal(statement: Mapping[str, object], kind: _Kind, who: Caller) -> Grant:
    named = {"Principal", "NotPrincipal"} & set(statement)
    if kind is _Kind.IDENTITY:
        if named:
            raise UnsupportedPolicyError("an identity policy has no Principal element; IAM refuses it")
        return Grant.PRINCIPAL
    if len(named) != 1:
        raise UnsupportedPolicyError(f"a {kind.value} policy statement needs exactly one of Principal and NotPrincipal")
    if "Principal" in named:
        return granted(statement["Principal"], who)
    spared = excepted(statement["NotPrincipal"], who, deny=statement["Effect"] == "Deny")
    return Grant.NONE if spared else Grant.PRINCIPAL


def _listed(
    statement: Mapping[str, object],
    element: str,
    value: str,
    context: Context,
    *,
    variables: bool,
    ignore_case: bool = False,
) -> bool:
    """Return whether Action or Resource, or the absence from NotAction or NotResource, covers a value."""
    present = [name for name in (element, f"Not{element}") if name in statement]
    if len(present) != 1:
        raise UnsupportedPolicyError(f"a statement needs exactly one of {element} and Not{element}")
    patterns = values_of(statement[present[0]], present[0])
    try:
        found = [
            matcher(expand(pattern, context, variables=variables), ignore_case=ignore_case)(value)
            for pattern in patterns
        ]
    except UnresolvedVariableError:
        return False
    return any(found) is (present[0] == element)


def _met(condition: object, context: Context, variables: bool) -> bool:
    if condition is None:
        return True
    if not isinstance(condition, Mapping):
        raise UnsupportedPolicyError("Condition is not an object of operators")
    return holds(condition, context, variables=variables)
