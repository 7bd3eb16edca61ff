"""A stack's configuration on the real engine: typed by Pulumi.yaml, checked by the program, never shown when secret."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.support.pulumi.cli import ACCESS_KEY, PASSPHRASE, Project
from tests.support.pulumi.stacks import SMALL

pytestmark = pytest.mark.thorough
STACK, HIDDEN = "prod-eu", "hidden-from-everyone-4711"


@pytest.fixture
def small(project: Project) -> Project:
    """The smallest stack, with nothing created yet."""
    project.stack(STACK, SMALL)
    return project


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("otactl:owner", None, "Stack 'prod-eu' is missing configuration value 'otactl:owner'"),
        ("otactl:channels", "none", "configuration key 'otactl:channels' must be of type 'array<object>'"),
        ("otactl:access", ["x"], "configuration key 'otactl:access' must be of type 'object'"),
    ],
)
def test_pulumi_yaml_refuses_a_missing_or_wrongly_typed_key_by_its_name(
    small: Project, key: str, value: Any, message: str
) -> None:
    small.configure(STACK, {k: v for k, v in {**SMALL, key: value}.items() if v is not None})

    ran = small.pulumi("preview", "--stack", STACK)

    assert ran.exit_code != 0
    assert message in ran.output


def test_what_pulumi_yaml_cannot_type_the_program_refuses_by_its_name(small: Project) -> None:
    small.configure(STACK, {**SMALL, "otactl:options": {"protect": "yes"}})

    ran = small.pulumi("preview", "--stack", STACK)

    assert ran.exit_code != 0
    assert "otactl: Pulumi.prod-eu.yaml: otactl.options.protect is text; it must be true or false" in ran.output
    assert "Traceback" not in ran.output


def test_no_secret_is_in_clear_in_state_output_or_log(small: Project) -> None:
    for key in ("aws:secretKey", "aws:accessKey"):
        assert small.pulumi("config", "set", "--secret", "--stack", STACK, key, HIDDEN).exit_code == 0
    file = small.folder / f"Pulumi.{STACK}.yaml"
    assert "secure" in yaml.safe_load(file.read_text())["config"]["aws:secretKey"]

    ran = small.up(STACK, "--logflow", "--logtostderr", "-v=5", "--diff")

    assert ran.exit_code == 0, ran.output[-2000:]
    written = {p.name: p.read_bytes() for p in small.folder.rglob("*") if p.is_file() and "home" not in p.parts}
    assert len(written) > 5
    for secret in (HIDDEN, PASSPHRASE, ACCESS_KEY, "demo-secret-4711"):
        assert secret not in "".join(r.output for r in small.ran), f"{secret} was printed"
        assert [n for n, data in written.items() if secret.encode() in data] == []


def test_default_tags_of_the_provider_reach_buckets_and_roles_and_change_in_place(small: Project) -> None:
    small.configure(STACK, {**SMALL, "aws:defaultTags": {"tags": {"team": "firmware"}}})
    first = small.up(STACK)
    small.configure(STACK, {**SMALL, "aws:defaultTags": {"tags": {"team": "iot"}}})

    second = small.up(STACK)

    assert first.exit_code == 0, first.output
    assert (second.exit_code, second.count("updated"), second.count("replaced")) == (0, 4, 0), second.output
