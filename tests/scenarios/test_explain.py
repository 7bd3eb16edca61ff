"""`otactl explain` answers for every field of the schema and every code, and helps with unknown ones."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from otactl.cli.commands.explain import command
from otactl.errors import UsageError
from otactl.explanations import PAGES, every_code, page
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
    with pytest.raises(UsageError, match=f"there is no field and no code .*{meant}"):
        CliRunner().invoke(command, [field], catch_exceptions=False)


@pytest.mark.parametrize("name", PAGES)
def test_every_code_is_explained_with_its_meaning_reason_and_way_out(name: str) -> None:
    for code, text in page(name).codes.items():
        shown = " ".join(explain(code).split())

        assert code in shown
        assert [part for part in (text.means, text.why, text.fix) if part not in shown] == []


def test_a_code_with_two_meanings_shows_both() -> None:
    shown = explain("duplicate_target")

    assert "duplicate_target (holds)" in shown
    assert "duplicate_target (problems of manifests)" in shown


@pytest.mark.parametrize("form", ["window_is_closed", "WindowIsClosed", "windowisclosed", "window-is-closed"])
def test_a_code_is_found_in_every_form_in_which_it_is_shown(form: str) -> None:
    assert explain(form).startswith("window_is_closed (holds)")


@pytest.mark.parametrize(
    ("mistyped", "meant"), [("window_is_close", "window_is_closed"), ("PermissionDenid", "PermissionDenied")]
)
def test_an_unknown_code_comes_with_the_one_that_was_meant(mistyped: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"did you mean {meant}"):
        CliRunner().invoke(command, [mistyped], catch_exceptions=False)


def test_a_topic_like_nothing_else_comes_with_the_commands_that_list_all() -> None:
    with pytest.raises(UsageError, match="`otactl explain` lists the codes"):
        CliRunner().invoke(command, ["qqqqqqqq"], catch_exceptions=False)


def test_without_a_topic_every_code_is_listed() -> None:
    shown = CliRunner().invoke(command, [], catch_exceptions=False).stdout.split()

    assert set(every_code()) <= set(shown)


def test_a_command_in_an_explanation_is_not_cut() -> None:
    lines = explain("lease_is_dated_ahead").splitlines()

    assert any("`otactl journal release ENVIRONMENT`" in line for line in lines)
