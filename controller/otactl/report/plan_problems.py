"""Renders what is wrong in a plan as SARIF and JUnit: the same errors that make `plan` exit 1.

1. Errors: a manifest with an error, a rollout that cannot be planned, an image or a role that is missing or wrong.
2. Drift that holds a rollout is a warning: it fails no check, and a person has to decide.
3. In SARIF one cause is one result: a rollout that an error of a manifest stops is reported at that error alone.
   In JUnit each rollout is a case, and fails by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from otactl import explanations
from otactl.errors import ManifestError, OtactlError, Problem, reason_of
from otactl.report import plan_lines
from otactl.report.junit import Case, Failure
from otactl.report.junit import as_junit as junit
from otactl.report.plan_values import PlanHold, PlannedRollout, PlanReport
from otactl.report.sanitize import plain
from otactl.report.sarif import Marked
from otactl.report.sarif import as_sarif as sarif


def of_error(error: OtactlError) -> tuple[Problem, ...]:
    """Return the problems of a plan that failed: those of the manifests, or one of no file."""
    if isinstance(error, ManifestError):
        return error.problems
    code, message = _coded(str(error), reason_of(error))
    return (Problem(file="", line=0, column=0, pointer="", code=code, message=message),)


def as_sarif(report: PlanReport) -> str:
    """Render for code scanning: every problem of the manifests, then those of the rollouts."""
    marked: list[Marked] = [(problem, "error") for problem in report.problems]
    causes = tuple(f"ManifestInvalid: {_line(problem)}" for problem in report.problems)
    for rollout in plan_lines.in_order(report):
        if not (rollout.error and plain(rollout.error).startswith(causes)):
            marked += [(problem, "error") for problem in _errors(rollout)]
        marked += [(_of_hold(rollout, hold), "warning") for hold in _held_by_drift(rollout)]
    return sarif(marked)


def as_junit(report: PlanReport) -> str:
    """Render for test reports: one case for each rollout, and one for each error that is of no rollout."""
    cases = [
        Case(
            rollout.title,
            rollout.file,
            tuple(_failure(problem) for problem in _errors(rollout)),
            (
                plan_lines.verdict(rollout),
                *(f"warning: {h.reason}: {plan_lines.hold(h)}" for h in _held_by_drift(rollout)),
            ),
        )
        for rollout in plan_lines.in_order(report)
    ]
    errors = tuple(plain(error) for error in report.errors)
    cases += [
        Case(problem.file or "otactl plan", problem.file, (_failure(problem),))
        for problem in report.problems
        if not problem.file or any(error.startswith(_line(problem)) for error in errors)
    ]
    return junit("plan", cases)


def _errors(rollout: PlannedRollout) -> list[Problem]:
    """Return what fails the check of a rollout."""
    if rollout.error:
        code, message = _coded(rollout.error, "RunFailed")
        return [_problem(rollout, code, message)]
    return [_of_hold(rollout, hold) for hold in _once((*rollout.holds, *rollout.run_holds)) if hold.is_red]


def _held_by_drift(rollout: PlannedRollout) -> list[PlanHold]:
    holds = _once((*rollout.holds, *rollout.run_holds))
    return [hold for hold in holds if hold.stalled and hold.reason.startswith("drift_")]


def _once(holds: Iterable[PlanHold]) -> list[PlanHold]:
    return list(dict.fromkeys(holds))


def _of_hold(rollout: PlannedRollout, hold: PlanHold) -> Problem:
    return _problem(rollout, hold.reason, hold.message, hold.fix)


def _problem(rollout: PlannedRollout, code: str, message: str, hint: str = "") -> Problem:
    return Problem(
        file=rollout.file,
        line=rollout.line or 0,
        column=1 if rollout.line else 0,
        pointer="",
        code=code,
        message=f"{rollout.title}: {message}",
        hint=hint,
    )


def _coded(text: str, otherwise: str) -> tuple[str, str]:
    """Divide a text into its code and its message; `otherwise` is the code of a text that starts with none."""
    code, _, message = text.partition(": ")
    known = message and " " not in code and code[:1].isupper() and explanations.find(code)
    return (code, message) if known else (otherwise, text)


def _failure(problem: Problem) -> Failure:
    return Failure(
        problem.code, problem.message, f"{problem.message} ({problem.hint})" if problem.hint else _line(problem)
    )


def _line(problem: Problem) -> str:
    place = f"{problem.file}:{problem.line}:{problem.column}: " if problem.file and problem.line else ""
    return plain(f"{place}{problem.code}: {problem.message}")
