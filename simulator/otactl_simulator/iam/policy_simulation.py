"""Judges callers as IAM would when the switch `enforceCallers` is on; otherwise every key may do everything.

1. A key that no one made is an administrator's and may do all; sessions and users have what their policies give.
2. Every need of a request must be allowed; the refusal names the first that is not, as AWS words it.
3. S3 answers 403, not 404, for an object that is missing, to who may not list its bucket.
4. Requests reach a service over TLS; how they reach this simulator says nothing of that.
5. AssumeRole needs the role's trust policy; GetCallerIdentity needs nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape

from moto.s3.models import s3_backends

from otactl_simulator.iam.moto_roles import Caller, MotoIamError, boundary_of, caller_of, document, policies_of, role_of
from otactl_simulator.iam.patterns import ContextValue
from otactl_simulator.iam.policy import Decision, Document, Request, evaluate, may_assume
from otactl_simulator.iam.required_permissions import Need


def refusal(access_key: str, account: str, region: str, needs: Sequence[Need]) -> str:
    """Return why a key's holder may not make a request, or ""; passes UnsupportedPolicyError through."""
    try:
        caller = caller_of(access_key, account)
    except MotoIamError as error:
        return f"the security token is of no use: {error}"
    return next((_said(caller, n) for n in needs if _judge(caller, n, region) is not Decision.ALLOWED), "")


def _judge(caller: Caller, need: Need, region: str) -> Decision:
    resource_policies, owner = _bucket_policy(need.bucket)
    if caller.administrator and not resource_policies:
        return Decision.ALLOWED
    everything: Document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    context: dict[str, ContextValue] = {
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": region,
        **need.context,
    }
    return evaluate(
        [everything] if caller.administrator else caller.policies,
        resource_policies,
        Request(caller.arn, need.action, need.resource, context, owner),
        caller.session_policies,
        caller.boundaries,
    )


def _bucket_policy(name: str | None) -> tuple[list[Document], str | None]:
    owner = s3_backends.bucket_accounts.get(name) if name else None
    if name is None or owner is None:
        return [], None
    partition, account = owner
    bucket = s3_backends[account][partition].get_bucket(name)
    return ([document(bucket.policy, f"the policy of bucket {name}")] if bucket.policy else []), account


def _said(caller: Caller, need: Need) -> str:
    return need.words or f"User: {caller.arn} is not authorized to perform: {need.action} on resource: {need.resource}"


def hides_missing(access_key: str, account: str, region: str, bucket: str) -> bool:
    """Return whether a missing object of this bucket is to be answered 403 (rule 3)."""
    return bool(refusal(access_key, account, region, [Need("s3:ListBucket", f"arn:aws:s3:::{bucket}", bucket=bucket)]))


def may_not_assume(access_key: str, account: str, role_arn: str) -> str:
    """Return why the holder of a key may not assume a role; empty when it may."""
    try:
        caller, role = caller_of(access_key, account), role_of(role_arn)
        trust = document(role.assume_role_policy_document, f"the trust policy of role {role.name}")
    except MotoIamError as error:
        return str(error)
    own: list[Document] = [
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    ]
    decision = may_assume(
        trust, caller.arn, {}, role_arn=role_arn, policies=own if caller.administrator else caller.policies
    )
    return "" if decision is Decision.ALLOWED else _said(caller, Need("sts:AssumeRole", role_arn))


def token_may_not_assume(token: str, role_arn: str) -> str:
    """Return why the bearer of a web identity token may not assume a role; empty when it may.

    Its claims are taken as they are: whether the issuer signed it is the issuer's matter, and no one's here.
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer = str(claims["iss"]).removeprefix("https://")
        role = role_of(role_arn)
        trust = document(role.assume_role_policy_document, f"the trust policy of role {role.name}")
    except (IndexError, KeyError, TypeError, ValueError, MotoIamError) as error:
        return f"the token or the role is of no use: {error}"
    context: dict[str, ContextValue] = {f"{issuer}:{name}": str(claims.get(name)) for name in ("aud", "sub")}
    provider = f"arn:aws:iam::{role.account_id}:oidc-provider/{issuer}"
    decision = may_assume(trust, provider, context, role_arn=role_arn, action="sts:AssumeRoleWithWebIdentity")
    said = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    return "" if decision is Decision.ALLOWED else said


def simulated(given: Mapping[str, Sequence[str]]) -> str:
    """Return the answer to SimulatePrincipalPolicy, as IAM's XML; MotoIamError for a principal that is not there.

    Source: IAM API reference. The role's own policies and boundary count, and a resource policy only if it is given.
    """
    role = role_of(given["PolicySourceArn"][0])
    resources = _members(given, "ResourceArns.member.") or ["*"]
    extra = [document(text, "ResourcePolicy") for text in given.get("ResourcePolicy", ())]
    context = _entries(given)
    results = []
    for action in _members(given, "ActionNames.member."):
        for resource in resources:
            request = Request(role.arn, action, resource, context, role.account_id)
            decision = evaluate(policies_of(role), extra, request, boundaries=boundary_of(role))
            results.append(
                f"<member><EvalActionName>{escape(action)}</EvalActionName>"
                f"<EvalResourceName>{escape(resource)}</EvalResourceName>"
                f"<EvalDecision>{decision.value}</EvalDecision>"
                "<MatchedStatements/><MissingContextValues/></member>"
            )
    body = f"<IsTruncated>false</IsTruncated><EvaluationResults>{''.join(results)}</EvaluationResults>"
    inner = f"<SimulatePrincipalPolicyResult>{body}</SimulatePrincipalPolicyResult>"
    return f'<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">{inner}</SimulatePrincipalPolicyResponse>'


def _members(given: Mapping[str, Sequence[str]], prefix: str) -> list[str]:
    found: list[str] = []
    while (key := f"{prefix}{len(found) + 1}") in given:
        found.append(given[key][0])
    return found


def _entries(given: Mapping[str, Sequence[str]]) -> dict[str, ContextValue]:
    found: dict[str, ContextValue] = {}
    number = 1
    while (name := f"ContextEntries.member.{number}.ContextKeyName") in given:
        values = _members(given, f"ContextEntries.member.{number}.ContextKeyValues.member.")
        found[given[name][0]] = values[0] if len(values) == 1 else values
        number += 1
    return found
