"""A fourth backend in memory: parcels of a post office. Nothing in the product knows it.

1. A parcel is sent as it is created, takes TRANSIT, and is delivered to all its things; it carries our marks as tags.
2. Calls go through the environment's AWS client only to be counted and to be listened to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from otactl.backends.aws.tags import marks_of, unit_is_ours
from otactl.errors import ConflictError, StalledError, TransientError
from otactl.model import (
    BackendAccess,
    BackendConfig,
    DeviceResult,
    Environment,
    ImageFacts,
    JsonObject,
    Listed,
    Observation,
    Outcome,
    PreflightRequest,
    Record,
    RoleFacts,
    Rollout,
    Survey,
    TargetFacts,
    Unit,
    UnitPhase,
    Value,
)
from otactl.model.actions import Action, Call, CreateUnit, DeleteUnit, MarkUnit, Receipt, ResendCreate, UnitDeclaration
from otactl.model.violation import Violation
from otactl.ports import Backend, Capabilities, DeviceReader, DeviceService, ManifestTemplate, UnitFinder

if TYPE_CHECKING:
    from otactl.backends.aws.client import AwsClient
    from otactl.lorawan.request import AirtimeRequest

READS, WRITES = ("ListParcels", "DescribeParcel", "DescribeThing"), ("SendParcel", "TagParcel", "DeleteParcel")
TRANSIT = timedelta(minutes=30)
_PHASES = {"inTransit": UnitPhase.RUNNING, "delivered": UnitPhase.ENDED}
SCHEMA: JsonObject = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Parcel",
    "description": "One parcel per wave and attempt.",
    "type": "object",
    "additionalProperties": False,
    "required": ["stamp"],
    "examples": [{"stamp": "priority"}],
    "properties": {
        "stamp": {
            "title": "Stamp",
            "description": "How fast it goes.",
            "enum": ["priority", "economy"],
            "examples": ["priority"],
        }
    },
}


class ParcelConfig(Value, BackendConfig, frozen=True, kw_only=True, tag_field="backend", tag="parcel"):
    """The `parcel` block."""

    kind: ClassVar[str] = "parcel"

    stamp: str

    @classmethod
    def parse(cls, block: JsonObject) -> ParcelConfig:
        return msgspec.convert(block, cls)

    @property
    def sent(self) -> ParcelConfig:
        return self

    @property
    def annotations(self) -> JsonObject:
        return {}

    @property
    def settle_time(self) -> str:
        return "0s"


CAPABILITIES = Capabilities(
    name="parcel",
    service="the post office",
    names_own_task=True,
    create_is_idempotent=True,
    updates_in_place=False,
    starts_explicitly=False,
    members_after_create=False,
    cancels_in_progress=False,
    paces_itself=False,
    schedules=False,
    minimum_lead_seconds=0,
    end_command="post return {id}",
    delete_command="post burn {id}",
)


class ParcelShape:
    """What planning needs, without a client."""

    capabilities = CAPABILITIES

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        return {"stamp": ParcelConfig.of(unit).stamp, "version": unit.firmware.version}, marks_of(unit)

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        del seen
        match action:
            case CreateUnit(unit=unit):
                fields, marks = self.desired(unit)
                asked: JsonObject = {"Name": unit.unit_id, "Things": list(unit.members), "Tags": marks, **fields}
                return (_call(f"createUnit/{unit.unit_id}", "SendParcel", asked),)
            case ResendCreate(call=recorded, unit=unit):
                return (_call(f"createUnit/{unit.unit_id}", recorded.operation, dict(recorded.parameters)),)
            case MarkUnit(unit=unit):
                tagged: JsonObject = {"Name": unit.unit_id, "Tags": marks_of(unit), "Without": list(action.remove)}
                return (_call(f"markUnit/{unit.unit_id}", "TagParcel", tagged),)
            case DeleteUnit(unit_id=unit_id, vendor_id=vendor_id):
                return (_call(f"deleteUnit/{unit_id}", "DeleteParcel", {"Name": vendor_id}),)
        raise TypeError(f"a parcel takes no {type(action).__name__}")


def _call(key: str, operation: str, parameters: JsonObject) -> Call:
    return Call(key=key, service="parcel", operation=operation, parameters=parameters, permission=f"parcel:{operation}")


class PostOffice:
    """The service: parcels by name, under a clock."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.parcels: dict[str, JsonObject] = {}
        self.created: list[str] = []
        self.broken = False

    def answer(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        if self.broken:
            raise TransientError("the post office is closed", retry_after=60)
        name = str(asked.get("Name", ""))
        match operation:
            case "ListParcels":
                return {"Names": list(self.parcels)}
            case "DescribeThing":
                return {"Version": "1.0.0"}
            case "SendParcel":
                if name not in self.parcels:
                    self.created.append(name)
                    self.parcels[name] = {**asked, "SentAt": self.now}
                return {"Name": name}
            case "DeleteParcel":
                self.parcels.pop(name, None)
                return {}
        if name not in self.parcels:
            raise ConflictError(f"there is no parcel {name}")
        parcel = self.parcels[name]
        if operation == "TagParcel":
            kept = {k: v for k, v in dict(parcel["Tags"]).items() if k not in asked["Without"]}  # type: ignore[call-overload]
            parcel["Tags"] = {**kept, **asked["Tags"]}
            return {}
        sent_at = parcel["SentAt"]
        assert isinstance(sent_at, datetime)
        return {**parcel, "Status": "delivered" if self.now - sent_at >= TRANSIT else "inTransit"}


class ParcelBackend(ParcelShape):
    """The backend over a post office."""

    def __init__(self, office: PostOffice, environment: Environment, client: AwsClient) -> None:
        self._office, self._environment, self._client = office, environment, client

    def _ask(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            return self._office.answer(operation, asked)

        budget = self._environment.call_budget
        self._client.stats.count(f"parcel:{operation}", writes=operation in WRITES, budget=budget)
        around = self._client.around
        return send() if around is None else dict(around("parcel", operation, send))

    def survey(self) -> Survey:
        names = self._ask("ListParcels", {})["Names"]
        listed = tuple(Listed(vendor_id=n, name=f"{self._environment.owner}-{n}", arn=n) for n in names)
        return Survey(account=self._environment.account, listed=listed)

    def marks(self, item: Listed) -> Mapping[str, str]:
        return dict(self._ask("DescribeParcel", {"Name": item.vendor_id})["Tags"])

    def observe(self, rollout: Rollout, known: Record, survey: Survey) -> Observation:
        del known
        found = [self._unit(item.vendor_id) for item in survey.listed]
        units = tuple(u for u in found if unit_is_ours(u, self._environment, *rollout.names))
        return Observation(units=units)

    def preflight(self, rollout: Rollout, request: PreflightRequest, seen: Observation, survey: Survey) -> Observation:
        del survey
        if request.starting is None:
            return seen
        targets = tuple(self._thing(key) for key in sorted(request.starting.keys))
        firmware = rollout.firmware
        image = ImageFacts(
            exists=True, size_bytes=firmware.size_bytes, sha256=firmware.sha256, fingerprint="f", where="the parcel"
        )
        return msgspec.structs.replace(
            seen,
            targets=targets,
            image=image,
            role=RoleFacts(exists=True, trusts="yes", reads="yes"),
            devices=tuple(t.vendor_id for t in targets),
        )

    def _thing(self, key: str) -> TargetFacts:
        name = key.partition(":")[2]
        version = self._ask("DescribeThing", {"Name": name})["Version"]
        return TargetFacts(key=key, exists=True, vendor_id=name, version=version)

    def _unit(self, name: str) -> Unit:
        shown = self._ask("DescribeParcel", {"Name": name})
        phase = _PHASES.get(shown["Status"], UnitPhase.UNKNOWN)
        names = [key.partition(":")[2] for key in shown["Things"]]
        results = tuple(DeviceResult(device=n, outcome=Outcome.SUCCEEDED) for n in names)
        return Unit(
            unit_id=name,
            phase=phase,
            vendor_id=name,
            arn=name,
            fields={"stamp": shown["stamp"], "version": shown["version"]},
            tags=dict(shown["Tags"]),
            members=tuple(shown["Things"]),
            created_at=shown["SentAt"],
            results=results if phase is UnitPhase.ENDED else None,
        )

    def send(self, call: Call) -> Receipt:
        whole = call.complete()
        if whole.operation not in WRITES:
            raise StalledError("RequestRefused", f"the post office knows no {whole.operation}")
        answer = self._ask(whole.operation, whole.parameters)
        name = str(answer.get("Name", ""))
        return Receipt(key=call.key, vendor_id=name or None, arn=name or None)


class ParcelDefinition:
    """All that is known of the post office without calling it."""

    kind = ParcelConfig.kind
    config: type[BackendConfig] = ParcelConfig
    access: type[BackendAccess] | None = None
    capabilities = CAPABILITIES
    target_kinds: tuple[str, ...] = ("things",)
    device_kind = "things"
    device_schema = "thingName"
    failure_reasons: tuple[str, ...] = ("timeout",)
    version_proofs: tuple[str, ...] = ("shadow",)
    depends: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    image_limit: int | None = 20_000
    target_limit: int | None = 2
    template = ManifestTemplate(
        name="parcel-1-0-0",
        rollout="  parcel: {stamp: priority}\n  strategy: {waves: [{name: all, targets: {things: [gw-1]}}]}\n",
    )
    device_service: DeviceService | None = None

    def __init__(self, office: PostOffice) -> None:
        self.office = office

    def check(self, rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
        del environment
        if ParcelConfig.of(rollout).stamp == "economy" and len(rollout.strategy.waves) > 1:
            message = "an economy parcel may take years, and the next wave waits for it"
            yield Violation(pointer="/spec/parcel/stamp", code="parcel_is_slow", message=message, severity="warning")

    def check_environment(self, environment: Environment) -> Iterator[Violation]:
        del environment
        yield from ()

    def rollback_block(
        self, block: JsonObject, older_waves: Sequence[str], new: Rollout, waves: Sequence[str]
    ) -> JsonObject:
        del older_waves, new, waves
        return {**block, "stamp": "priority"}

    def shape(self, environment: Environment) -> ParcelShape:
        del environment
        return ParcelShape()

    def unit_finder(self, environment: Environment, client: AwsClient) -> AbstractContextManager[UnitFinder] | None:
        return None

    def device_reader(self, environment: Environment, client: AwsClient) -> AbstractContextManager[DeviceReader]:
        raise TypeError("the post office shows no tasks of one device")

    def airtime(self, rollout: Rollout) -> AirtimeRequest | None:
        del rollout
        return None

    def connect(self, environment: Environment, client: AwsClient) -> Backend | None:
        return ParcelBackend(self.office, environment, client)


Around = Callable[[str, str, Callable[[], Any]], Any]
