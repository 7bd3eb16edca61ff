"""Rules of an environment: freezes, approval roles, secrets, Regions and the role it assumes."""

from __future__ import annotations

import pytest

from otactl import policies
from otactl.backends.registry import BACKENDS
from otactl.backends.tuya.config import TuyaAccess
from otactl.model import ApprovalRole, Window
from otactl.model.notices import Receiver
from tests.support.policy_tables import home


def test_a_freeze_must_deny() -> None:
    freeze = Window(kind="allow", schedule="0 0 24 12 *", duration="3d", time_zone="UTC")
    (violation,) = policies.check_environment(home(freezes=(freeze,)), BACKENDS)
    assert (violation.code, violation.pointer) == ("freeze_must_deny", "/spec/freezes/0/kind")


def test_an_approval_role_stands_once() -> None:
    roles = (ApprovalRole(name="owners"), ApprovalRole(name="owners"))
    (violation,) = policies.check_environment(home(approval_roles=roles), BACKENDS)
    assert (violation.code, violation.pointer) == ("duplicate_approval_role", "/spec/approvalRoles/1/name")


def test_a_receiver_of_notices_stands_once() -> None:
    receivers = tuple(Receiver(name=name, apprise="OTACTL_NOTICE_CHAT") for name in ("ops", "chat", "ops"))
    (violation,) = policies.check_environment(home(notices=receivers), BACKENDS)
    assert (violation.code, violation.pointer) == ("duplicate_receiver", "/spec/notices/2/name")


def by_secret(region: str) -> TuyaAccess:
    arn = f"arn:aws:secretsmanager:{region}:123456789012:secret:tuya-AbCdEf"
    return TuyaAccess(endpoint="https://x/", secret_arn=arn)


def test_a_secret_of_another_region_than_the_environments_cannot_be_read() -> None:
    (violation,) = policies.check_environment(home(access={"tuya": by_secret("us-east-1")}), BACKENDS)
    assert (violation.code, violation.pointer) == ("secret_region_differs", "/spec/tuya/secretArn")
    assert violation.severity == "error"


@pytest.mark.parametrize("access", [None, by_secret("eu-west-1"), TuyaAccess(endpoint="https://x/")])
def test_a_secret_where_the_environment_is_or_none_is_right(access: TuyaAccess | None) -> None:
    assert policies.check_environment(home(access={"tuya": access}), BACKENDS) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"region": "eu-wst-1"}, [("?unknown_region", "/spec/region", "did you mean eu-west-1?")]),
        ({"region": "moon-base-1"}, [("unknown_region", "/spec/region", "name one of AWS, such as eu-west-1")]),
        ({"region": "eu-south-2"}, []),
        ({"region": "cn-north-1", "assumed_role": "arn:aws-cn:iam::123456789012:role/r"}, []),
        (
            {"region": "cn-north-1", "assumed_role": "arn:aws:iam::123456789012:role/r"},
            [("partition_differs", "/spec/assumedRole", "write arn:aws-cn:…")],
        ),
    ],
)
def test_a_region_is_one_of_aws_and_the_role_assumed_of_its_partition(
    changes: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    reported = policies.check_environment(home(**changes), BACKENDS)
    assert [(_code(v), v.pointer, v.hint) for v in reported] == expected


def _code(violation: policies.Violation) -> str:
    return violation.code if violation.severity == "error" else f"?{violation.code}"
