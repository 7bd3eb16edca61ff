"""Defines what `otactl gate` reports: how often a gate passes bad firmware, and holds good."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from otactl.model import Value


class GateChance(Value, frozen=True, kw_only=True):
    """The verdicts of a wave on firmware that fails on a share of devices."""

    devices: Annotated[int, Meta(description="Devices of the wave.", ge=1, examples=[3])]
    kind: Annotated[
        str,
        Meta(
            description="Which firmware: good, at what the gate allows (limit), or bad.",
            examples=["bad"],
            extra_json_schema={"enum": ["good", "limit", "bad"]},
        ),
    ]
    failing_percent: Annotated[
        float, Meta(description="Devices that it fails on, in percent.", ge=0, le=100, examples=[10.0])
    ]
    passes_percent: Annotated[
        float, Meta(description="In how many of a hundred cases the wave passes.", ge=0, le=100, examples=[72.9])
    ]
    fails_percent: Annotated[
        float, Meta(description="In how many of a hundred cases it fails.", ge=0, le=100, examples=[27.1])
    ]
    undecided_percent: Annotated[
        float,
        Meta(description="In how many of a hundred cases it is held undecided.", ge=0, le=100, examples=[0.0]),
    ]


class GateWave(Value, frozen=True, kw_only=True):
    """The gate of one wave."""

    name: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    devices: Annotated[
        int | None,
        Meta(
            description="How many devices it has; null where groups hide it, and some numbers are tried.", examples=[3]
        ),
    ]
    last: Annotated[bool, Meta(description="Whether no wave follows that it could protect.", examples=[False])]
    gate: Annotated[str, Meta(description="When it passes.", examples=["98 % succeed"])]
    allowed_percent: Annotated[
        float, Meta(description="Failures that the gate allows, in percent.", ge=0, le=100, examples=[2.0])
    ]
    confidence: Annotated[
        float | None, Meta(description="Confidence that the gate asks for; null for none.", examples=[None])
    ]
    chances: Annotated[tuple[GateChance, ...], Meta(description="How the wave judges good and bad firmware.")]
    devices_against_bad: Annotated[
        int | None,
        Meta(
            description="From how many devices on bad firmware passes with the risk at most; null for none.",
            examples=[29],
        ),
    ]
    devices_for_good: Annotated[
        int | None,
        Meta(
            description="From how many devices on good firmware is held with the risk at most; null for none.",
            examples=[350],
        ),
    ]
    least_devices: Annotated[
        int | None,
        Meta(
            description="How many devices the wave needs to pass if none of them fails; null for none.",
            examples=[1],
        ),
    ]


class GateRollout(Value, frozen=True, kw_only=True):
    """The gates of one rollout."""

    name: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe-2-4-1"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    waves: Annotated[tuple[GateWave, ...], Meta(description="Its waves, in order.")]


class GateReport(Value, frozen=True, kw_only=True):
    """How often gates judge firmware wrongly, if each device fails by itself with the same chance."""

    silent_percent: Annotated[
        float, Meta(description="Devices that are assumed to answer never, in percent.", ge=0, le=100, examples=[0.0])
    ]
    risk_percent: Annotated[
        float, Meta(description="The risk for which numbers of devices are computed.", ge=0, le=100, examples=[5.0])
    ]
    rollouts: Annotated[tuple[GateRollout, ...], Meta(description="The rollouts, by name.")]
