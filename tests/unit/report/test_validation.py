"""The forms of what validate found: same facts in each, nothing of a user's file unescaped."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from otactl.errors import Problem
from otactl.report.validation import FORMS, Findings, render
from tests.support.report_formats import junit_suite, sarif_run
from tests.support.report_values import validated

ERROR = Problem(
    file="rollouts/a b.yaml",
    line=9,
    column=14,
    pointer="/spec/firmware/version",
    code="text_is_not_quoted",
    message="version 2.10 is read as the number 2.1",
    hint='put it in quotes: version: "2.10"',
)
WARNING = Problem(file="b.json", line=1, column=2, pointer="", code="redundancy_is_zero", message="no <redundancy>")
NASTY = Problem(
    file="a:b,c%.yaml", line=1, column=1, pointer="", code="bad_format", message="100 % \x1b[31m\r\nred ]]> &"
)
NAMES = ("rollouts/a b.yaml", "b.json", "c.yaml")
FOUND = Findings(NAMES, (ERROR,), (WARNING,))


def test_text_is_one_line_per_problem_with_its_hint_below_and_a_sum() -> None:
    assert render("text", FOUND).split("\n") == [
        "rollouts/a b.yaml:9:14: text_is_not_quoted: version 2.10 is read as the number 2.1",
        '    put it in quotes: version: "2.10"',
        "b.json:1:2: redundancy_is_zero: no <redundancy> (warning)",
        "3 files: 1 error, 1 warning",
    ]


def test_text_of_no_problems_is_the_sum_alone() -> None:
    assert render("text", Findings(("a.yaml",), (), ())) == "1 file: no errors"


def test_json_has_the_shape_of_its_schema() -> None:
    validated(render("json", FOUND), "validate")
    document = json.loads(render("json", FOUND))
    assert document["valid"] is False
    assert document["files"] == 3
    assert document["errors"] == [
        {
            "file": "rollouts/a b.yaml",
            "line": 9,
            "column": 14,
            "pointer": "/spec/firmware/version",
            "code": "text_is_not_quoted",
            "message": "version 2.10 is read as the number 2.1",
            "hint": 'put it in quotes: version: "2.10"',
        }
    ]
    assert [warning["code"] for warning in document["warnings"]] == ["redundancy_is_zero"]


def test_warnings_alone_leave_it_valid() -> None:
    assert json.loads(render("json", Findings(NAMES, (), (WARNING,))))["valid"] is True


def test_sarif_names_each_rule_once_and_places_each_result() -> None:
    document = json.loads(render("sarif", Findings(NAMES, (ERROR, ERROR), (WARNING,))))
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["redundancy_is_zero", "text_is_not_quoted"]
    first, _, last = run["results"]
    assert (first["level"], last["level"]) == ("error", "warning")
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    place = first["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "rollouts/a%20b.yaml"}, "region": {"startLine": 9, "startColumn": 14}}


@pytest.mark.parametrize("found", [FOUND, Findings((), (), ()), Findings((), (NASTY,), (WARNING,))])
def test_sarif_is_valid_by_the_schema_of_its_standard(found: Findings) -> None:
    assert len(sarif_run(render("sarif", found))["results"]) == len((*found.errors, *found.warnings))


def test_junit_is_read_by_a_library_as_it_was_meant() -> None:
    suite = junit_suite(render("junit", FOUND))

    assert (suite.tests, suite.failures, [case.name for case in suite]) == (3, 1, list(NAMES))
    ((failure,), *others) = [case.result for case in suite]
    assert (failure.type, failure.message) == (ERROR.code, ERROR.message)
    assert others == [[], []]


def test_junit_has_a_case_per_file_and_fails_those_with_errors() -> None:
    (suite,) = ET.fromstring(render("junit", FOUND).encode())  # noqa: S314 - our own text
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    cases = {case.get("name"): case for case in suite}
    failure = cases["rollouts/a b.yaml"].find("failure")
    assert failure is not None
    assert failure.get("type") == "text_is_not_quoted"
    assert "9:14" in str(failure.text)
    assert cases["b.json"].find("failure") is None
    assert "no <redundancy>" in str(cases["b.json"].findtext("system-out"))
    assert list(cases["c.yaml"]) == []


def test_github_puts_each_problem_on_its_line() -> None:
    first, second, _ = render("github", FOUND).split("\n")
    assert first == (
        "::error file=rollouts/a b.yaml,line=9,col=14,title=text_is_not_quoted::"
        'version 2.10 is read as the number 2.1 (put it in quotes: version: "2.10")'
    )
    assert second.startswith("::warning file=b.json,line=1,col=2,")


def test_github_lets_no_file_name_or_message_end_the_command() -> None:
    line, _ = render("github", Findings((), (NASTY,), ())).split("\n")
    assert line.startswith("::error file=a%3Ab%2Cc%25.yaml,line=1,")
    assert "100 %25 \x1b[31m%0D%0Ared" in line


@pytest.mark.parametrize("form", ["text", "junit"])
def test_control_characters_are_shown_not_sent(form: str) -> None:
    text = render(form, Findings((), (NASTY,), ()))
    assert "\x1b" not in text
    assert "\\u001b[31m" in text


def test_junit_of_a_nasty_message_is_still_xml() -> None:
    (suite,) = ET.fromstring(render("junit", Findings((), (NASTY,), ())).encode())  # noqa: S314 - our own text
    assert suite.get("failures") == "1"


@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_tell_that_nothing_is_wrong(form: str) -> None:
    assert render(form, Findings(("a.yaml",), (), ()))
