"""Every policy says exactly what is needed: the matrix of verdicts, the calls of the code, no wildcard in an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from controller.backends._calls import PASSED, PUSHES, READS, WRITES
from infra import documents, permissions
from infra.documents import Names
from simulator.iam_policy import Decision
from tests.infra.engine import ROOT
from tests.infra.matrix import NAMES, STABLE, Row, page, rows
from tests.infra.stacks import SMALL
from tests.infra.test_settings import read

# STS asks for nothing; and without ListBucket S3 tells no missing object from a forbidden one.
FREE, BESIDES = {"sts:GetCallerIdentity"}, {"s3:ListBucket"}


def actions(policy: Mapping[str, Any]) -> set[str]:
    return {a for s in policy["Statement"] for a in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])}


@pytest.mark.parametrize("row", rows(), ids=lambda r: f"{r.part}: {r.who} {r.does}")
def test_the_evaluator_says_what_is_meant(row: Row) -> None:
    assert (row.verdict is Decision.ALLOWED) is row.allowed


def test_the_page_of_permissions_is_what_the_evaluator_says() -> None:
    assert (ROOT / "docs/permissions.md").read_text() == page(), "run `make docs`"


def test_the_controller_may_do_exactly_the_calls_the_code_makes() -> None:
    calls = {p for call, p in (READS | WRITES).items() if call not in PUSHES}
    needed = (calls | set(PASSED.values()) | BESIDES) - FREE

    assert actions(permissions.controller(Names(read(SMALL)))) == needed


def test_the_planner_may_do_exactly_the_reads() -> None:
    assert actions(permissions.planner(Names(read(SMALL)))) == (set(READS.values()) | BESIDES) - FREE


def test_the_journal_adds_its_object_calls_and_no_deletion() -> None:
    added = actions(permissions.controller(NAMES)) - actions(permissions.controller(Names(read(SMALL))))

    assert added == {"s3:PutObject"}
    assert "s3:PutObject" not in actions(permissions.planner(NAMES))


def test_an_update_role_reads_its_channels_images_and_nothing_else() -> None:
    (statement,) = documents.firmware_read(STABLE)["Statement"]

    assert statement["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert statement["Resource"] == [f"arn:aws:s3:::{STABLE.bucket}/*"]


def test_the_service_role_of_ota_updates_may_do_what_its_managed_policy_may_narrowed() -> None:
    assert actions(permissions.ota_service(NAMES)) == {
        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:GetBucketLocation", "s3:ListBucket",
        "s3:ListBucketVersions", "signer:DescribeSigningJob", "signer:GetSigningProfile", "signer:StartSigningJob",
        "iot:CreateJob", "iot:DeleteJob", "iot:DescribeJob", "iot:CreateStream", "iot:DeleteStream", "iam:GetRole",
        "iam:PassRole",
    }  # fmt: skip


POLICIES = {
    "controller": permissions.controller(NAMES),
    "planner": permissions.planner(NAMES),
    "ota-service": permissions.ota_service(NAMES),
    "firmware-update": documents.firmware_read(STABLE),
}


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_no_action_has_a_wildcard_and_a_bare_one_stands_only_where_no_resource_exists(name: str) -> None:
    for statement in POLICIES[name]["Statement"]:
        assert not [a for a in statement["Action"] if "*" in a]
        if statement["Resource"] == ["*"]:
            assert statement["Sid"] in ("ReadAccount", "MakeOurTasks")
        else:
            assert "*" not in statement["Resource"]


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_no_statement_says_what_another_says_already(name: str) -> None:
    said = [
        (a, r, str(s.get("Condition"))) for s in POLICIES[name]["Statement"] for a in s["Action"] for r in s["Resource"]
    ]

    assert len(said) == len(set(said))
