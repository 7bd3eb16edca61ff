"""The cautious preflight of roles: tables for what it says, and a property against the full evaluator."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otactl.backends.aws.iam_policy import Answer, Decision, may_read, trusts
from otactl_simulator.iam.policy import Decision as SimulatorDecision
from otactl_simulator.iam.policy import Request, evaluate, may_assume
from tests.support.sampling import examples

YES, NO, UNDECIDED = Decision.YES, Decision.NO, Decision.UNDECIDED
SERVICE = "iotwireless.amazonaws.com"
ACCOUNT, OTHER = "111122223333", "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/fuota/updater"
BUCKET, KEY = "arn:aws:s3:::images", "soil/probe.bin"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(**elements: Any) -> dict[str, Any]:
    """A trust policy that lets the service in, unless stated otherwise."""
    return policy({"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole", **elements})


def read(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    """A statement on reading the image, unless stated otherwise."""
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": f"{BUCKET}/*", **elements}


def asked(identity: list[Any], bucket: Any = None, **changes: Any) -> Answer:
    """Whether the role may read the image."""
    return may_read(identity, bucket, BUCKET, KEY, ROLE, **changes)


TLS_ONLY = read("Deny", Principal="*", Action="s3:*", Condition={"Bool": {"aws:SecureTransport": "false"}})


@pytest.mark.parametrize(
    ("document", "verdict", "why"),
    [
        (trust(), YES, "lets iotwireless.amazonaws.com assume"),
        (trust(Condition={}), YES, "lets"),
        (trust(Action=["sts:*"]), YES, "lets"),
        (trust(Principal={"Service": ["iot.amazonaws.com", SERVICE]}), YES, "lets"),
        (trust(Principal={"Service": "iot.amazonaws.com"}), NO, "no statement of the trust policy"),
        (trust(Principal={"AWS": ROLE}), NO, "no statement"),
        (trust(Effect="Deny"), NO, "statement 1 of the trust policy denies it"),
        (trust(Action="sts:TagSession"), NO, "no statement"),
        (trust(NotAction="sts:AssumeRole"), UNDECIDED, "no readable Action"),
        (policy(), NO, "no statement"),
        (trust(Principal="*"), UNDECIDED, "trusts everyone"),
        (trust(Principal="*", Effect="Deny"), NO, "denies it"),
        (trust(Principal={"Service": "*"}), UNDECIDED, "by a wildcard"),
        (trust(Principal={"Federated": "accounts.google.com"}), UNDECIDED, "kind Federated"),
        (trust(NotPrincipal={"Service": SERVICE}), UNDECIDED, "uses NotPrincipal"),
        (trust(Resource="*"), UNDECIDED, "uses Resource"),
        (trust(Conditions={}), UNDECIDED, "uses Conditions"),
        (
            trust(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
            UNDECIDED,
            "a condition on aws:SourceAccount, of which it is not known what the service sends",
        ),
        (trust(Condition={"ArnLike": {"aws:SourceArn": "*"}}), UNDECIDED, "operator ArnLike on aws:SourceArn"),
        ({"Version": "2020-01-01"}, UNDECIDED, "known version"),
        ("not a document", UNDECIDED, "not a policy document"),
        ({"Statement": "x"}, UNDECIDED, "no Effect"),
    ],
)
def test_a_trust_policy_is_read_cautiously(document: object, verdict: Decision, why: str) -> None:
    answer = trusts(document, SERVICE)
    assert (answer.verdict, why in answer.why) == (verdict, True), answer


def test_a_deny_that_may_apply_leaves_a_trust_undecided() -> None:
    document = policy(*trust()["Statement"], *trust(Effect="Deny", Condition={"Null": {"aws:x": "true"}})["Statement"])
    answer = trusts(document, SERVICE)
    assert answer.verdict is UNDECIDED
    assert "statement 2 of the trust policy has the condition operator Null on aws:x" in answer.why


def test_a_deny_that_may_apply_does_not_matter_when_nothing_allows() -> None:
    document = trust(Effect="Deny", Condition={"Null": {"aws:x": "true"}})
    assert trusts(document, SERVICE).verdict is NO


@pytest.mark.parametrize(
    ("identity", "bucket", "verdict", "why"),
    [
        ([], None, NO, "it needs s3:GetObject there"),
        ([read()], None, YES, f"may read {BUCKET}/{KEY}"),
        ([read(Resource=BUCKET)], None, NO, "no policy lets"),
        ([read(Action="s3:PutObject")], None, NO, "no policy lets"),
        ([read(Action="s3:get*")], None, YES, "may read"),
        ([read(Resource=f"{BUCKET}/${{aws:PrincipalTag/site}}/*")], None, UNDECIDED, "policy variable in Resource"),
        ([read(Principal="*")], None, UNDECIDED, "uses Principal"),
        (
            [read(), read("Deny", NotResource=f"{BUCKET}/soil/*", Resource=None)],
            None,
            UNDECIDED,
            "no readable Resource",
        ),
        ([read()], TLS_ONLY, YES, "may read"),
        ([], TLS_ONLY, NO, "no policy lets"),
        ([read()], read("Deny", Principal="*"), NO, "statement 1 of the bucket policy denies it"),
        ([read()], read("Deny", Principal={"AWS": ACCOUNT}), NO, "denies it"),
        ([read()], read("Deny", Principal={"AWS": f"arn:aws:iam::{OTHER}:root"}), YES, "may read"),
        ([read()], read("Deny", Principal={"Service": SERVICE}), YES, "may read"),
        (
            [read()],
            read("Deny", Principal="*", Condition={"IpAddress": {"aws:SourceIp": "::/0"}}),
            UNDECIDED,
            "IpAddress",
        ),
        ([read()], read("Deny", NotPrincipal={"AWS": ROLE}), UNDECIDED, "uses NotPrincipal"),
        ([], read(Principal={"AWS": ROLE}), YES, "may read"),
        ([], read(Principal="*"), YES, "may read"),
        ([], read(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), NO, "no policy lets"),
        ([], read(Principal={"AWS": "AROAEXAMPLEDELETED12"}), UNDECIDED, "'AROAEXAMPLEDELETED12'"),
        (
            [read()],
            read("Deny", Principal="*", Condition={"StringNotEquals": {"aws:PrincipalArn": ROLE}}),
            YES,
            "may read",
        ),
        (
            [read()],
            read("Deny", Principal="*", Condition={"StringNotEquals": {"aws:PrincipalAccount": OTHER}}),
            NO,
            "denies it",
        ),
        (
            [read()],
            read("Deny", Principal="*", Condition={"Bool": {"aws:SecureTransport": "no"}}),
            UNDECIDED,
            "neither true nor false",
        ),
    ],
)
def test_reading_an_image_is_foreseen_from_the_role_and_the_bucket(
    identity: list[dict[str, Any]], bucket: dict[str, Any] | None, verdict: Decision, why: str
) -> None:
    answer = asked([policy(*identity)], None if bucket is None else policy(bucket))
    assert (answer.verdict, why in answer.why) == (verdict, True), answer


@pytest.mark.parametrize(
    ("pattern", "verdict"),
    [("*?" * 40 + "Z", NO), ("*?" * 20 + "*", YES), (f"{BUCKET[:-3]}*???/*{KEY[-1]}", YES), (f"{BUCKET}/*{KEY}?", NO)],
)
def test_a_resource_with_many_wildcards_is_decided_at_once(pattern: str, verdict: Decision) -> None:
    assert asked([policy(read(Resource=pattern))]).verdict is verdict


def test_a_boundary_limits_what_the_role_may_read() -> None:
    assert asked([policy(read())], boundary=policy(read(Action="ec2:*"))).verdict is NO
    assert asked([policy(read())], boundary=policy(read("Deny"))).verdict is NO
    assert asked([policy(read())], boundary=policy(read())).verdict is YES


def test_a_bucket_of_another_account_must_allow_as_well() -> None:
    delegating = policy(read(Principal={"AWS": ACCOUNT}))
    assert asked([policy(read())], bucket_account=OTHER).verdict is NO
    assert asked([policy(read())], delegating, bucket_account=OTHER).verdict is YES
    assert asked([], delegating, bucket_account=OTHER).verdict is NO
    assert asked([policy(read())], delegating, bucket_account=ACCOUNT).verdict is YES


@pytest.mark.parametrize("role", ["updater", f"arn:aws:iam::{ACCOUNT}:user/ada"])
def test_what_is_not_a_role_is_undecided(role: str) -> None:
    assert may_read([policy(read())], None, BUCKET, KEY, role).verdict is UNDECIDED


ACTIONS = ["*", "s3:*", "s3:GetObject", "S3:getobject", "s3:Get?bject", "s3:PutObject", "sts:AssumeRole", "sts:*"]
RESOURCES = ["*", f"{BUCKET}/*", f"{BUCKET}/{KEY}", BUCKET, "arn:aws:s3:::other/*", f"{BUCKET}/${{aws:username}}*"]
PRINCIPALS: list[Any] = [
    "*",
    {"AWS": "*"},
    {"AWS": ROLE},
    {"AWS": ACCOUNT},
    {"AWS": [OTHER, ROLE]},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
    {"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"},
    {"Service": SERVICE},
    {"Service": "iot.amazonaws.com"},
    {"Service": "*"},
    {"AWS": ROLE, "Service": [SERVICE]},
    {"AWS": "AROAEXAMPLEDELETED12"},
    {"Federated": "accounts.google.com"},
]
CONDITIONS: list[dict[str, Any]] = [
    {},
    {"Bool": {"aws:SecureTransport": "false"}},
    {"BoolIfExists": {"AWS:securetransport": True}},
    {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT, OTHER]}},
    {"StringNotEquals": {"aws:PrincipalArn": ROLE}},
    {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    {"StringNotEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
    {"Null": {"aws:SourceAccount": "true"}},
    {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:PrincipalArn": OTHER}},
]
CONTEXTS: list[dict[str, str]] = [
    {},
    {"aws:SourceAccount": ACCOUNT},
    {"aws:SourceAccount": OTHER},
    {"aws:username": "soil"},
]


def some(values: list[Any]) -> st.SearchStrategy[Any]:
    """One value, or a list of up to three."""
    return st.sampled_from(values) | st.lists(st.sampled_from(values), max_size=3)


@st.composite
def documents(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """A policy document IAM would take, of up to three statements."""
    statements = []
    for _ in range(draw(st.integers(0, 3))):
        statement: dict[str, Any] = {
            "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
            draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some(ACTIONS) | st.just("*")),
        }
        if kind != "trust":
            statement[draw(st.sampled_from(["Resource", "Resource", "NotResource"]))] = draw(some(RESOURCES))
        if kind != "identity":
            name = draw(st.sampled_from(["Principal", "Principal", "Principal", "NotPrincipal"]))
            statement[name] = draw(st.sampled_from(PRINCIPALS) | st.just({"Service": SERVICE}))
        if draw(st.booleans()):
            statement["Condition"] = draw(st.sampled_from(CONDITIONS))
        statements.append(statement)
    return {"Version": draw(st.sampled_from(["2012-10-17", "2008-10-17"])), "Statement": statements}


def agree(answer: Answer, decision: SimulatorDecision) -> bool:
    """Whether a certain answer is what the evaluator decides."""
    return answer.verdict is UNDECIDED or (answer.verdict is YES) is (decision is SimulatorDecision.ALLOWED)


@given(documents("trust"), st.sampled_from(CONTEXTS))
@settings(max_examples=examples(400), deadline=None)
def test_a_certain_answer_about_trust_is_what_iam_decides(document: dict[str, Any], context: dict[str, str]) -> None:
    assert agree(trusts(document, SERVICE), may_assume(document, SERVICE, context))


@given(
    st.lists(documents("identity"), max_size=2),
    st.none() | documents("bucket"),
    st.none() | documents("identity"),
    st.sampled_from([None, ACCOUNT, OTHER]),
    st.sampled_from(CONTEXTS),
)
@settings(max_examples=examples(600), deadline=None)
def test_a_certain_answer_about_reading_is_what_iam_decides(
    identity: list[dict[str, Any]],
    bucket: dict[str, Any] | None,
    boundary: dict[str, Any] | None,
    owner: str | None,
    context: dict[str, str],
) -> None:
    answer = may_read(identity, bucket, BUCKET, KEY, ROLE, boundary=boundary, bucket_account=owner)
    request = Request(ROLE, "s3:GetObject", f"{BUCKET}/{KEY}", context | {"aws:SecureTransport": "true"}, owner)
    boundaries = [] if boundary is None else [boundary]
    assert agree(answer, evaluate(identity, [] if bucket is None else [bucket], request, (), boundaries))
