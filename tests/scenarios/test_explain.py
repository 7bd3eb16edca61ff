"""`otactl explain` answers from the schema for every field there is, and helps with those there are not."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from otactl.cli.commands.explain import command
from otactl.errors import UsageError
from otactl.manifest import schema
from otactl.manifest.field_help import field_paths

EVERY = [f"{kind}.{path}" for kind in schema.KINDS for path in field_paths(kind)]


def explain(field: str) -> str:
    result = CliRunner().invoke(command, [field], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_field_is_reported_with_its_limits_and_an_example() -> None:
    reported = explain("spec.fuota.redundancyPercent")
    for part in ("a whole number", "Redundancy.", "at least 0", "at most 100", "for example 12"):
        assert part in reported


@pytest.mark.parametrize("field", EVERY)
def test_every_field_is_explained(field: str) -> None:
    reported = explain(field)
    assert reported.startswith(f"{field.split('.')[0]} {field.partition('.')[2]}: ")
    assert "for example" in reported


def test_a_list_is_entered_with_or_without_an_index() -> None:
    assert explain("spec.strategy.waves[0].name") == explain("spec.strategy.waves.name")


def test_a_mapping_lists_its_fields_and_marks_those_required() -> None:
    reported = explain("spec.firmware")
    assert "version    Version (required)" in reported


def test_a_field_of_an_environment_is_found_without_naming_the_kind() -> None:
    assert explain("spec.callRates").startswith("Environment spec.callRates")


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("redundancyPercent", "spec.fuota.redundancyPercent"),
        ("spec.fuota.redundancyPercnt", "spec.fuota.redundancyPercent"),
        ("spec.fuoto.role", "spec.fuota.role"),
        ("gate", "spec.strategy.gate"),
    ],
)
def test_an_unknown_field_comes_with_the_one_that_was_meant(field: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"there is no field .*{meant}"):
        CliRunner().invoke(command, [field], catch_exceptions=False)
