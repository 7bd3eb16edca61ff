"""Renders the result of `validate`: text, JSON, SARIF, JUnit, GitHub annotations.

1. All forms come from one value. 2. Text is `file:line:column: code: message`, the hint indented below.
3. Nothing from a user's file reaches a terminal, XML or a workflow command unescaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from otactl.errors import Problem
from otactl.manifest.phrases import printable
from otactl.model import Value
from otactl.wording import count

if TYPE_CHECKING:
    from otactl.report.sarif import Marked


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
        """Return whether there are no errors; warnings do not count."""
        return not self.errors


def render(form: str, findings: Findings) -> str:
    """Write findings in one of `FORMS`, without a final line break."""
    return FORMS[form](findings)


def as_text(findings: Findings) -> str:
    """Render for people: one line for each problem, its hint below, a sum at the end."""
    lines: list[str] = []
    for problem, mark in _marked(findings):
        place = f"{printable(problem.file)}:{problem.line}:{problem.column}"
        lines.append(
            f"{place}: {problem.code}: {printable(problem.message)}{' (warning)' if mark == 'warning' else ''}"
        )
        if problem.hint:
            lines.append(f"    {printable(problem.hint)}")
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
    """Render for code scanning: one result for each problem."""
    from otactl.report import sarif

    return sarif.as_sarif(_marked(findings))


def as_junit(findings: Findings) -> str:
    """Render for test reports: one case for each file, failed by its errors; warnings go to its output."""
    from otactl.report import junit

    files = (*findings.names, *(p.file for p in findings.errors), *(p.file for p in findings.warnings))
    cases = [
        junit.Case(
            file,
            file,
            tuple(junit.Failure(p.code, p.message, _line(p)) for p in findings.errors if p.file == file),
            tuple(_line(p) for p in findings.warnings if p.file == file),
        )
        for file in dict.fromkeys(files)
    ]
    return junit.as_junit("validate", cases)


def as_github(findings: Findings) -> str:
    """Render for pull requests: workflow commands that put each problem on its line."""
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


def _marked(findings: Findings) -> list[Marked]:
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


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
