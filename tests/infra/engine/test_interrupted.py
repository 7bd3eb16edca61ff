"""`pulumi up` that is killed in the middle on the real engine, and what puts the stack right."""

from __future__ import annotations

import pytest

from tests.support.pulumi.cli import Project
from tests.support.pulumi.stacks import SMALL

STACK = "prod-eu"
UP = ("up", "--stack", STACK, "--yes", "--skip-preview", "--suppress-progress")


@pytest.fixture
def small(project: Project) -> Project:
    """The smallest stack, with nothing created yet."""
    project.stack(STACK, SMALL)
    return project


def killed(small: Project, where: str) -> list[str]:
    """Kill `up` at a create; return the URNs whose creation the state does not know the end of."""
    with small.held(where, *UP, "--parallel", "1"):
        pass
    pending = small.state(STACK)["checkpoint"]["latest"]["pending_operations"]
    return [p["resource"]["urn"] for p in pending]


def test_a_killed_up_leaves_its_lock_and_cancel_removes_it(small: Project) -> None:
    killed(small, "aws:s3/bucket:Bucket before")

    refused = small.pulumi(*UP)
    cancelled = small.pulumi("cancel", STACK, "--yes")

    assert refused.exit_code != 0
    assert "the stack is currently locked by 1 lock(s)" in refused.output
    assert cancelled.exit_code == 0


def test_killed_before_the_service_was_asked_up_goes_on_by_itself(small: Project) -> None:
    (urn,) = killed(small, "aws:s3/bucket:Bucket before")
    small.pulumi("cancel", STACK, "--yes")

    ran = small.pulumi(*UP)

    assert urn.endswith("::stable-store-bucket")
    assert (ran.exit_code, ran.count("unchanged") + ran.count("created")) == (0, 18), ran.output
    assert "1 pending operations from previous deployment" in ran.output


def test_killed_after_the_service_answered_the_role_is_taken_into_the_state(small: Project) -> None:
    (urn,) = killed(small, "aws:iam/role:Role after")
    small.pulumi("cancel", STACK, "--yes")
    name = {"stable-firmware-update-role": "acme_prod-eu_stable_fuota", "planner-role": "acme_prod-eu_planner"}.get(
        urn.rsplit("::", 1)[-1], "acme_prod-eu_controller"
    )

    twice = small.pulumi(*UP, "--parallel", "1")
    pairs = ("--import-pending-creates", urn, "--import-pending-creates", name)
    taken = small.pulumi("refresh", "--stack", STACK, "--yes", "--skip-preview", "--suppress-progress", *pairs)
    ran = small.pulumi(*UP)
    again = small.pulumi(*UP)

    assert f"Role with name {name} already exists" in twice.output
    assert taken.exit_code == 0, taken.output
    assert ran.exit_code == 0, ran.output
    assert (again.exit_code, again.count("unchanged")) == (0, 18), again.output
