"""Defines the JSON of `airtime`: schemas/v1/airtime.schema.json is generated from it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from otactl.lorawan.parity import Variant
from otactl.model import Value

Interval = tuple[Annotated[float, Meta(ge=0, le=1)], Annotated[float, Meta(ge=0, le=1)]]


class AssumedLoss(Value, frozen=True, kw_only=True):
    """One class of devices."""

    devices: Annotated[int, Meta(description="How many.", ge=1, examples=[500])]
    loss: Annotated[float, Meta(description="Part of the fragments they lose.", ge=0, examples=[0.05])]
    burst_fragments: Annotated[
        float | None,
        Meta(description="Mean length of the stretches lost; null if each is lost alone.", examples=[5]),
    ]


class RadioWarning(Value, frozen=True, kw_only=True):
    """One thing to know."""

    code: Annotated[str, Meta(description="Stable word for machines.", examples=["loss_is_assumed"])]
    message: Annotated[
        str,
        Meta(description="Numbers, limit and what to change.", examples=["no loss is given; the figures assume 5 %"]),
    ]


class GatewayTime(Value, frozen=True, kw_only=True):
    """One image sent to each device by the gateway they share."""

    devices: Annotated[int, Meta(description="How many share the gateway.", ge=1, examples=[3])]
    on_air_seconds: Annotated[float, Meta(description="Seconds on air for all of them.", ge=0, examples=[1391.1])]
    shortest_seconds: Annotated[
        float, Meta(description="Seconds it takes at the legal duty cycle.", ge=0, examples=[13911.0])
    ]


class SettingResult(Value, frozen=True, kw_only=True):
    """A session that reaches the target."""

    fragment_bytes: Annotated[int, Meta(description="Bytes of image in one fragment.", ge=1, examples=[106])]
    redundancy_percent: Annotated[
        int, Meta(description="Coded fragments in percent of the image's own.", ge=0, le=100, examples=[18])
    ]
    interval_ms: Annotated[
        int,
        Meta(
            description="From one fragment to the next, in milliseconds; it leaves 20 % of the duty cycle to others.",
            ge=1000,
            examples=[8000],
        ),
    ]
    fragments: Annotated[int, Meta(description="Uncoded fragments M.", ge=1, examples=[85])]
    parity_fragments: Annotated[int, Meta(description="Coded fragments R.", ge=0, examples=[15])]
    session_seconds: Annotated[float, Meta(description="Length of the session in seconds.", ge=0, examples=[792.7])]
    success_probability: Annotated[
        float,
        Meta(
            description="Chance that one device rebuilds the image, on the rows the standard uses.",
            ge=0,
            le=1,
            examples=[0.994],
        ),
    ]
    success_interval: Annotated[
        Interval, Meta(description="Ends of the 95 % interval of the chance.", examples=[[0.9904, 0.9976]])
    ]
    rx_energy_joules: Annotated[
        float, Meta(description="Joules one device spends receiving until the session's end.", ge=0, examples=[19.8])
    ]
    why: Annotated[
        str,
        Meta(
            description="What speaks for it, or how it compares with the recommended one.",
            examples=["8 s longer, 86 fragments, not 85"],
        ),
    ]


class RecommendationResult(SettingResult, frozen=True, kw_only=True):
    """The cheapest session: the shortest, then the one of least energy."""

    data_rate: Annotated[int, Meta(description="Downlink data rate it is for.", ge=0, le=15, examples=[3])]
    fits_window: Annotated[
        bool | None, Meta(description="Whether it is no longer than the window; null without one.", examples=[None])
    ]
    runners_up: Annotated[tuple[SettingResult, ...], Meta(description="The next cheapest.", examples=[[]])]


class AirtimeResult(Value, frozen=True, kw_only=True):
    """What a LoRaWAN session costs on air, whom it reaches, and what to declare instead."""

    region: Annotated[str, Meta(description="LoRaWAN region as the service names it.", examples=["EU868"])]
    data_rate: Annotated[
        int, Meta(description="Downlink data rate that the figures are for.", ge=0, le=15, examples=[3])
    ]
    image_bytes: Annotated[int, Meta(description="Size of the image in bytes.", ge=1, examples=[98304])]
    fragment_bytes: Annotated[int, Meta(description="Bytes of image in one fragment.", ge=1, examples=[112])]
    padding_bytes: Annotated[int, Meta(description="Zero bytes that fill the last fragment.", ge=0, examples=[32])]
    fragments: Annotated[int, Meta(description="Uncoded fragments M.", ge=1, examples=[878])]
    parity_fragments: Annotated[
        int,
        Meta(
            description="Coded fragments R, redundancy rounded down: the service does not publish its rounding.",
            ge=0,
            examples=[105],
        ),
    ]
    parity_fragments_rounded_up: Annotated[
        int, Meta(description="Coded fragments if the service rounds up.", ge=0, examples=[106])
    ]
    phy_bytes: Annotated[int, Meta(description="Bytes of a whole frame.", ge=1, examples=[128])]
    time_on_air_ms: Annotated[float, Meta(description="Milliseconds one frame is on air.", ge=0, examples=[676.864])]
    spacing_ms: Annotated[
        int,
        Meta(
            description="Milliseconds from one fragment to the next as sent: whole seconds, never below the lawful.",
            ge=1000,
            examples=[9000],
        ),
    ]
    shortest_lawful_spacing_ms: Annotated[
        int,
        Meta(
            description="The least spacing the duty cycle, the gateways and the ping slots allow.",
            ge=1000,
            examples=[7000],
        ),
    ]
    shortest_comfortable_spacing_ms: Annotated[
        int,
        Meta(description="The least spacing that leaves 20 % of the duty cycle to others.", ge=1000, examples=[9000]),
    ]
    duty_cycle_percent: Annotated[
        float, Meta(description="Part of the time each gateway is on air, in percent.", ge=0, le=100, examples=[7.52])
    ]
    duty_cycle_limit_percent: Annotated[
        float, Meta(description="Part of the time the law allows, in percent.", ge=0, le=100, examples=[10])
    ]
    session_seconds: Annotated[
        float, Meta(description="Seconds from the first fragment to the end of the last.", ge=0, examples=[8838.7])
    ]
    session_seconds_rounded_up: Annotated[
        float, Meta(description="The same with parity rounded up; windows are judged by it.", ge=0, examples=[8847.7])
    ]
    device_class: Annotated[Literal["B", "C"], Meta(description="LoRaWAN class the devices listen in.", examples=["C"])]
    class_c_timeout_seconds: Annotated[
        int,
        Meta(
            description="Session timeout the service is expected to set: a power of two seconds.",
            ge=64,
            examples=[16384],
        ),
    ]
    ts004: Annotated[
        Variant,
        Meta(
            description="Which parity rows: version 1, or version 2 with relative or absolute seeds.", examples=["v1"]
        ),
    ]
    losses: Annotated[
        tuple[AssumedLoss, ...], Meta(description="What is assumed of the air, class by class.", examples=[[]])
    ]
    success_probability: Annotated[
        float,
        Meta(
            description="Chance that one device of the worst class rebuilds the image, on the rows of the standard.",
            ge=0,
            le=1,
            examples=[0.9996],
        ),
    ]
    success_interval: Annotated[
        Interval, Meta(description="Ends of the 95 % interval of the chance.", examples=[[0.9904, 0.9976]])
    ]
    trials: Annotated[
        int, Meta(description="Trials the chance was counted with; 0 if it is known exactly.", ge=0, examples=[2048])
    ]
    seed: Annotated[
        int, Meta(description="Seed of the trials: the same seed gives the same figures.", ge=0, examples=[0])
    ]
    success_closed_form: Annotated[
        float,
        Meta(
            description="Chance by the textbook: too high for few fragments, and for losses in bursts.",
            ge=0,
            le=1,
            examples=[0.9999],
        ),
    ]
    target: Annotated[float, Meta(description="Chance one device must have.", gt=0, examples=[0.99])]
    reaches_target: Annotated[bool, Meta(description="Whether the chance is at least the target.", examples=[True])]
    window_seconds: Annotated[
        float | None, Meta(description="Longest time the session may take; null if any.", examples=[25200])
    ]
    fits_window: Annotated[bool, Meta(description="Whether the session is no longer than the window.", examples=[True])]
    devices: Annotated[int, Meta(description="How many devices the figures are for.", ge=1, examples=[500])]
    expected_updated: Annotated[
        float, Meta(description="How many devices are expected to rebuild the image.", ge=0, examples=[499.8])
    ]
    all_updated: Annotated[float, Meta(description="Chance that every device does.", ge=0, le=1, examples=[0.81])]
    all_updated_low: Annotated[
        float, Meta(description="The same at the lower end of each class's interval.", ge=0, le=1, examples=[0.41])
    ]
    gate_passes: Annotated[
        float,
        Meta(description="Chance that the gate of every wave passes, before any retry.", ge=0, le=1, examples=[0.999]),
    ]
    gate_passes_low: Annotated[
        float, Meta(description="The same at the lower end of each class's interval.", ge=0, le=1, examples=[0.99])
    ]
    rx_energy_joules: Annotated[
        float, Meta(description="Joules one device spends receiving until the session's end.", ge=0, examples=[221])
    ]
    rx_energy_joules_until_timeout: Annotated[
        float, Meta(description="The same if it listens until the timeout.", ge=0, examples=[409.6])
    ]
    start_lead_seconds: Annotated[
        float | None,
        Meta(
            description="Seconds from the request to the first fragment; null without a manifest.",
            examples=[2100],
        ),
    ]
    gateway_total: Annotated[
        GatewayTime | None,
        Meta(description="What single devices cost the gateway they share; null for a group.", examples=[None]),
    ]
    warnings: Annotated[
        tuple[RadioWarning, ...], Meta(description="What is assumed, uncertain or unwise.", examples=[[]])
    ]
    recommendation: Annotated[
        RecommendationResult | None,
        Meta(description="The cheapest lawful session that reaches the target; null if none does.", examples=[None]),
    ]
