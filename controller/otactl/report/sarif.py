"""Renders problems as SARIF 2.1.0, for code scanning.

1. One rule per code, with the text of `otactl explain` as its help. 2. A problem of no file is not a result, which
needs a place, but a notification of a run that failed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal
from urllib.parse import quote

from otactl import __version__, explanations
from otactl.errors import Problem
from otactl.model import JsonObject
from otactl.report.sanitize import safe_json

Marked = tuple[Problem, Literal["error", "warning"]]
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_sarif(problems: Sequence[Marked]) -> str:
    """Return one SARIF document; a problem with line 0 is about its whole file."""
    codes = sorted({problem.code for problem, _ in problems})
    placed = [(problem, mark) for problem, mark in problems if problem.file]
    failures = [(problem, mark) for problem, mark in problems if not problem.file]
    driver = {"name": "otactl", "version": __version__, "rules": [_rule(code) for code in codes]}
    run: JsonObject = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": problem.code,
                "ruleIndex": codes.index(problem.code),
                "level": mark,
                "message": _message(problem),
                "locations": [_location(problem)],
            }
            for problem, mark in placed
        ],
    }
    if failures:
        notifications = [
            {"level": mark, "message": _message(problem), "associatedRule": {"id": problem.code}}
            for problem, mark in failures
        ]
        run["invocations"] = [{"executionSuccessful": False, "toolExecutionNotifications": notifications}]
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return safe_json(json.dumps(document, ensure_ascii=False, indent=2))


def _rule(code: str) -> JsonObject:
    rule: JsonObject = {"id": code, "shortDescription": {"text": code.replace("_", " ")}}
    explained = explanations.find(code)
    if explained:
        _, _, text = explained[0]
        rule["fullDescription"] = {"text": text.means}
        rule["help"] = {"text": f"{text.means} {text.why} What to do: {text.fix}"}
    return rule


def _message(problem: Problem) -> JsonObject:
    return {"text": f"{problem.message}. {problem.hint}" if problem.hint else problem.message}


def _location(problem: Problem) -> JsonObject:
    place: JsonObject = {"artifactLocation": {"uri": quote(problem.file.encode("utf-8", "surrogateescape"))}}
    if problem.line:
        place["region"] = {"startLine": problem.line, "startColumn": problem.column}
    return {"physicalLocation": place, "logicalLocations": [{"fullyQualifiedName": problem.pointer or "/"}]}
