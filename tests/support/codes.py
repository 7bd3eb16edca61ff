"""Finds every code of the product in its sources: holds, errors, problems, warnings and defects."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import get_args

from otactl.backends.registry import BACKENDS
from otactl.errors import (
    BudgetSpentError,
    ConflictError,
    ManifestError,
    OtactlError,
    TransientError,
    UsageError,
    reason_of,
)
from otactl.model import Phase, Reason
from otactl.schedule.windows import Refusal
from tests.support.paths import ROOT

HOLDS = frozenset({"Hold", "_stall", "stall", "Judgement"})
ERRORS = frozenset({"StalledError", "NotUsableError", "RunError", "RunFault", "_refused"})
REPORTED = frozenset(
    {
        *("Violation", "Fault", "problem", "note", "_note", "_error", "_at", "_failed", "Unreadable", "stop"),
        *("Unread", "AirtimeWarning", "Defect", "_read", "_block"),
    }
)
"""Functions and classes that take the code of a problem, a warning or a defect among their arguments."""
HOMES = ("manifest/", "policies/", "lorawan/", "journal/", "backends/", "cli/")
WORD = re.compile(r"[a-z]+(_[a-z]+)*")
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
PASCAL = re.compile(r"([A-Z][a-z]+)+")
ROW = 3
"""How many cells a row of the table of SDK errors has: types, reason, text."""
FAMILIES: tuple[OtactlError, ...] = (
    ManifestError(()),
    ConflictError(""),
    TransientError(""),
    UsageError(""),
    BudgetSpentError(budget=1, limit=1, calls=1),
)


def trees() -> Iterator[tuple[str, ast.Module]]:
    """The syntax tree of each source of the controller, with its path."""
    folder = ROOT / "controller/otactl"
    for path in sorted(folder.rglob("*.py")):
        yield path.relative_to(folder).as_posix(), ast.parse(path.read_text())


@cache
def constants() -> dict[str, str]:
    """Texts of module constants, by name: reasons that several places use."""
    found: dict[str, str] = {}
    for _, tree in trees():
        for node in tree.body:
            if isinstance(node, ast.Assign):
                names = [n for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
                values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
                for name, value in zip(names, values, strict=False):
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        found[name.id] = value.value
    return found


def _texts(nodes: Iterator[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.IfExp):
            yield from _texts(iter((node.body, node.orelse)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in constants():
                yield constants()[name]


def _arguments(tree: ast.Module, names: frozenset[str], keyword: str, *, first: bool) -> Iterator[str]:
    """Literal texts that calls of these names take as a keyword, or among their positional arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in names:
            positional = node.args[:1] if first else node.args
            yield from _texts(iter((*positional, *(k.value for k in node.keywords if k.arg == keyword))))


def _assigned(tree: ast.Module) -> Iterator[str]:
    """Literal texts that are assigned to a name `code`, alone or in a tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Name) and each.id == "code" for target in node.targets for each in ast.walk(target)
        ):
            yield from _texts(iter(node.value.elts if isinstance(node.value, ast.Tuple) else (node.value,)))


def holds() -> set[str]:
    """Every reason of a hold."""
    found = {t for _, tree in trees() for t in _arguments(tree, HOLDS, "reason", first=True)}
    fields = {"drift_watch_is_not_driven"}  # built from the name of the field, in policies/unsupported.py
    return {text for text in found if WORD.fullmatch(text)} | set(get_args(Refusal)) | fields


def errors() -> set[str]:
    """Every reason of an error."""
    found = {t for _, tree in trees() for t in _arguments(tree, ERRORS, "reason", first=True) if PASCAL.fullmatch(t)}
    tables = {
        text
        for name, tree in trees()
        if name.endswith("aws/errors.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple) and len(node.elts) == ROW
        for text in _texts(iter(node.elts[1:2]))
        if PASCAL.fullmatch(text)
    }
    budget = {constants()["STARVED"], constants()["TOO_LARGE"]}
    return found | tables | budget | {reason_of(error) for error in FAMILIES} | {"JournalMissing"}


def problems() -> set[str]:
    """Every code of a problem of a manifest, of a warning of the radio and of a defect of the journal."""
    homes = [tree for name, tree in trees() if name.startswith(HOMES)]
    found = {t for tree in homes for t in (*_arguments(tree, REPORTED, "code", first=False), *_assigned(tree))}
    found |= {
        f"{t.replace(' ', '_')}_is_assumed"
        for tree in homes
        for t in _arguments(tree, frozenset({"_assumed"}), "what", first=True)
    }
    whole = {"unreadable"}  # the one code without an underscore
    return {t for t in found if SNAKE.fullmatch(t) or t in whole} | {"duplicate_rollout", "duplicate_environment"}


def adoption() -> set[str]:
    """Every code of a doubt about a unit that is not adopted."""
    doubts = frozenset({"Doubt"})
    return {t for _, tree in trees() for t in _arguments(tree, doubts, "code", first=False) if SNAKE.fullmatch(t)}


def conditions() -> set[str]:
    """Every phase, and every type of a condition."""
    types = {t for _, tree in trees() for t in _arguments(tree, frozenset({"Condition"}), "type", first=False)}
    reasons = {"Done"}  # of Reconciling, beside the reasons of holds and errors, in state/status_conditions.py
    return {phase.value for phase in Phase} | {t for t in types if PASCAL.fullmatch(t)} | reasons


def failures() -> set[str]:
    """Every reason of a failed device."""
    return {reason.value for reason in Reason}


def reported_by_backends() -> set[str]:
    """Failure reasons that the definitions of backends name."""
    return {str(reason) for definition in BACKENDS.values() for reason in definition.failure_reasons}
