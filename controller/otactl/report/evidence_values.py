"""Defines the predicate of the evidence of a rollout: the part of an in-toto statement that is ours.

`schemas/v1/evidence.schema.json` is generated from these values; docs/evidence.md explains them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from otactl.model import Json, Value

PREDICATE_TYPE = "https://otactl.dev/evidence/rollout/v1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_TIME = "^[0-9-]{10}T[0-9:]{8}Z$"
_AT = "2026-11-20T09:00:00Z"
_SHA = "9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"


class Producer(Value, frozen=True, kw_only=True):
    """What wrote the evidence."""

    name: Annotated[str, Meta(description="Always otactl.", examples=["otactl"])]
    version: Annotated[str, Meta(description="Its version.", examples=["0.1.0"])]
    journal: Annotated[str, Meta(description="Id of the journal it was read from.", examples=["0123456789abcdef"])]


class Manifest(Value, frozen=True, kw_only=True):
    """The manifest that was last driven, as the journal recorded it."""

    sha256: Annotated[str, Meta(description="SHA-256 of the manifest; empty if not recorded.", examples=[_SHA])]
    commit: Annotated[
        str,
        Meta(
            description="The commit that first had it, as a run reported it; empty if not known.",
            examples=["5d41402abc4b2a76b9719d911017c592a1b2c3d4"],
        ),
    ]
    path: Annotated[str, Meta(description="Its path in the repository.", examples=["rollouts/soil-probe.yaml"])]
    at_hand: Annotated[
        bool,
        Meta(
            description=(
                "Whether the same manifest was read for this evidence. If not, what only a manifest declares is empty: "
                "approvals, gates, signature, SBOM."
            ),
            examples=[True],
        ),
    ]


class Firmware(Value, frozen=True, kw_only=True):
    """The image that devices were sent."""

    version: Annotated[str, Meta(description="Declared version.", examples=["2.4.1"])]
    image: Annotated[str, Meta(description="Where it is; empty if the manifest was not read.", examples=["s3://b/k"])]
    sha256: Annotated[str, Meta(description="SHA-256 of its bytes.", examples=[_SHA])]
    size_bytes: Annotated[int | None, Meta(description="Its size; null if not known.", examples=[8960])]
    signature: Annotated[
        str | None,
        Meta(description="Detached signature over its SHA-256, in base64; null if none is declared.", examples=[None]),
    ]
    sbom: Annotated[str | None, Meta(description="Where its SBOM is, as declared; null if none is.", examples=[None])]


class ApprovalLine(Value, frozen=True, kw_only=True):
    """One approval in the manifest. Who approved is self-asserted."""

    wave: Annotated[str, Meta(description="Name of the wave.", examples=["fleet"])]
    role: Annotated[str, Meta(description="The role approved for.", examples=["firmware-owners"])]
    by: Annotated[str, Meta(description="Who approved.", examples=["ada"])]
    digest: Annotated[str, Meta(description="Digest of what was approved.", examples=[_SHA])]
    at: Annotated[str, Meta(description="When.", pattern=_TIME, examples=[_AT])]
    devices: Annotated[str | None, Meta(description="Number and digest of the devices in its groups.", examples=[None])]


class GateLine(Value, frozen=True, kw_only=True):
    """What a wave needed to pass, as declared."""

    min_success_percent: Annotated[float, Meta(description="Successes required, in percent.", examples=[95.0])]
    min_reported: Annotated[int | None, Meta(description="Devices that had to report.", examples=[10])]
    max_failures: Annotated[int | None, Meta(description="Failures allowed.", examples=[20])]
    silence_after: Annotated[str | None, Meta(description="When silence counted as failure.", examples=["24h"])]
    soak: Annotated[str | None, Meta(description="How long it had to stay passed.", examples=["12h"])]
    confidence: Annotated[
        float | None,
        Meta(description="How sure its verdict had to be; null where that was not asked.", examples=[0.95]),
    ]


class VerdictLine(Value, frozen=True, kw_only=True):
    """The arithmetic of a gate: succeeded of total, in percent, against what was needed."""

    passed: Annotated[bool, Meta(description="Whether the gate was reached.", examples=[True])]
    succeeded: Annotated[int, Meta(description="Devices that succeeded.", examples=[98])]
    failed: Annotated[int, Meta(description="Devices that failed.", examples=[2])]
    unanswered: Annotated[int, Meta(description="Failed devices that gave no answer.", examples=[1])]
    total: Annotated[int, Meta(description="Devices that count.", examples=[100])]
    percent: Annotated[float, Meta(description="Succeeded of total, in percent.", examples=[98.0])]
    needed_percent: Annotated[float, Meta(description="What was needed.", examples=[95.0])]
    weighted_failures: Annotated[float, Meta(description="Failures by the gate's weights.", examples=[2.0])]
    reason: Annotated[str, Meta(description="What kept it from passing; empty if it passed.", examples=[""])]
    at: Annotated[str, Meta(description="Since when.", pattern=_TIME, examples=[_AT])]


class AttemptLine(Value, frozen=True, kw_only=True):
    """One unit that was sent to devices, or prepared."""

    number: Annotated[int, Meta(description="Counts the attempts of a wave.", examples=[1])]
    unit: Annotated[str, Meta(description="Our id of the unit.", examples=["soil-probe-canary-1-0a1b2c3d"])]
    service_id: Annotated[str | None, Meta(description="The service's id of it.", examples=["b2e1f0aa"])]
    generation: Annotated[str, Meta(description="Digest of what devices receive.", examples=[_SHA])]
    image_sha256: Annotated[str, Meta(description="SHA-256 of its image; empty if not recorded.", examples=[_SHA])]
    stage: Annotated[str, Meta(description="How far it came.", examples=["deleted"])]
    start_at: Annotated[str | None, Meta(description="When the service started it.", examples=[_AT])]
    ended_at: Annotated[str | None, Meta(description="When it was seen to have ended.", examples=[_AT])]
    canceled: Annotated[bool, Meta(description="Whether otactl stopped it.", examples=[False])]


class WaveLine(Value, frozen=True, kw_only=True):
    """One wave: what it needed, how it was judged, what was sent."""

    name: Annotated[str, Meta(description="Its name.", examples=["canary"])]
    gate: Annotated[GateLine | None, Meta(description="Its gate; null if the manifest was not read.")]
    verdict: Annotated[VerdictLine | None, Meta(description="Its judgement; null while there is none.")]
    attempts: Annotated[tuple[AttemptLine, ...], Meta(description="Its units, oldest first.")]


class DeviceGroup(Value, frozen=True, kw_only=True):
    """Devices with the same result: of the newest attempt that reached each of them."""

    wave: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    attempt: Annotated[int, Meta(description="Number of the attempt.", examples=[1])]
    outcome: Annotated[
        str,
        Meta(
            description="succeeded, failed, unknown or waiting; alreadyRan for devices that were left out.",
            examples=["succeeded"],
        ),
    ]
    reason: Annotated[str | None, Meta(description="Why it failed.", examples=[None])]
    version: Annotated[
        str | None, Meta(description="The version it is held to run; null if that is not known.", examples=["2.4.1"])
    ]
    proof: Annotated[
        str,
        Meta(
            description=(
                "reportedVersion: the device reported the version. transfer: its service said that it took the image. "
                "notRecorded: the manifest that says which was not read. none: nothing proves a version."
            ),
            examples=["reportedVersion"],
            extra_json_schema={"enum": ["reportedVersion", "transfer", "notRecorded", "none"]},
        ),
    ]
    at: Annotated[
        str | None, Meta(description="When the result was recorded; null while its unit runs.", examples=[_AT])
    ]
    devices: Annotated[tuple[str, ...], Meta(description="Their identities.", examples=[["b2e1f0aa"]])]
    names: Annotated[
        tuple[str, ...],
        Meta(
            description="What people call them (DevEUI), in the same order; empty if they have no other name.",
            examples=[["70b3d57ed0000001"]],
        ),
    ]


class DriftEvidence(Value, frozen=True, kw_only=True):
    """One difference between what was declared and what was seen."""

    subject: Annotated[str, Meta(description="What differs.", examples=["soil-probe-canary-1-0a1b2c3d"])]
    field: Annotated[str, Meta(description="Which field of it.", examples=["redundancyPercent"])]
    desired: Annotated[Json, Meta(description="Declared.", examples=[12])]
    observed: Annotated[Json, Meta(description="Seen last.", examples=[30])]
    cause: Annotated[str, Meta(description="How it came about.", examples=["out-of-band edit"])]
    status: Annotated[str, Meta(description="What was done.", examples=["corrected"])]
    first_seen: Annotated[str, Meta(description="When it was seen first.", pattern=_TIME, examples=[_AT])]
    closed_at: Annotated[str | None, Meta(description="When it closed; null while open.", examples=[_AT])]
    closed_by: Annotated[str, Meta(description="Who or what closed it.", examples=["otactl"])]
    commit: Annotated[str, Meta(description="The commit at which it was seen first.", examples=[""])]


class RunLine(Value, frozen=True, kw_only=True):
    """Runs in a row by one actor at one commit that recorded events of the rollout."""

    actor: Annotated[str, Meta(description="Who ran them, as they said; empty if not known.", examples=["ada"])]
    commit: Annotated[str, Meta(description="The commit of the manifests; empty if not known.", examples=[""])]
    first: Annotated[str, Meta(description="Time of the first event.", pattern=_TIME, examples=[_AT])]
    last: Annotated[str, Meta(description="Time of the last event.", pattern=_TIME, examples=[_AT])]
    events: Annotated[int, Meta(description="Number of events.", examples=[12])]


class ChainLine(Value, frozen=True, kw_only=True):
    """The hash chain of the rollout's events, which was whole when the evidence was written."""

    number: Annotated[int, Meta(description="Number of the newest event in the chain.", examples=[42])]
    sha256: Annotated[str, Meta(description="Its hash, which depends on all before it.", examples=[_SHA])]
    unchained: Annotated[int, Meta(description="Events from before the chain.", examples=[0])]


