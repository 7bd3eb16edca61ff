"""Renders cases that passed or failed as JUnit XML, for the test reports of CI systems."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from otactl.manifest.phrases import printable


class Failure(NamedTuple):
    """Why a case failed: its code, its message, and all that is known."""

    code: str
    message: str
    text: str


class Case(NamedTuple):
    """One thing that was checked; `output` is shown with it and fails nothing."""

    name: str
    file: str
    failures: tuple[Failure, ...] = ()
    output: tuple[str, ...] = ()


def as_junit(verb: str, cases: Sequence[Case]) -> str:
    """Return one document with the suite of a verb; nothing of a case is markup."""
    failed = sum(bool(case.failures) for case in cases)
    head = f'<testsuite name="otactl {verb}" tests="{len(cases)}" failures="{failed}" errors="0" skipped="0">'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>", f"  {head}"]
    for case in cases:
        file = f' file="{_xml(case.file)}"' if case.file else ""
        lines.append(f'    <testcase classname="otactl.{verb}" name="{_xml(case.name)}"{file}>')
        for failure in case.failures:
            opening = f'<failure type="{_xml(failure.code)}" message="{_xml(failure.message)}">'
            lines.append(f"      {opening}{_xml(failure.text)}</failure>")
        if case.output:
            lines.append(f"      <system-out>{_xml(chr(10).join(case.output))}</system-out>")
        lines.append("    </testcase>")
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"])


def _xml(text: str) -> str:
    return html.escape("\n".join(printable(line) for line in text.split("\n")), quote=True)
