"""Defines what is known of Tuya's OTA batches without calling them: imports no client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from otactl.backends.tuya.config import TuyaAccess, TuyaConfig, access_of
from otactl.backends.tuya.device_homes import TuyaDevices
from otactl.backends.tuya.statuses import TO_CONFIRM
from otactl.backends.tuya.template import TEMPLATE
from otactl.model import BackendAccess, BackendConfig, Environment, Rollout
from otactl.model.violation import Violation

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from otactl.backends.aws.client import AwsClient
    from otactl.lorawan.request import AirtimeRequest
    from otactl.ports import Backend, DeviceReader, UnitFinder

from otactl.model import JsonObject, Observation
from otactl.model.actions import Action, Call, UnitDeclaration
from otactl.ports import Capabilities, DeviceService, PureHalf

CAPABILITIES = Capabilities(
    name="tuya",
    service="Tuya OTA",
    names_own_task=False,
    create_is_idempotent=False,
    updates_in_place=False,
    starts_explicitly=False,
    members_after_create=False,
    cancels_in_progress=False,
    cancels_waiting=True,
    keeps_ended=True,
    tells_of_spared=True,
    read_only_credentials=False,
    paces_itself=False,
    schedules=False,
    minimum_lead_seconds=0,
    running_fields=(TO_CONFIRM,),
    starting_fields=(TO_CONFIRM,),
    annotation_fields=(TO_CONFIRM,),
    end_command="cancel batch {id} in Tuya's console (tasks in progress go on)",
    delete_command="cancel batch {id} in Tuya's console",
    silence_ends="one that stays silent fails at the batch's time-out (timeoutInMinutes, from its first progress): "
    "check it on site",
)


class TuyaShape:
    """The pure half of the backend: what planning and lowering need, without a client."""

    capabilities = CAPABILITIES

    def desired(self, unit: UnitDeclaration) -> tuple[JsonObject, dict[str, str]]:
        """Return the fields a batch must show; it has no marks."""
        from otactl.backends.tuya import calls

        return calls.desired(unit), {}

    def lower(self, action: Action, seen: Observation) -> tuple[Call, ...]:
        """Return the exact calls that carry an action out."""
        from otactl.backends.tuya import calls

        return calls.lower(action, seen)


_OF_SELECTIONS = ("targetSelection", "grayPercent", "groupId", "confirmWaves")


class TuyaDefinition:
    """The definition of `tuya` blocks, and of the access block `tuya` of an environment."""

    kind = TuyaConfig.kind
    config: type[BackendConfig] = TuyaConfig
    access: type[BackendAccess] | None = TuyaAccess
    capabilities = CAPABILITIES
    target_kinds: tuple[str, ...] = ("devices",)
    device_kind = "devices"
    device_schema = "tuyaDeviceName"
    failure_reasons: tuple[str, ...] = (
        "conflict",
        "rejected",
        "download",
        "verify",
        "flash",
        "timeout",
        "offline",
        "unknown",
    )
    version_proofs: tuple[str, ...] = ("module",)
    depends: Mapping[str, tuple[str, ...]] = MappingProxyType({"waves": ("tuya",), "targets": ("tuya",)})
    image_limit: int | None = None
    target_limit: int | None = None
    template = TEMPLATE
    device_service: DeviceService | None = TuyaDevices()

    def check(self, rollout: Rollout, environment: Environment | None) -> Iterator[Violation]:
        """Check the block (`rules.py`)."""
        from otactl.backends.tuya import rules

        return rules.check(rollout, environment)

    def check_environment(self, environment: Environment) -> Iterator[Violation]:
        """Check where the key is read from."""
        from otactl.backends.tuya import rules

        return rules.check_environment(environment)

    def rollback_block(
        self, block: JsonObject, older_waves: Sequence[str], new: Rollout, waves: Sequence[str]
    ) -> JsonObject:
        """Name devices that run the version taken back, and confirm all waves where all were confirmed."""
        changed = {k: v for k, v in block.items() if k not in _OF_SELECTIONS}
        if "srcVersions" in changed:
            changed["srcVersions"] = [new.firmware.version]  # the older one lists what came before it
        if set(older_waves) <= set(msgspec.convert(block.get("confirmWaves", []), list[str])):
            changed["confirmWaves"] = list(waves)
        return changed

    def shape(self, environment: Environment) -> PureHalf:
        """Return the pure half of the backend."""
        del environment
        return TuyaShape()

    def device_reader(self, environment: Environment, client: AwsClient) -> AbstractContextManager[DeviceReader]:
        """Open the gateway."""
        from otactl.backends.tuya.device import open_reader

        return open_reader(environment, client)

    def unit_finder(self, environment: Environment, client: AwsClient) -> AbstractContextManager[UnitFinder] | None:
        """Open the gateway to find its batches; None where the environment has no access."""
        from otactl.backends.tuya.existing_batches import open_finder

        return open_finder(environment, client) if access_of(environment) is not None else None

    def airtime(self, rollout: Rollout) -> AirtimeRequest | None:
        """Return None: no radio."""
        del rollout
        return None

    def connect(self, environment: Environment, client: AwsClient) -> Backend | None:
        """Create the backend; None where the environment has no access."""
        from otactl.backends.tuya.backend import TuyaBackend
        from otactl.backends.tuya.connection import connect

        return TuyaBackend(client, connect(environment, client)) if access_of(environment) is not None else None