class Evidence(Value, frozen=True, kw_only=True):
    """What a journal records of one rollout: the predicate of the statement."""

    rollout: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    account: Annotated[str, Meta(description="Account of its units; empty if not recorded.", examples=["111122223333"])]
    region: Annotated[str, Meta(description="Region of its units; empty if not recorded.", examples=["eu-west-1"])]
    phase: Annotated[str, Meta(description="State of the rollout.", examples=["Succeeded"])]
    written_at: Annotated[str, Meta(description="When this was written.", pattern=_TIME, examples=[_AT])]
    producer: Annotated[Producer, Meta(description="What wrote it.")]
    manifest: Annotated[Manifest, Meta(description="The manifest.")]
    firmware: Annotated[Firmware, Meta(description="The image.")]
    approvals: Annotated[tuple[ApprovalLine, ...], Meta(description="Approvals in the manifest.")]
    waves: Annotated[tuple[WaveLine, ...], Meta(description="Waves in order.")]
    devices: Annotated[tuple[DeviceGroup, ...], Meta(description="Devices by result.")]
    drift: Annotated[tuple[DriftEvidence, ...], Meta(description="The drift ledger, closed entries too.")]
    runs: Annotated[tuple[RunLine, ...], Meta(description="Who ran what recorded the events.")]
    chain: Annotated[ChainLine | None, Meta(description="The events' hash chain; null if no event is in one.")]
