"""Errors a user can act on, each telling what, where and what next.

1. A backend raises only `TransientError`, `ConflictError` and `StalledError`.
2. `str(error)` is one line fit for a terminal: no secret, no signed URL, no traceback.
3. Nothing here knows an SDK; the transports translate.
"""

from __future__ import annotations

import shlex

import msgspec

from otactl.wording import count


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong in a user's file, with the place to fix it.

    `line` and `column` count from 1; `pointer` is an RFC 6901 JSON pointer; `code` is stable for machines; `hint`
    says what to write instead and may be empty.
    """

    file: str
    line: int
    column: int
    pointer: str
    code: str
    message: str
    hint: str = ""


class OtactlError(Exception):
    """Base of every error that ends in one clear message and exit code 1."""


class ManifestError(OtactlError):
    """The user's files are wrong; carries every problem found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(f"{p.file}:{p.line}:{p.column}: {p.code}: {p.message}" for p in problems))
        self.problems = problems


class TransientError(OtactlError):
    """The service or the wire failed for now; `retry_after` is seconds to wait, `committed` what we know of the write.

    `committed` is False when the service surely did not act (throttled), None when it may have (connection lost).
    """

    def __init__(self, message: str, *, retry_after: float = 30.0, committed: bool | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.committed = committed


class BudgetSpentError(TransientError):
    """The calls a run may make are made: `limit` of `budget` for a call of this kind, `calls` by everybody so far."""

    def __init__(self, *, budget: int, limit: int, calls: int) -> None:
        super().__init__(
            f"the run's budget of {count(budget, 'call')} is spent; the next run goes on, with what had no turn first",
            retry_after=60.0,
            committed=False,
        )
        self.budget = budget
        self.limit = limit
        self.calls = calls


class ConflictError(OtactlError):
    """The state is not what the plan saw: look again before deciding anything."""


class TooLateError(ConflictError):
    """A call was not sent, since the time it may be sent had passed."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation} was dropped: it was too late to send it; the next pass checks again")


class StalledError(OtactlError):
    """A human is needed; `reason` is a PascalCase word that `otactl explain` knows."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def defect(error: BaseException) -> StalledError:
    """Return the error for an unexpected exception: its type and place, not its text, which may hold a secret."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        file = trace.tb_frame.f_code.co_filename.replace("\\", "/")
        where = f" in {'/'.join(file.split('/')[-2:])}:{trace.tb_lineno}"
    text = f"{type(error).__name__}{where}, which is a defect of otactl: report it with its version"
    return StalledError("Defect", text)


class UsageError(OtactlError):
    """The command cannot do what was asked as it was asked (missing path, unknown name, unreadable journal)."""


class OutputError(OtactlError):
    """What a verb has to tell cannot be written."""

    def __init__(self, why: str) -> None:
        super().__init__(f"cannot write the output: {why}; what was done before it stays done")


class JournalMissingError(UsageError):
    """There is no journal where one is to be; `otactl journal init` makes it, nothing else does."""

    def __init__(self, where: str, make: str, why: str = "no journal at") -> None:
        """Take `where` as a person reads it, and `make` as `otactl journal init` takes it."""
        super().__init__(
            f"JournalMissing: {why} {where}; name the right one with --journal, OTACTL_JOURNAL or spec.journal of the "
            f"environment, or, if there never was one, create it: otactl journal init {shlex.quote(make)}"
        )


class LeaseHeldError(OtactlError):
    """Another process works on this environment; `holder` says which."""

    def __init__(self, environment: str, holder: str, until: str) -> None:
        super().__init__(f"environment {environment} is held by {holder} until {until}; nothing was sent")
        self.holder = holder


def reason_of(error: OtactlError) -> str:
    """Return the PascalCase word that names an error in conditions and in `status`; `otactl explain` knows them all."""
    if isinstance(error, StalledError):
        return error.reason
    if isinstance(error, ManifestError):
        return "ManifestInvalid"
    if isinstance(error, ConflictError):
        return "Conflict"
    if isinstance(error, BudgetSpentError):
        return "CallBudgetSpent"
    return "Unavailable" if isinstance(error, TransientError) else "RunFailed"
