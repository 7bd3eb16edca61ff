"""The stand-in for the AWS provider refuses and compares as the real one does: names, requirements, policies, tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.pulumi.provider.changes import changes, kept_texts
from tests.support.pulumi.provider.documents import same
from tests.support.pulumi.provider.kinds import KINDS
from tests.support.pulumi.provider.schema import failures, write

ROLE, LIFECYCLE = "aws:iam/role:Role", "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file: Path = tmp_path_factory.mktemp("schemas") / "schemas.json"
    write(KINDS, file)
    return dict(json.loads(file.read_text()))


@pytest.mark.parametrize(
    ("token", "given", "wrong"),
    [
        (ROLE, {"name": "x"}, [("assumeRolePolicy", "Missing required argument")]),
        (ROLE, {"assumeRolePolicy": "{}", "assumeRolPolicy": 1}, [("assumeRolPolicy", "Invalid or unknown key")]),
        (VERSIONING, {"bucket": "b", "versioningConfiguration": {"statuss": "Enabled"}}, ["status", "statuss"]),
        (ENCRYPTION, {"bucket": "b"}, [("rules", "Missing required argument")]),
        (LIFECYCLE, {"bucket": "b", "rules": [{"id": "x", "status": "Enabled", "days": 3}]}, ["rules[0].days"]),
    ],
)
def test_unknown_and_missing_properties_are_named_at_every_depth(
    schemas: dict[str, Any], token: str, given: dict[str, Any], wrong: list[Any]
) -> None:
    found = failures(schemas[token], given)

    if isinstance(wrong[0], tuple):
        assert found == wrong
    else:
        assert [path.rsplit("versioningConfiguration.", 1)[-1] for path, _ in found] == wrong


def policy(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (
            policy(Action="s3:GetObject", Resource=["b", "a"]),
            policy(Resource=["a", "b"], Action=["s3:GetObject"]),
            True,
        ),
        (policy(Condition={"Bool": {"x": True}}), policy(Condition={"Bool": {"x": ["true"]}}), True),
        (policy(Principal={"AWS": "a"}), policy(Principal={"AWS": ["a"]}), True),
        (policy(Action="s3:GetObject"), policy(Action="s3:GetObjectVersion"), False),
        (policy(Effect="Allow"), policy(Effect="Deny"), False),
    ],
)
def test_policies_are_compared_by_what_they_say(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal


def test_a_policy_in_other_words_is_no_change_and_keeps_its_text() -> None:
    kind = KINDS["aws:iam/rolePolicy:RolePolicy"]
    before = {"role": "r", "name": "n", "policy": policy(Action="a:B", Resource="x")}
    shown = {**before, "policy": policy(Resource=["x"], Action=["a:B"])}

    assert changes(kind, shown, before, before, {}).changed == ()
    assert kept_texts(kind, shown, before)["policy"] == before["policy"]


@pytest.mark.parametrize(
    ("change", "replacing", "first"),
    [({"description": "other"}, (), False), ({"name": "other"}, ("name",), False), ({"path": "/x/"}, ("path",), True)],
)
def test_a_change_replaces_only_where_the_service_cannot_change_it(
    change: dict[str, str], replacing: tuple[str, ...], first: bool
) -> None:
    olds = {"name": "r", "path": "/", "description": "one", "assumeRolePolicy": policy(Action="sts:AssumeRole")}

    found = changes(KINDS[ROLE], olds, olds, {**olds, **change}, {})

    assert (found.replacing, found.delete_first) == (replacing, first)
    assert found.changed == tuple(change)


def test_an_imported_default_that_the_program_leaves_out_is_no_change() -> None:
    imported = {"name": "r", "path": "/", "maxSessionDuration": 3600, "assumeRolePolicy": policy(Effect="Allow")}
    asked = {"name": "r", "assumeRolePolicy": policy(Effect="Allow")}

    assert changes(KINDS[ROLE], imported, imported, asked, {}).changed == ()


def test_a_default_tag_that_changes_is_a_change_of_what_carries_tags() -> None:
    olds = {"bucket": "b", "tagsAll": {"team": "one"}}

    assert changes(KINDS["aws:s3/bucket:Bucket"], olds, {"bucket": "b"}, {"bucket": "b"}, {"team": "two"}).changed == (
        "tagsAll",
    )
    assert changes(KINDS[VERSIONING], {"bucket": "b"}, {}, {"bucket": "b"}, {"team": "two"}).changed == ()
