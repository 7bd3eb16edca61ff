"""Sends the calls of a step in parallel and returns the result of each; decides nothing.

1. A call past its `not_after` is dropped: the next pass plans a new one.
2. After one refusal that needs a human, the rest of that rollout's calls are not sent; other rollouts go on. The same
   holds when the lease is lost: what was sent before is reported. Once `send` has found that another process held the
   environment it raises for every further call, whatever rollout it is of; the intents stay.
3. An error is a result, not an exception: what was answered before it is never lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from otactl.errors import ConflictError, LeaseHeldError, StalledError, TooLateError, TransientError, defect
from otactl.model.actions import Call, Receipt
from otactl.reconcile.abreast import abreast
from otactl.state.intents import CallResult
from otactl.state.jobs import ActionResult, PlannedCalls


class Executor:
    """Runs jobs against one backend's `send`."""

    def __init__(self, send: Callable[[Call], Receipt], now: Callable[[], datetime], workers: int) -> None:
        self._send = send
        self._now = now
        self._workers = workers
        self._lock = Lock()

    def run(self, jobs: Sequence[PlannedCalls]) -> tuple[ActionResult, ...]:
        """Send every call of every job; independent ones side by side."""
        stopped: dict[str, str] = {}
        todo = [(job.rollout, call) for job in jobs for call in job.calls]
        done = iter(abreast(self._workers, lambda one: self._one(*one, stopped), todo))
        return tuple(self._sum_up(job, [next(done) for _ in job.calls]) for job in jobs)

    def _one(self, rollout: str, call: Call, stopped: dict[str, str]) -> tuple[CallResult, Exception | None]:
        with self._lock:
            if rollout in stopped:
                return CallResult(key=call.key, error=f"not sent: {stopped[rollout]}"), None
        if call.not_after is not None and self._now() > call.not_after:
            late = TooLateError(call.operation)
            return CallResult(key=call.key, error=str(late)), late
        try:
            return CallResult(key=call.key, receipt=self._send(call)), None
        except (StalledError, LeaseHeldError) as error:
            with self._lock:
                stopped[rollout] = str(error)
            return CallResult(key=call.key, error=str(error)), error
        except TransientError as error:
            return CallResult(key=call.key, error=str(error), unknown=error.committed is None), error
        except ConflictError as error:
            return CallResult(key=call.key, error=str(error), unknown=not isinstance(error, TooLateError)), error
        except Exception as error:  # noqa: BLE001 - the last guard: the others go on
            failure = defect(error)  # whether the call went out is not known, so its intent stays
            with self._lock:
                stopped[rollout] = str(failure)
            return CallResult(key=call.key, error=str(failure), unknown=True), failure

    @staticmethod
    def _sum_up(job: PlannedCalls, outcomes: list[tuple[CallResult, Exception | None]]) -> ActionResult:
        errors = [error for _, error in outcomes if error is not None]
        stalled = next((f"{e.reason}: {e}" for e in errors if isinstance(e, StalledError)), "")
        waits = [e.retry_after for e in errors if isinstance(e, TransientError)]
        return ActionResult(
            job=job,
            results=tuple(result for result, _ in outcomes),
            stalled=stalled,
            retry_after=max(waits) if waits else None,
            conflict=any(isinstance(e, ConflictError) for e in errors),
        )
