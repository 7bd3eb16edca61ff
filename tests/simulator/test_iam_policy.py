"""IAM's documented evaluation logic as tables: who wins, what matches, what two accounts need, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from otactl_simulator.iam.policy import Decision, Document, UnsupportedPolicyError, evaluate
from tests.support.simulator.iam_documents import (
    ACCOUNT,
    ALLOWED,
    EXPLICIT,
    IMPLICIT,
    OBJECT,
    OTHER,
    ROLE,
    ROOT,
    SESSION,
    USER,
    allow,
    asked,
    deny,
    policy,
)


@pytest.mark.parametrize(
    ("identity", "resource", "expected"),
    [
        ([], [], IMPLICIT),
        ([allow()], [], ALLOWED),
        ([], [allow(Principal="*")], ALLOWED),
        ([], [allow(Principal={"AWS": ROLE})], ALLOWED),
        ([], [allow(Principal={"AWS": USER})], IMPLICIT),
        ([], [allow(Principal={"AWS": ROOT})], IMPLICIT),  # delegation alone is no grant
        ([allow(), deny()], [], EXPLICIT),
        ([deny()], [], EXPLICIT),
        ([allow()], [deny(Principal="*")], EXPLICIT),
        ([allow()], [deny(Principal={"AWS": USER})], ALLOWED),
        ([allow()], [deny(Principal={"AWS": ROOT})], EXPLICIT),
        ([allow()], [deny(Principal={"AWS": ACCOUNT})], EXPLICIT),
        ([deny(Resource="arn:aws:s3:::images/other/*"), allow()], [], ALLOWED),
    ],
)
def test_an_explicit_deny_wins_and_one_allow_suffices_in_one_account(
    identity: list[dict[str, Any]], resource: list[dict[str, Any]], expected: Decision
) -> None:
    assert evaluate([policy(*identity)], [policy(*resource)], asked()) is expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"Action": "s3:*"}, ALLOWED),
        ({"Action": "*"}, ALLOWED),
        ({"Action": "S3:getobject"}, ALLOWED),
        ({"Action": "s3:Get?bject"}, ALLOWED),
        ({"Action": "s3:GetObjec?t"}, IMPLICIT),
        ({"Action": "s3:GetObjectVersion"}, IMPLICIT),
        ({"Action": ["s3:PutObject", "s3:GetObject"]}, ALLOWED),
        ({"NotAction": "s3:PutObject"}, ALLOWED),
        ({"NotAction": "s3:Get*"}, IMPLICIT),
        ({"NotAction": ["iam:*", "s3:*"]}, IMPLICIT),
        ({"Resource": OBJECT}, ALLOWED),
        ({"Resource": OBJECT.upper()}, IMPLICIT),
        ({"Resource": "arn:aws:s3:::images/*"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::image?/*"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::images"}, IMPLICIT),
        ({"Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::images/soil/*"]}, ALLOWED),
        ({"NotResource": "arn:aws:s3:::images/private/*"}, ALLOWED),
        ({"NotResource": "arn:aws:s3:::images/soil/*"}, IMPLICIT),
        ({"Resource": "arn:aws:s3:::images/soil/probe[.]bin"}, IMPLICIT),
    ],
)
def test_actions_and_resources_match_as_documented(elements: dict[str, Any], expected: Decision) -> None:
    assert evaluate([policy(allow(**elements))], [], asked()) is expected


def test_a_deny_with_not_action_denies_everything_else() -> None:
    policies = [policy(allow(Action="*"), deny(NotAction="s3:GetObject"))]
    assert evaluate(policies, [], asked()) is ALLOWED
    assert evaluate(policies, [], asked(action="s3:PutObject")) is EXPLICIT


def test_a_single_statement_may_stand_without_a_list() -> None:
    assert evaluate([{"Version": "2012-10-17", "Statement": allow()}], [], asked()) is ALLOWED


@pytest.mark.parametrize(
    ("identity", "resource", "expected"),
    [
        ([allow()], [], IMPLICIT),
        ([], [allow(Principal={"AWS": ROLE})], IMPLICIT),
        ([allow()], [allow(Principal={"AWS": ROLE})], ALLOWED),
        ([allow()], [allow(Principal={"AWS": ROOT})], ALLOWED),
        ([allow()], [allow(Principal={"AWS": ACCOUNT})], ALLOWED),
        ([allow()], [allow(Principal={"AWS": OTHER})], IMPLICIT),
        ([allow()], [allow(Principal="*")], ALLOWED),
        ([allow()], [allow(Principal={"AWS": ROOT}), deny(Principal="*")], EXPLICIT),
        ([deny()], [allow(Principal={"AWS": ROLE})], EXPLICIT),
    ],
)
def test_across_accounts_both_sides_must_allow(
    identity: list[dict[str, Any]], resource: list[dict[str, Any]], expected: Decision
) -> None:
    request = asked(resource_account=OTHER)
    assert evaluate([policy(*identity)], [policy(*resource)], request) is expected


def test_the_owner_named_in_an_arn_decides_which_account_a_resource_is_in() -> None:
    request = asked(action="sqs:SendMessage", resource=f"arn:aws:sqs:eu-west-1:{OTHER}:queue")
    assert evaluate([policy(allow(Action="sqs:*"))], [], request) is IMPLICIT


@pytest.mark.parametrize(
    ("session", "boundary", "expected"),
    [
        ([allow()], [], ALLOWED),
        ([allow(Action="s3:PutObject")], [], IMPLICIT),
        ([deny()], [], EXPLICIT),
        ([], [allow()], ALLOWED),
        ([], [allow(Action="ec2:*")], IMPLICIT),
        ([], [deny()], EXPLICIT),
        ([allow()], [allow(Action="ec2:*")], IMPLICIT),
        ([allow()], [allow()], ALLOWED),
    ],
)
def test_session_policies_and_boundaries_limit_what_identity_policies_allow(
    session: list[dict[str, Any]], boundary: list[dict[str, Any]], expected: Decision
) -> None:
    sessions = [policy(*session)] if session else []
    boundaries = [policy(*boundary)] if boundary else []
    assert evaluate([policy(allow())], [], asked(SESSION), sessions, boundaries) is expected


@pytest.mark.parametrize(
    ("named", "principal", "session", "boundary", "expected"),
    [
        (ROLE, SESSION, True, False, IMPLICIT),
        (ROLE, SESSION, False, True, IMPLICIT),
        (SESSION, SESSION, True, True, ALLOWED),
        (USER, USER, False, True, ALLOWED),
    ],
)
def test_a_resource_policy_escapes_limits_only_when_it_names_the_session_or_user(
    named: str, principal: str, session: bool, boundary: bool, expected: Decision
) -> None:
    limit = [policy(allow(Action="ec2:*"))]
    resource = [policy(allow(Principal={"AWS": named}))]
    sessions, boundaries = limit if session else [], limit if boundary else []
    assert evaluate([], resource, asked(principal), sessions, boundaries) is expected


def test_a_variable_stands_for_the_request_value_literally() -> None:
    statement = allow(Resource="arn:aws:s3:::images/${aws:PrincipalTag/site}/*")
    for site, expected in [("soil", ALLOWED), ("so*", IMPLICIT), ("air", IMPLICIT)]:
        request = asked(context={"aws:PrincipalTag/site": site})
        assert evaluate([policy(statement)], [], request) is expected


def test_a_statement_with_a_variable_without_value_applies_to_nothing() -> None:
    named, spared = "arn:aws:s3:::images/${aws:username}/*", "arn:aws:s3:::${aws:username}/*"
    assert evaluate([policy(allow(Resource=named))], [], asked()) is IMPLICIT
    assert evaluate([policy(allow(), deny(NotResource=spared))], [], asked()) is ALLOWED


def test_a_variable_may_have_a_default() -> None:
    statement = allow(Resource="arn:aws:s3:::images/${aws:username, 'soil'}/*")
    assert evaluate([policy(statement)], [], asked()) is ALLOWED


def test_variables_are_plain_text_before_their_version() -> None:
    request = asked(resource="arn:aws:s3:::images/${aws:username}", context={"aws:username": "ada"})
    statement = allow(Resource="arn:aws:s3:::images/${aws:username}")
    assert evaluate([policy(statement, version="2008-10-17")], [], request) is ALLOWED
    assert evaluate([policy(statement)], [], request) is IMPLICIT


def test_escaped_wildcards_are_characters() -> None:
    statement = allow(Resource="arn:aws:s3:::images/${*}")
    assert evaluate([policy(statement)], [], asked(resource="arn:aws:s3:::images/*")) is ALLOWED
    assert evaluate([policy(statement)], [], asked(resource="arn:aws:s3:::images/a")) is IMPLICIT


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (policy({**allow(), "Effect": "allow"}), "Effect 'allow'"),
        (policy({**allow(), "Condition ": {}}), "element Condition  is not known"),
        (policy(allow(), version="2020-01-01"), "version '2020-01-01'"),
        ({"Version": "2012-10-17", "Statements": []}, "element Statements"),
        ({"Version": "2012-10-17"}, "Statement is neither"),
        (policy({"Effect": "Allow", "Resource": "*"}), "exactly one of Action and NotAction"),
        (policy({"Effect": "Allow", "Action": "*"}), "exactly one of Resource and NotResource"),
        (policy(allow(Action="s3:*") | {"NotAction": "iam:*"}), "exactly one of Action"),
        (policy(allow(Principal="*")), "identity policy has no Principal"),
        (policy(allow(Condition="x")), "Condition is not an object"),
        (policy(allow(Condition={"StringEquals": "x"})), "does not hold an object"),
        (policy(allow(Condition={"StringMatches": {"aws:x": "y"}})), "StringMatches is not known"),
        (policy(allow(Condition={"SomeValues:StringLike": {"aws:x": "y"}})), "unknown prefix SomeValues"),
        (policy(allow(Condition={"StringEquals": {"aws:x": {"a": 1}}})), "neither text, number nor boolean"),
        (policy(allow(Resource="arn:aws:s3:::${aws:x")), "opens a variable"),
        (policy(allow(Resource="arn:aws:s3:::${x}")), r"is not \$\{service:key\}"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(document: Document, what: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match=what):
        evaluate([document], [], asked())


def test_an_unknown_operator_is_found_behind_a_statement_that_does_not_apply() -> None:
    hidden = allow(Action="ec2:*", Condition={"StringEquals": {"aws:x": "1"}, "Sounds": {"aws:x": "1"}})
    with pytest.raises(UnsupportedPolicyError, match="Sounds"):
        evaluate([policy(allow(), hidden)], [], asked())
