"""`pulumi up` that is killed in the middle on the real engine, and what puts the stack right."""

from __future__ import annotations

import pytest

from tests.support.pulumi.cli import Project
from tests.support.pulumi.stacks import SMALL

pytestmark = pytest.mark.thorough
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


def test_killed_before_the_service_was_asked_up_goes_on_once_its_lock_is_removed(small: Project) -> None:
    (urn,) = killed(small, "aws:s3/bucket:Bucket before")

    refused = small.pulumi(*UP)
    cancelled = small.pulumi("cancel", STACK, "--yes")
    ran = small.pulumi(*UP)

    assert urn.endswith("::stable-store-bucket")
    assert "the stack is currently locked by 1 lock(s)" in refused.output
    assert (refused.exit_code != 0, cancelled.exit_code) == (True, 0)
    assert (ran.exit_code, ran.count("unchanged") + ran.count("created")) == (0, 18), ran.output
    assert "1 pending operations from previous deployment" in ran.output


def test_killed_after_the_service_answered_import_takes_the_role_into_the_state(small: Project) -> None:
    """`pulumi refresh --import-pending-creates` of 3.274 ends well, and takes nothing in."""
    (urn,) = killed(small, "aws:iam/role:Role after")
    small.pulumi("cancel", STACK, "--yes")
    name, component = urn.rsplit("::", 1)[-1], urn.rsplit("::", 1)[-1].removesuffix("-role")
    role = {"controller": "controller", "planner": "planner"}.get(component, "stable_fuota")
    parent = f"{urn.rsplit('$', 1)[0]}::{component}"

    twice = small.pulumi(*UP, "--parallel", "1")
    words = ("aws:iam/role:Role", name, f"acme_prod-eu_{role}", "--parent", f"parent={parent}")
    taken = small.pulumi("import", *words, "--stack", STACK, "--yes", "--generate-code=false", "--protect=false")
    ran = small.pulumi(*UP)

    assert f"Role with name acme_prod-eu_{role} already exists" in twice.output
    assert taken.exit_code == 0, taken.output
    assert (ran.exit_code, ran.count("unchanged") + ran.count("created")) == (0, 18), ran.output
