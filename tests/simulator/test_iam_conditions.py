"""Condition operators one by one, and AWS's rules for keys that are missing or hold several values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from otactl_simulator.iam.conditions import holds
from otactl_simulator.iam.patterns import Context, ContextValue, UnsupportedPolicyError

CONTEXT: dict[str, ContextValue] = {
    "aws:SourceAccount": "111122223333",
    "aws:SourceArn": "arn:aws:iotwireless:eu-west-1:111122223333:FuotaTask/ab:cd",
    "aws:username": "ada",
    "aws:SecureTransport": "true",
    "aws:SourceIp": "203.0.113.7",
    "aws:CurrentTime": "2026-05-01T12:00:00Z",
    "aws:EpochTime": "1777636800",
    "s3:max-keys": "10",
    "aws:TagKeys": ["owner", "rollout"],
    "aws:PrincipalTag/site": "a*b",
}


def met(operator: str, key: str, wanted: object, context: Mapping[str, ContextValue] = CONTEXT) -> bool:
    """Whether one condition holds."""
    return holds({operator: {key: wanted}}, Context(context), variables=True)


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "expected"),
    [
        ("StringEquals", "aws:SourceAccount", "111122223333", True),
        ("StringEquals", "AWS:SOURCEACCOUNT", "111122223333", True),
        ("StringEquals", "aws:SourceAccount", ["1", "111122223333"], True),
        ("StringEquals", "aws:SourceAccount", 111122223333, True),
        ("StringEquals", "aws:SourceAccount", "1111*", False),
        ("StringEquals", "aws:username", "Ada", False),
        ("StringEquals", "aws:username", "${aws:username}", True),
        ("StringEquals", "aws:username", "${aws:userid}", False),
        ("StringNotEquals", "aws:username", "${aws:userid}", False),
        ("StringNotEquals", "aws:username", "ada", False),
        ("StringNotEquals", "aws:username", ["bob", "ada"], False),
        ("StringNotEquals", "aws:username", ["bob", "eve"], True),
        ("StringEqualsIgnoreCase", "aws:username", "ADA", True),
        ("StringNotEqualsIgnoreCase", "aws:username", "ADA", False),
        ("StringLike", "aws:username", "a?a", True),
        ("StringLike", "aws:username", "A*", False),
        ("StringLike", "aws:PrincipalTag/site", "a${*}b", True),
        ("StringLike", "aws:username", "a${*}a", False),
        ("StringNotLike", "aws:username", ["b*", "e*"], True),
        ("StringNotLike", "aws:username", ["b*", "a*"], False),
        ("ArnEquals", "aws:SourceArn", "arn:aws:iotwireless:*:111122223333:FuotaTask/*", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:iotwireless:*:111122223333:FuotaTask/*", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:iotwireless:*:FuotaTask/*", False),
        ("ArnLike", "aws:SourceArn", "arn:aws:*:*:*:*", True),
        ("ArnLike", "aws:SourceArn", "arn:aws:*", False),
        ("ArnLike", "aws:SourceArn", "arn:aws:iotwireless:eu-west-1:${aws:SourceAccount}:*", True),
        ("ArnLike", "aws:username", "*", False),
        ("ArnNotLike", "aws:SourceArn", "arn:aws:iot:*:*:*", True),
        ("ArnNotEquals", "aws:SourceArn", "arn:aws:iotwireless:*:*:*", False),
        ("Bool", "aws:SecureTransport", "true", True),
        ("Bool", "aws:SecureTransport", True, True),
        ("Bool", "aws:SecureTransport", "FALSE", False),
        ("Bool", "aws:username", "true", False),
        ("NumericEquals", "s3:max-keys", "10.0", True),
        ("NumericNotEquals", "s3:max-keys", 10, False),
        ("NumericLessThan", "s3:max-keys", "10", False),
        ("NumericLessThanEquals", "s3:max-keys", "10", True),
        ("NumericGreaterThan", "s3:max-keys", "9", True),
        ("NumericGreaterThanEquals", "s3:max-keys", "11", False),
        ("NumericLessThan", "aws:username", "10", False),
        ("DateLessThan", "aws:CurrentTime", "2026-06-01T00:00:00Z", True),
        ("DateLessThan", "aws:CurrentTime", "2026-05-01", False),
        ("DateLessThanEquals", "aws:CurrentTime", "2026-05-01T14:00:00+02:00", True),
        ("DateGreaterThan", "aws:CurrentTime", "2026-05-01T12:00:00Z", False),
        ("DateGreaterThanEquals", "aws:CurrentTime", "1777636800", True),
        ("DateEquals", "aws:EpochTime", "2026-05-01T12:00:00Z", True),
        ("DateNotEquals", "aws:EpochTime", "2026-05-01T12:00:00Z", False),
        ("DateGreaterThan", "aws:CurrentTime", "2026", True),
        ("DateLessThan", "aws:username", "2026-06-01", False),
        ("IpAddress", "aws:SourceIp", "203.0.113.0/24", True),
        ("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "203.0.113.7"], True),
        ("IpAddress", "aws:SourceIp", "2001:db8::/32", False),
        ("IpAddress", "aws:username", "10.0.0.0/8", False),
        ("NotIpAddress", "aws:SourceIp", "203.0.113.0/24", False),
        ("NotIpAddress", "aws:SourceIp", ["10.0.0.0/8", "192.168.0.0/16"], True),
        ("Null", "aws:username", "true", False),
        ("Null", "aws:username", "false", True),
        ("Null", "aws:MultiFactorAuthAge", "true", True),
        ("Null", "aws:MultiFactorAuthAge", False, False),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["owner", "rollout", "wave"], True),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["owner"], False),
        ("ForAnyValue:StringEquals", "aws:TagKeys", ["owner", "x"], True),
        ("ForAnyValue:StringLike", "aws:TagKeys", "x*", False),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["x"], True),
        ("ForAllValues:StringNotEquals", "aws:TagKeys", ["owner"], False),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["owner"], True),
        ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["owner", "rollout"], False),
    ],
)
def test_an_operator_compares_a_present_key(operator: str, key: str, wanted: object, expected: bool) -> None:
    assert met(operator, key, wanted) is expected


POSITIVE = [
    ("StringEquals", "x"),
    ("StringEqualsIgnoreCase", "x"),
    ("StringLike", "*"),
    ("ArnEquals", "*"),
    ("ArnLike", "*"),
    ("Bool", "true"),
    ("NumericEquals", "1"),
    ("NumericLessThan", "1"),
    ("DateGreaterThan", "2020-01-01"),
    ("IpAddress", "0.0.0.0/0"),
]
NEGATED = [
    ("StringNotEquals", "x"),
    ("StringNotEqualsIgnoreCase", "x"),
    ("StringNotLike", "*"),
    ("ArnNotEquals", "*"),
    ("ArnNotLike", "*"),
    ("NumericNotEquals", "1"),
    ("DateNotEquals", "2020-01-01"),
    ("NotIpAddress", "0.0.0.0/0"),
]


@pytest.mark.parametrize(("operator", "wanted"), POSITIVE)
def test_a_missing_key_fails_an_ordinary_operator(operator: str, wanted: str) -> None:
    assert not met(operator, "aws:absent", wanted)


@pytest.mark.parametrize(("operator", "wanted"), NEGATED)
def test_a_missing_key_satisfies_a_negated_operator(operator: str, wanted: str) -> None:
    assert met(operator, "aws:absent", wanted)


@pytest.mark.parametrize(("operator", "wanted"), POSITIVE + NEGATED)
def test_if_exists_is_satisfied_by_a_missing_key(operator: str, wanted: str) -> None:
    assert met(f"{operator}IfExists", "aws:absent", wanted)


def test_if_exists_still_compares_a_present_key() -> None:
    assert met("StringEqualsIfExists", "aws:username", "ada")
    assert not met("StringEqualsIfExists", "aws:username", "bob")


@pytest.mark.parametrize(("operator", "wanted"), POSITIVE + NEGATED)
def test_for_all_values_holds_and_for_any_value_fails_without_values(operator: str, wanted: str) -> None:
    contexts: list[dict[str, ContextValue]] = [{}, {"aws:absent": []}]
    for context in contexts:
        assert met(f"ForAllValues:{operator}", "aws:absent", wanted, context)
        assert not met(f"ForAnyValue:{operator}", "aws:absent", wanted, context)


def test_all_keys_and_operators_must_hold() -> None:
    both = {"StringEquals": {"aws:username": "ada", "aws:SourceAccount": "111122223333"}}
    assert holds(both, Context(CONTEXT), variables=True)
    assert not holds({**both, "Bool": {"aws:SecureTransport": "false"}}, Context(CONTEXT), variables=True)


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "what"),
    [
        ("StringEquals", "aws:TagKeys", "owner", "several values needs"),
        ("BinaryEquals", "aws:username", "YQ==", "BinaryEquals is not known"),
        ("NullIfExists", "aws:username", "true", "NullIfExists is not known"),
        ("Null", "aws:username", "yes", "neither true nor false"),
        ("Bool", "aws:SecureTransport", "1", "neither true nor false"),
        ("NumericEquals", "s3:max-keys", "ten", "not a number"),
        ("NumericEquals", "s3:max-keys", "${aws:x}", "policy variables belong"),
        ("DateEquals", "aws:CurrentTime", "soon", "neither ISO 8601"),
        ("IpAddress", "aws:SourceIp", "office", "not an address"),
        ("StringEquals", "aws:username", "${aws:TagKeys}", "several values"),
    ],
)
def test_a_condition_that_is_not_understood_is_refused(operator: str, key: str, wanted: object, what: str) -> None:
    with pytest.raises(UnsupportedPolicyError, match=what):
        met(operator, key, wanted)
