"""Tuya OTA behind the port: what it can do, what it shows, what we send.

1. The gateway lists nothing by name or owner: a batch is ours because our journal remembers its id, and only so.
2. A create whose answer was lost is looked for by package, time and devices. One candidate is adopted; of several none,
   they are named and everything waits for a person.
3. The package is looked at until a batch is made of it; its address expires and is never compared.
4. Before any write, the account of the environment's AWS credentials is checked, as for every service.
"""

from __future__ import annotations

from controller.actions import Call, Receipt
from controller.backends._aws import AwsTransport
from controller.backends._tuya import NotFoundError, TuyaTransport
from controller.backends._tuya_calls import MAKE
from controller.backends._tuya_reads import BatchReader, is_make
from controller.backends._tuya_shapes import MADE_JOB, single_of
from controller.backends._tuya_units import BatchUnits
from controller.backends.tuya_shape import TuyaShape
from controller.errors import ConflictError
from controller.model import Observation, Record, RoleFacts, Rollout, Survey, TuyaSpec, Unit
from controller.upcoming import upcoming

NO_ROLE = RoleFacts(exists=True, trusts="yes", reads="yes")


class TuyaBackend(TuyaShape):
    """The sibling over a transport."""

    def __init__(self, aws: AwsTransport, transport: TuyaTransport) -> None:
        self._aws, self._transport = aws, transport
        self._reader = BatchReader(transport)
        self._units_of = BatchUnits(self._reader)

    def survey(self) -> Survey:
        """Whose account this is; the gateway shows no list of batches that would not need a package (rule 1)."""
        return Survey(account=self._aws.identity())

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:  # noqa: ARG002 - the port's
        """The rollout's batches, and what they need to start."""
        spec = rollout.backend
        if not isinstance(spec, TuyaSpec):
            return Observation()
        units, ambiguous = self._units(rollout, known)
        starting = upcoming(rollout, known, units, self.capabilities)
        if starting is None:
            return Observation(units=units, ambiguous=ambiguous)
        making = starting.unit is None and not starting.waits
        version = rollout.firmware.version
        targets = tuple(self._reader.target(key, spec, version) for key in starting.keys) if making else ()
        return Observation(
            units=units,
            ambiguous=ambiguous,
            image=self._reader.package(spec, rollout.firmware),
            role=NO_ROLE,
            targets=targets,
            devices=tuple(sorted(t.vendor_id for t in targets if t.exists)),
        )

    def send(self, call: Call) -> Receipt:
        """Send one call. A create is sent once, under the moment it was decided."""
        try:
            if call.operation != MAKE:
                self._transport.call(call.operation, call.parameters, repeatable=call.repeatable)
                return Receipt(key=call.key)
            prepared = self._transport.prepare(call.operation, call.parameters, call.signed_at)
            made = single_of(MADE_JOB, self._transport.send(prepared))
        except NotFoundError as error:
            raise ConflictError(f"{call.operation}: {error}; looking again") from error
        return Receipt(key=call.key, vendor_id=made.job_id, arn=f"tuya:{made.job_id}")

    def _units(self, rollout: Rollout, known: Record) -> tuple[tuple[Unit, ...], str]:
        units: list[Unit] = []
        ambiguous = ""
        remembered = frozenset(a.vendor_id for a in known.attempts if a.vendor_id is not None)
        for attempt in known.attempts:
            if not attempt.live:
                continue
            job_id = attempt.vendor_id
            intent = next((i for i in known.intents if i.unit_id == attempt.unit_id and is_make(i)), None)
            if job_id is None and intent is not None:
                found = self._reader.lost(intent, remembered)
                if len(found) > 1:
                    names = ", ".join(found)
                    ambiguous = f"the answer to the batch of {attempt.unit_id} was lost, and each of {names} may be it"
                    ambiguous += "; cancel those that are not"
                    continue
                job_id = found[0] if found else None
            unit = self._units_of.unit(attempt, job_id, rollout) if job_id is not None else None
            if unit is not None:
                units.append(unit)
        return tuple(units), ambiguous
