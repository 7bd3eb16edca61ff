"""Facts of an image and a role whose answers make no sense: an error with call and member, never a fact."""

from __future__ import annotations

from typing import Any, cast

import pytest

from otactl.backends.aws.client import AwsClient
from otactl.backends.aws.image_and_role import ImageAndRoleReader
from otactl.errors import StalledError

ROLE = "arn:aws:iam::123456789012:role/updater"
IMAGE = "s3://acme/probe.bin"
GOOD: dict[str, dict[str, Any]] = {
    "HeadObject": {"ContentLength": 3},
    "GetRole": {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": {"Statement": []}}},
    "ListRolePolicies": {"PolicyNames": ["read"]},
    "GetRolePolicy": {"PolicyDocument": {"Statement": []}},
    "GetBucketPolicy": {"Policy": "{}"},
}


class Transport:
    """Answers as S3 and IAM do, but for one answer."""

    def __init__(self, **changed: dict[str, Any]) -> None:
        self.answers = GOOD | changed

    def call(self, _service: str, operation: str, _asked: object, **_given: object) -> dict[str, Any]:
        return self.answers.get(operation, {})


def reader(**changed: dict[str, Any]) -> ImageAndRoleReader:
    return ImageAndRoleReader(cast("AwsClient", Transport(**changed)))


@pytest.mark.parametrize(("reason", "raises"), [("AnswerInvalid", True), ("AccessDenied", False)])
def test_an_answer_about_a_version_that_cannot_be_read_tells_nothing_of_it(reason: str, raises: bool) -> None:
    class Refusing(Transport):
        def call(self, *_asked: object, **_given: object) -> dict[str, Any]:
            raise StalledError(reason, "HTTP 200 with a web page")

    facts = ImageAndRoleReader(cast("AwsClient", Refusing()))
    if not raises:
        assert facts.version_missing("acme", "probe.bin", "v1") == "cannot be read: HTTP 200 with a web page"
        return
    with pytest.raises(StalledError, match="a web page"):
        facts.version_missing("acme", "probe.bin", "v1")


def test_what_makes_sense_is_read() -> None:
    assert reader().image(IMAGE).unreadable == ""
    assert reader().role(ROLE, "iotwireless.amazonaws.com", IMAGE).unreadable == ""


@pytest.mark.parametrize(
    ("operation", "answer", "why"),
    [
        (
            "GetBucketLocation",
            {"LocationConstraint": "eu\nwest"},
            "s3:GetBucketLocation: the answer cannot be read: Loc",
        ),
        ("GetBucketLocation", {"LocationConstraint": "e" * 20_000}, "LocationConstraint is no Region"),
        ("HeadObject", {"ChecksumSHA256": "1e9"}, "s3:HeadObject: the answer cannot be read: ChecksumSHA256"),
        ("HeadObject", {"ChecksumSHA256": "YWJj"}, "ChecksumSHA256 is no SHA-256"),
        (
            "GetBucketVersioning",
            {"Status": "Enabled"},
            "s3:HeadObject: the answer cannot be read: VersionId is missing",
        ),
    ],
)
def test_an_image_whose_facts_make_no_sense_is_unreadable(operation: str, answer: dict[str, Any], why: str) -> None:
    facts = reader(**{operation: answer}).image(IMAGE)

    assert facts.unreadable.count(why) == 1
    assert len(facts.unreadable) < 300
    assert (facts.sha256, facts.region) == (None, None)


@pytest.mark.parametrize("document", ["NoSuchStatus", "[]", "null", "{", "9" * 20_000, "[" * 5000, ["a"], None])
@pytest.mark.parametrize(
    ("operation", "member", "where"),
    [
        ("GetRolePolicy", "PolicyDocument", "iam:GetRolePolicy: the answer cannot be read: PolicyDocument is no JSON"),
        ("GetBucketPolicy", "Policy", "s3:GetBucketPolicy: the answer cannot be read: Policy is no JSON object"),
    ],
)
def test_a_policy_that_is_no_object_is_unreadable_and_not_one_that_denies_nothing(
    operation: str, member: str, where: str, document: object
) -> None:
    facts = reader(**{operation: {member: document}}).role(ROLE, "iotwireless.amazonaws.com", IMAGE)

    assert where in facts.unreadable
