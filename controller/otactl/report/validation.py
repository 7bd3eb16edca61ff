"""Renders the result of `validate`: text, JSON, SARIF, JUnit, GitHub annotations.

1. All forms come from one value. 2. Text is `file:line:column: code: message`, the hint indented below.
3. Nothing from a user's file reaches a terminal, XML or a workflow command unescaped.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Meta

from otactl import __version__
from otactl.errors import Problem
from otactl.model import Value
from otactl.wording import count

_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


class ProblemLine(Value, frozen=True, kw_only=True):
    """One thing wrong, with its place."""

    file: Annotated[str, Meta(description="Path as given on the command line.", examples=["rollouts/a.yaml"])]
    line: Annotated[int, Meta(description="Line, from 1.", ge=1, examples=[9])]
    column: Annotated[int, Meta(description="Column, from 1.", ge=1, examples=[5])]
    pointer: Annotated[str, Meta(description="RFC 6901 JSON pointer into the document.", examples=["/spec/fuota/role"])]
    code: Annotated[
        str, Meta(description="Stable word for machines.", pattern="^[a-z][a-z0-9_]*$", examples=["bad_format"])
    ]
    message: Annotated[
        str, Meta(description="What is wrong.", examples=["spec.fuota.role must be the ARN of an IAM role"])
    ]
    hint: Annotated[
        str,
        Meta(
            description="What to write instead; may be empty.",
            examples=['for example "${stack:firmwareUpdateRoleArn}"'],
        ),
    ]


class Validation(Value, frozen=True, kw_only=True):
    """What validate found in all files."""

    valid: Annotated[bool, Meta(description="No errors; warnings do not count.", examples=[True])]
    files: Annotated[int, Meta(description="Files read.", ge=0, examples=[3])]
    errors: Annotated[tuple[ProblemLine, ...], Meta(description="What must be fixed.", examples=[[]])]
    warnings: Annotated[tuple[ProblemLine, ...], Meta(description="What deserves attention.", examples=[[]])]


class Findings(NamedTuple):
    """The files that were read, by name, and what is wrong with them."""

    names: tuple[str, ...]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """No errors; warnings do not count."""
        return not self.errors


def render(form: str, findings: Findings) -> str:
    """Write findings in one of `FORMS`, without a final line break."""
    return FORMS[form](findings)


def as_text(findings: Findings) -> str:
    """For people: one line per problem, its hint below, a sum at the end."""
    lines: list[str] = []
    for problem, mark in _marked(findings):
        place = f"{_plain(problem.file)}:{problem.line}:{problem.column}"
        lines.append(f"{place}: {problem.code}: {_plain(problem.message)}{' (warning)' if mark == 'warning' else ''}")
        if problem.hint:
            lines.append(f"    {_plain(problem.hint)}")
    return "\n".join([*lines, _sum(findings)])


def as_json(findings: Findings) -> str:
    """Return one JSON object, as schemas/v1/validate.schema.json says."""
    document = Validation(
        valid=findings.valid,
        files=len(findings.names),
        errors=_lines(findings.errors),
        warnings=_lines(findings.warnings),
    )
    return json.dumps(msgspec.to_builtins(document), ensure_ascii=False, indent=2)


def _lines(problems: Iterable[Problem]) -> tuple[ProblemLine, ...]:
    return tuple(ProblemLine(**msgspec.structs.asdict(problem)) for problem in problems)


def as_sarif(findings: Findings) -> str:
    """For code scanning: SARIF 2.1.0, one rule per code."""
    codes = sorted({problem.code for problem, _ in _marked(findings)})
    rules = [{"id": code, "shortDescription": {"text": code.replace("_", " ")}} for code in codes]
    results = [
        {
            "ruleId": problem.code,
            "ruleIndex": codes.index(problem.code),
            "level": mark,
            "message": {"text": f"{problem.message}. {problem.hint}" if problem.hint else problem.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(problem.file)},
                        "region": {"startLine": problem.line, "startColumn": problem.column},
                    },
                    "logicalLocations": [{"fullyQualifiedName": problem.pointer or "/"}],
                }
            ],
        }
        for problem, mark in _marked(findings)
    ]
    driver = {"name": "otactl", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def as_junit(findings: Findings) -> str:
    """For test reports: one case per file, failed by its errors; warnings go to its output."""
    names = list(
        dict.fromkeys([*findings.names, *(p.file for p in findings.errors), *(p.file for p in findings.warnings)])
    )
    failed = {problem.file for problem in findings.errors}
    head = f'<testsuite name="otactl validate" tests="{len(names)}" failures="{len(failed)}" errors="0" skipped="0">'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", f"  {head}"]
    for name in names:
        lines.append(f'    <testcase classname="otactl.validate" name="{_xml(name)}" file="{_xml(name)}">')
        for problem in (p for p in findings.errors if p.file == name):
            opening = f'<failure type="{_xml(problem.code)}" message="{_xml(problem.message)}">'
            lines.append(f"      {opening}{_xml(_line(problem))}</failure>")
        warnings = [_line(problem) for problem in findings.warnings if problem.file == name]
        if warnings:
            lines.append(f"      <system-out>{_xml(chr(10).join(warnings))}</system-out>")
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"])


def as_github(findings: Findings) -> str:
    """For pull requests: workflow commands that put each problem on its line."""
    lines = []
    for problem, mark in _marked(findings):
        values = {"file": problem.file, "line": problem.line, "col": problem.column, "title": problem.code}
        attributes = ",".join(f"{name}={_property(str(value))}" for name, value in values.items())
        message = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
        lines.append(f"::{mark} {attributes}::{_data(message)}")
    return "\n".join([*lines, _sum(findings)])


FORMS: dict[str, Callable[[Findings], str]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "junit": as_junit,
    "github": as_github,
}


def _marked(findings: Findings) -> list[tuple[Problem, Literal["error", "warning"]]]:
    return [*((p, "error") for p in findings.errors), *((p, "warning") for p in findings.warnings)]


def _sum(findings: Findings) -> str:
    files = _count(len(findings.names), "file")
    warned = f", {_count(len(findings.warnings), 'warning')}" if findings.warnings else ""
    errors = _count(len(findings.errors), "error") if findings.errors else "no errors"
    return f"{files}: {errors}{warned}"


def _count(number: int, noun: str) -> str:
    return count(number, noun)


def _line(problem: Problem) -> str:
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{problem.file}:{problem.line}:{problem.column}: {problem.code}: {problem.message}{hint}"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _xml(text: str) -> str:
    return html.escape("\n".join(_plain(line) for line in text.split("\n")), quote=True)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
