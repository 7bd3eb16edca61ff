"""Holds SARIF and JUnit against their own checkers."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from junitparser import JUnitXml, TestSuite

from tests.support.paths import ROOT


@cache
def _sarif() -> Draft202012Validator:
    return Draft202012Validator(json.loads((ROOT / "tests/vectors/sarif-2.1.0.schema.json").read_text()))


def sarif_run(text: str) -> dict[str, Any]:
    """Return the run of a SARIF document that is valid by the schema of its standard."""
    document = json.loads(text)
    assert list(_sarif().iter_errors(document)) == []
    (run,) = document["runs"]
    return dict(run)


def junit_suite(text: str) -> TestSuite:
    """Return the suite of a JUnit document, as a library reads it."""
    (suite,) = JUnitXml.fromstring(text.encode())
    return suite
