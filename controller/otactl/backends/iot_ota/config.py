"""Types the `otaUpdate` block of a manifest: one AWS IoT OTA update, and the Job behind it, per wave and attempt.

1. `document` is the block as written, which is what is sent and compared; `fields` are the same, typed.
2. Field names are those of CreateOTAUpdate; limits and examples: schemas/v1/otaUpdate.schema.json, otaFile.schema.json.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import msgspec

from otactl.model.backend_config import BackendConfig
from otactl.model.values import JsonObject, Value

if TYPE_CHECKING:
    from otactl.model.rollout import Strategy


MOST_TARGETS = 100  # targets of a job (Device Management quotas)


class StreamFile(Value, frozen=True, kw_only=True):
    """A file of a stream that exists already."""

    stream_id: str
    file_id: int


class S3Location(Value, frozen=True, kw_only=True):
    """An object in S3."""

    bucket: str
    key: str
    version: str | None = None


class FileLocation(Value, frozen=True, kw_only=True):
    """Where a file is read from: exactly one of the two."""

    stream: StreamFile | None = None
    s3_location: S3Location | None = None


class SigningJobOrder(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What AWS Signer is asked to sign with; the rest of the order is sent as written."""

    signing_profile_name: str | None = None


class CodeSigning(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a file is signed: by a job, by an order for one, or beforehand (`customCodeSigning`, sent as written)."""

    aws_signer_job_id: str | None = None
    start_signing_job_parameter: SigningJobOrder | None = None


class OtaFile(Value, frozen=True, kw_only=True):
    """One file of an update; without `file_location` it is the firmware of the rollout."""

    code_signing: CodeSigning = CodeSigning()
    file_name: str | None = None
    file_type: int | None = None
    file_version: str | None = None
    file_location: FileLocation | None = None
    attributes: dict[str, str] | None = None


class RateIncrease(Value, frozen=True, kw_only=True):
    """A rate of executions a minute that grows."""

    base_rate_per_minute: int
    increment_factor: float
    rate_increase_criteria: dict[str, int]


class RolloutConfig(Value, frozen=True, kw_only=True):
    """How many devices a minute are started."""

    maximum_per_minute: int | None = None
    exponential_rate: RateIncrease | None = None


class AbortCriterion(Value, frozen=True, kw_only=True):
    """When the Job aborts itself."""

    failure_type: str
    action: str
    threshold_percentage: float
    min_number_of_executed_things: int


class AbortConfig(Value, frozen=True, kw_only=True):
    """When the Job aborts itself, one criterion per type of failure."""

    abort_criteria_list: tuple[AbortCriterion, ...] = ()


class OtaUpdateFields(Value, frozen=True, kw_only=True):
    """The block with its types."""

    role: str
    files: tuple[OtaFile, ...]
    protocols: tuple[str, ...] = ("MQTT",)  # what the service takes where none is declared
    target_selection: str = "SNAPSHOT"
    description: str | None = None
    aws_job_executions_rollout_config: RolloutConfig = RolloutConfig()
    aws_job_presigned_url_config: dict[str, int] | None = None
    aws_job_abort_config: AbortConfig = AbortConfig()
    aws_job_timeout_config: dict[str, int] | None = None
    additional_parameters: dict[str, str] = {}
    tags: dict[str, str] = {}


class OtaUpdateConfig(Value, BackendConfig, frozen=True, kw_only=True, dict=True, tag_field="backend", tag="otaUpdate"):
    """The block: as written in `document`, typed in `fields`."""

    kind: ClassVar[str] = "otaUpdate"

    document: JsonObject

    @classmethod
    def parse(cls, block: JsonObject) -> OtaUpdateConfig:
        """Keep a block as written."""
        return cls(document=block)

    @cached_property
    def fields(self) -> OtaUpdateFields:
        """Return the block with its types, parsed when it is first asked for."""
        return msgspec.convert(self.document, OtaUpdateFields)

    @property
    def written_files(self) -> list[JsonObject]:
        """Return the files as written."""
        return msgspec.convert(self.document["files"], list[dict[str, object]])

    @property
    def role(self) -> str:
        """Return the OTA service role."""
        return self.fields.role

    @property
    def settle_time(self) -> str:
        """Return how long a create whose answer was lost is waited for: three times the window of a signed request."""
        return "15m"

    @property
    def rate(self) -> int | None:
        """Return how many devices a minute start at most; None for no limit, or one that grows."""
        config = self.fields.aws_job_executions_rollout_config
        return config.maximum_per_minute if config.exponential_rate is None else None

    @property
    def endless(self) -> bool:
        """Return whether the update goes on serving things that join its groups."""
        return self.document.get("targetSelection") == "CONTINUOUS"

    @property
    def once(self) -> OtaUpdateConfig:
        """Return the same for the devices it is created for, and none that joins later."""
        return OtaUpdateConfig(document={**self.document, "targetSelection": "SNAPSHOT"})

    @property
    def sent(self) -> OtaUpdateConfig:
        """Return what devices receive and who gets it.

        Pace, limits, names and notes may change without sending anything.
        """
        kept: JsonObject = {k: self.document[k] for k in ("protocols", "targetSelection") if k in self.document}
        kept["files"] = [{k: v for k, v in file.items() if k != "attributes"} for file in self.written_files]
        return OtaUpdateConfig(document=kept)

    @property
    def annotations(self) -> JsonObject:
        """Return everything else, with the attributes of each file."""
        noted: JsonObject = {k: v for k, v in self.document.items() if k not in self.sent.document}
        return {**noted, "attributes": [file.get("attributes") for file in self.written_files]}

    def for_retry(self, strategy: Strategy, try_number: int) -> OtaUpdateConfig:
        """Return the block for devices named one by one, which are served once."""
        del strategy, try_number
        return self.once if self.endless else self
