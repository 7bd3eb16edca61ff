"""Implements the backend port for Tuya OTA.

1. The gateway lists nothing by name or owner: a batch is ours because our journal remembers its id, and only so.
2. A create whose answer was lost is looked for (`lost_batches`). One candidate is adopted; of several none, they are
   named and everything waits for a person.
3. The package is checked until a batch is made of it; its address expires and is never compared. So are the devices,
   or the product where the service selects them: work of others holds the start.
4. Before any write, the account of the environment's AWS credentials is checked, as for every service.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from msgspec.structs import replace

from otactl.backends.aws.client import AwsClient
from otactl.backends.tuya.batching import known_parts
from otactl.backends.tuya.calls import CONFIRM, MAKE
from otactl.backends.tuya.client import NotFoundError, RefusedError, TuyaClient
from otactl.backends.tuya.config import TuyaConfig
from otactl.backends.tuya.definition import TuyaShape
from otactl.backends.tuya.lost_batches import LostBatches
from otactl.backends.tuya.other_batches import product_facts
from otactl.backends.tuya.reads import BatchReader
from otactl.backends.tuya.schemas import MADE_JOB, single_of
from otactl.backends.tuya.units import BatchUnits
from otactl.errors import ConflictError, StalledError
from otactl.model import (
    AmbiguousCreate,
    Listed,
    Observation,
    PreflightRequest,
    Record,
    RoleFacts,
    Rollout,
    Stage,
    Survey,
    TargetFacts,
    Unit,
    VersionConfirm,
    duration,
)
from otactl.model.actions import Call, Receipt

NO_ROLE = RoleFacts(exists=True, trusts="yes", reads="yes")


class TuyaBackend(TuyaShape):
    """The backend over a transport."""

    def __init__(self, aws: AwsClient, transport: TuyaClient) -> None:
        self._aws, self._transport = aws, transport
        self._reader = BatchReader(transport)
        self._units_of = BatchUnits(self._reader)

    def survey(self) -> Survey:
        """Read whose account this is; the gateway lists batches only of a package (rule 1)."""
        return Survey(account=self._aws.identity())

    def marks(self, item: Listed) -> dict[str, str]:  # noqa: ARG002 - the port's
        """Return no mark: the gateway keeps no tags, and lists no batch of an environment (rule 1)."""
        return {}

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:  # noqa: ARG002 - the port's
        """Read the rollout's batches, and the targets of parts that are still to be created."""
        spec = TuyaConfig.of(rollout)
        looked: list[TargetFacts] = []
        units, ambiguous = self._units(rollout, spec, known, looked)
        return Observation(units=units, ambiguous=ambiguous, targets=tuple(looked))

    def preflight(
        self,
        rollout: Rollout,
        request: PreflightRequest,
        seen: Observation,
        survey: Survey,  # noqa: ARG002 - the port's
    ) -> Observation:
        """Add what the next batches need to start."""
        spec, starting, looked = TuyaConfig.of(rollout), request.starting, list(seen.targets)
        making = starting if starting is not None and starting.unit is None and not starting.waits else None
        if starting is None and not looked:
            return seen
        if making is not None:
            looked += _reachable(self._targets(making.keys, rollout, spec, request.our_ids))
        image = self._reader.package(spec, rollout.firmware)
        if making is not None and not making.keys:
            looked.append(product_facts(self._reader, spec, image.version, request.our_ids))
        if image.unreadable:  # of another product or module, or one of several: who has its version tells nothing
            looked = [replace(t, updated=False) for t in looked]
        return replace(
            seen,
            image=image,
            role=NO_ROLE,
            targets=tuple(looked),
            devices=tuple(sorted(t.vendor_id for t in looked if t.exists and t.vendor_id)),
        )

    def send(self, call: Call) -> Receipt:
        """Send one call. A create is sent once, under the moment it was decided, by the gateway's clock.

        Raises: StalledError `TargetMissing`, or ConflictError when something else is missing.
        """
        call = call.complete()
        try:
            if call.operation != MAKE:
                self._transport.call(call.operation, call.parameters, repeatable=call.repeatable)
                return Receipt(key=call.key)
            at = call.signed_at + self._ahead() if call.signed_at is not None else None
            prepared = self._transport.prepare(call.operation, call.parameters, at)
            until = call.not_after + self._ahead() if call.not_after is not None else None
            made = single_of(MADE_JOB, self._transport.send(prepared, not_after=until))
        except NotFoundError as error:
            if call.operation == MAKE:  # a group or a package that is not there: no other look changes that
                raise StalledError("RequestRefused", f"{error}; fix what it names") from error
            raise ConflictError(f"{call.operation}: {error}; the next pass checks again") from error
        except RefusedError as error:
            if call.operation == CONFIRM and error.reason == "RequestRefused":
                # One of ten that was confirmed in an app meanwhile, and none is confirmed.
                raise ConflictError(f"{call.operation}: {error}; the next pass checks again") from error
            raise
        return Receipt(key=call.key, vendor_id=made.job_id, arn=f"tuya:{made.job_id}")

    def _units(
        self, rollout: Rollout, spec: TuyaConfig, known: Record, looked: list[TargetFacts]
    ) -> tuple[tuple[Unit, ...], tuple[AmbiguousCreate, ...]]:
        """Return the units, and what is ambiguous; adds to `looked` the targets of parts that are still to be made."""
        units: list[Unit] = []
        ambiguous: list[AmbiguousCreate] = []
        lost = LostBatches(self._reader, self._ahead, duration(spec.settle_time))
        for wave, attempt in ((w, a) for w in known.waves for a in w.attempts):
            if not attempt.live and attempt.stage is not Stage.LOST:
                continue
            parts, unclear = known_parts(attempt, known, lost.find)
            ambiguous += [unclear] if unclear is not None else []
            if not parts.jobs:
                continue
            wanted = attempt.generation == rollout.generation and not (attempt.canceled_by_us or rollout.removed)
            facts = self._targets(parts.missing, rollout, spec, known.vendor_ids) if wanted else []
            looked += facts
            lacks = tuple(t.key for t in facts if t.exists and not t.updated and not t.excluded_because)
            canceling = any(i.action == "cancelUnit" and i.unit_id == attempt.unit_id for i in known.intents)
            unit = self._units_of.unit(attempt, parts, lacks, rollout, spec, wave, canceling=canceling)
            if unit is not None:
                units.append(unit)
        return tuple(units), tuple(ambiguous)

    def _ahead(self) -> timedelta:
        """Return how far the gateway's time is ahead of AWS's, in which decisions are made; read from its answers."""
        return self._transport.now() - self._aws.now()

    def _targets(
        self, keys: tuple[str, ...], rollout: Rollout, spec: TuyaConfig, ours: Collection[str]
    ) -> list[TargetFacts]:
        version = rollout.firmware.version
        confirm = rollout.strategy.confirm
        proof = confirm.version.module if isinstance(confirm, VersionConfirm) else None
        return [self._reader.target(key, spec, version, ours, proof) for key in keys]


def _reachable(facts: list[TargetFacts]) -> list[TargetFacts]:
    """Return the facts; where the service would create a task for no device of a wave, the omitted ones hold it."""
    no_task = all(t.updated or t.excluded_because for t in facts)
    return [replace(t, not_ready_because=t.excluded_because) for t in facts] if no_task else facts
