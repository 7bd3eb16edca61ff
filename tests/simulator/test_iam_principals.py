"""Who a policy means: sessions, roles, accounts, services and providers, and who may assume a role."""

from __future__ import annotations

from typing import Any

import pytest

from otactl_simulator.iam.policy import Decision, Document, UnsupportedPolicyError, evaluate, may_assume
from tests.support.simulator.iam_documents import (
    ACCOUNT,
    ALLOWED,
    EXPLICIT,
    IMPLICIT,
    OTHER,
    ROLE,
    ROOT,
    SERVICE,
    SESSION,
    USER,
    allow,
    asked,
    deny,
    policy,
    trust,
)


@pytest.mark.parametrize(
    ("principal", "named", "expected"),
    [
        (SESSION, ROLE, ALLOWED),
        (SESSION, f"arn:aws:iam::{ACCOUNT}:role/path/updater", ALLOWED),
        (SESSION, f"arn:aws:iam::{ACCOUNT}:role/other", IMPLICIT),
        (SESSION, SESSION, ALLOWED),
        (ROLE, SESSION, IMPLICIT),
        (SESSION, f"arn:aws:sts::{ACCOUNT}:assumed-role/updater/day", IMPLICIT),
        (ROLE, "AROAEXAMPLEDELETED12", IMPLICIT),
        ("*", "*", ALLOWED),
        ("*", ACCOUNT, IMPLICIT),
    ],
)
def test_a_principal_is_met_by_its_own_names_only(principal: str, named: str, expected: Decision) -> None:
    resource = [policy(allow(Principal={"AWS": named}))]
    assert evaluate([], resource, asked(principal)) is expected


@pytest.mark.parametrize(
    ("listed", "principal", "expected"),
    [
        ([ROLE, ROOT], ROLE, ALLOWED),
        ([ROLE], ROLE, EXPLICIT),  # the account must be listed as well
        ([ROLE, ROOT], SESSION, EXPLICIT),  # and the session
        ([SESSION, ROLE, ROOT], SESSION, ALLOWED),
        ([USER, ROOT], ROLE, EXPLICIT),
    ],
)
def test_a_deny_with_not_principal_spares_who_is_listed_whole(
    listed: list[str], principal: str, expected: Decision
) -> None:
    resource = [policy(deny(NotPrincipal={"AWS": listed}))]
    assert evaluate([policy(allow())], resource, asked(principal)) is expected


def test_an_allow_with_not_principal_allows_everyone_else() -> None:
    resource = [policy(allow(NotPrincipal={"AWS": USER}))]
    assert evaluate([], resource, asked(USER)) is IMPLICIT
    assert evaluate([], resource, asked(ROLE)) is ALLOWED


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (trust(Principal={"Service": SERVICE}), ALLOWED),
        (trust(Principal={"Service": ["iot.amazonaws.com", SERVICE]}), ALLOWED),
        (trust(Principal={"Service": "iot.amazonaws.com"}), IMPLICIT),
        (trust(Principal={"AWS": ROLE}), IMPLICIT),
        (trust(Principal={"Service": SERVICE}, Action="sts:*"), ALLOWED),
        (trust(Principal={"Service": SERVICE}, Action="sts:TagSession"), IMPLICIT),
        (trust(Principal={"Service": SERVICE}, Effect="Deny"), EXPLICIT),
        (trust(NotPrincipal={"Service": SERVICE}), IMPLICIT),
        (trust(Principal={"Service": SERVICE}, Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}), ALLOWED),
        (trust(Principal={"Service": SERVICE}, Condition={"StringEquals": {"aws:SourceAccount": OTHER}}), IMPLICIT),
        (trust(Principal={"Service": SERVICE}, Condition={"StringEquals": {"sts:ExternalId": "x"}}), IMPLICIT),
        (trust(Principal={"Service": SERVICE}, Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}}), ALLOWED),
        (
            trust(
                Principal={"Service": SERVICE},
                Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:iotwireless:*:{ACCOUNT}:FuotaTask/*"}},
            ),
            ALLOWED,
        ),
    ],
)
def test_a_service_may_assume_a_role_that_trusts_it(document: Document, expected: Decision) -> None:
    context = {
        "aws:SourceAccount": ACCOUNT,
        "aws:SourceArn": f"arn:aws:iotwireless:eu-west-1:{ACCOUNT}:FuotaTask/1",
    }
    assert may_assume(document, SERVICE, context) is expected


ASSUME = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})


@pytest.mark.parametrize(
    ("named", "role_account", "policies", "expected"),
    [
        (USER, ACCOUNT, [], ALLOWED),
        (ROOT, ACCOUNT, [], IMPLICIT),
        (ROOT, ACCOUNT, [ASSUME], ALLOWED),
        (f"arn:aws:iam::{ACCOUNT}:user/bob", ACCOUNT, [ASSUME], IMPLICIT),
        (USER, OTHER, [], IMPLICIT),
        (USER, OTHER, [ASSUME], ALLOWED),
        (ROOT, OTHER, [ASSUME], ALLOWED),
    ],
)
def test_a_user_may_assume_a_role_when_its_trust_and_its_own_policies_agree(
    named: str, role_account: str, policies: list[Document], expected: Decision
) -> None:
    role = f"arn:aws:iam::{role_account}:role/target"
    assert may_assume(trust(Principal={"AWS": named}), USER, {}, role_arn=role, policies=policies) is expected


def test_a_federated_provider_is_its_own_kind_of_principal() -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    document = trust(Principal={"Federated": provider}, Action="sts:AssumeRoleWithWebIdentity")
    assert may_assume(document, provider, {}, action="sts:AssumeRoleWithWebIdentity") is ALLOWED
    assert may_assume(document, provider, {}) is IMPLICIT


@pytest.mark.parametrize(
    ("element", "what"),
    [
        ({"Principal": "everyone"}, "neither"),
        ({"Principal": {"CanonicalUser": "79a5"}}, "kind CanonicalUser"),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:role/*"}}, "no wildcard inside"),
        ({"Principal": {"AWS": "ada"}}, "'ada' is not one"),
        ({"Principal": {"Service": "iotwireless"}}, "'iotwireless' is not one"),
        ({}, "exactly one of Principal"),
    ],
)
def test_a_principal_that_is_not_understood_is_refused(element: dict[str, Any], what: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match=what):
        evaluate([], [policy(allow(**element))], asked())


def test_a_trust_policy_with_a_resource_is_refused() -> None:
    with pytest.raises(UnsupportedPolicyError, match="no Resource"):
        may_assume(trust(Principal={"Service": SERVICE}, Resource="*"), SERVICE, {})


@pytest.mark.parametrize("principal", ["ada", ROOT, "arn:aws:s3:::images"])
def test_a_caller_that_policies_do_not_decide_about_is_refused(principal: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match="principal"):
        evaluate([], [], asked(principal))
