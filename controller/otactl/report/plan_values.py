"""Defines what `plan` says: the value from which its text, its Markdown and its JSON come.

schemas/v1/plan.schema.json is generated from it. Times are in UTC; a local time is a text with its zone.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from otactl.errors import Problem
from otactl.lorawan.report import AirtimeReport
from otactl.model import Json, JsonObject, Value
from otactl.report.airtime_values import AirtimeResult
from otactl.report.journals_used import UsedJournal


class PlanVerdict(StrEnum):
    """What the next run does with a rollout, in one word."""

    CANNOT_BE_PLANNED = "cannotBePlanned"
    WILL_START = "willStart"  # devices start in the next run, which no later call undoes
    WILL_CREATE = "willCreate"  # a unit is created; no device is reached yet
    WILL_CHANGE = "willChange"  # a unit is updated, canceled or deleted
    HELD = "held"
    REMOVED = "removed"  # its manifest was removed from Git while the service still holds a unit
    IN_PROGRESS = "inProgress"  # nothing to send while the service and the devices work
    NOTHING_TO_DO = "nothingToDo"


class PlanCall(Value, frozen=True, kw_only=True):
    """One exact call of a vendor's API."""

    service: Annotated[str, Meta(description="Service as the SDK names it.", examples=["iotwireless"])]
    operation: Annotated[str, Meta(description="Operation as the service names it.", examples=["CreateFuotaTask"])]
    parameters: Annotated[
        JsonObject,
        Meta(
            description='Parameters as they are sent; blobs are {"base64": …}, times RFC 3339, <id> and <arn> what '
            "only the service knows.",
            examples=[{"Name": "acme-soil-probe"}],
        ),
    ]


class PlanStep(Value, frozen=True, kw_only=True):
    """One action and the calls it lowers to."""

    action: Annotated[str, Meta(description="Name of the action.", examples=["createUnit"])]
    unit: Annotated[
        str, Meta(description="The unit that it is about.", examples=["soil-probe-2-4-1-canary-1-0a1b2c3d"])
    ]
    reason: Annotated[str, Meta(description="Why.", examples=["wave canary is next"])]
    in_next_run: Annotated[
        bool, Meta(description="Whether the next run sends it; else a later one is expected to.", examples=[True])
    ]
    irrevocable: Annotated[
        bool, Meta(description="Whether it lets devices start, which no later call undoes.", examples=[False])
    ]
    start_at: Annotated[
        datetime | None,
        Meta(description="When it starts devices; null if it starts none.", examples=["2026-11-20T09:00:00Z"]),
    ]
    calls: Annotated[tuple[PlanCall, ...], Meta(description="Exact calls, in order.", examples=[[]])]


class PlanHold(Value, frozen=True, kw_only=True):
    """Why nothing is sent although something is left to do."""

    reason: Annotated[str, Meta(description="Name of the hold.", examples=["window_is_closed"])]
    message: Annotated[
        str, Meta(description="What is waited for, and what to do.", examples=["no window is open until 22:00"])
    ]
    until: Annotated[
        datetime | None,
        Meta(description="When it ends by itself; null if it names no time.", examples=["2026-11-20T09:00:00Z"]),
    ]
    stalled: Annotated[bool, Meta(description="Whether a person must act.", examples=[False])]
    fix: Annotated[
        str,
        Meta(
            description="How to get out of it, as `otactl explain` has it; empty where that is in the message alone.",
            examples=["Wait for the window, or change spec.windows."],
        ),
    ] = ""

    @property
    def is_red(self) -> bool:
        """Return whether it fails a check: an image or a role is missing or wrong."""
        return self.stalled and self.reason.startswith(("image_", "role_"))


class PlanFinding(Value, frozen=True, kw_only=True):
    """One difference between what is declared and what exists now."""

    subject: Annotated[str, Meta(description="What differs: a unit, an image, a role.", examples=["acme-soil-probe"])]
    field: Annotated[str, Meta(description="Which field of it.", examples=["redundancyPercent"])]
    desired: Annotated[Json, Meta(description="Value declared; null where nothing is.", examples=[12])]
    observed: Annotated[Json, Meta(description="Value observed; null where nothing is.", examples=[30])]
    cause: Annotated[str, Meta(description="How it came about.", examples=["out-of-band edit"])]
    correctable: Annotated[bool, Meta(description="Whether otactl can correct it.", examples=[True])]


class PlanApproval(Value, frozen=True, kw_only=True):
    """The approval that a wave needs."""

    role: Annotated[str, Meta(description="Role that has to approve.", examples=["firmware-owner"])]
    given_by: Annotated[
        str | None, Meta(description="Who approved what is declared now; null if no one has.", examples=[None])
    ]
    outdated: Annotated[
        bool, Meta(description="Whether an approval is there that is of something else.", examples=[False])
    ]


class PlanStart(Value, frozen=True, kw_only=True):
    """The earliest start of a wave, if all that is before it goes well, and the window it is in."""

    at: Annotated[datetime, Meta(description="When.", examples=["2026-11-20T21:00:00Z"])]
    local: Annotated[
        str,
        Meta(description="The same in the time zone of the window, else in UTC.", examples=["2026-11-20 22:00 CET"]),
    ]
    window: Annotated[
        str | None,
        Meta(description="Schedule, length and zone of the window; null without one.", examples=["0 22 * * * for 7h"]),
    ]
    opens: Annotated[datetime | None, Meta(description="When that window opens.", examples=["2026-11-20T21:00:00Z"])]
    closes: Annotated[datetime | None, Meta(description="When that window closes.", examples=["2026-11-21T04:00:00Z"])]
    closes_local: Annotated[
        str | None, Meta(description="The same in its time zone.", examples=["2026-11-21 05:00 CET"])
    ]


class PlanGateRate(Value, frozen=True, kw_only=True):
    """How often a wave passes bad firmware (`otactl gate` says more)."""

    failing_percent: Annotated[
        float, Meta(description="Devices that the bad firmware fails on, in percent.", ge=0, le=100, examples=[10.0])
    ]
    passes_percent: Annotated[
        float, Meta(description="In how many of a hundred cases the wave passes.", ge=0, le=100, examples=[72.9])
    ]


class PlanWave(Value, frozen=True, kw_only=True):
    """One wave as declared, and how far it is."""

    name: Annotated[str, Meta(description="Name of the wave.", examples=["canary"])]
    state: Annotated[
        str,
        Meta(
            description="How far it is.",
            examples=["next"],
            extra_json_schema={"enum": ["passed", "failed", "started", "next", "later"]},
        ),
    ]
    targets: Annotated[int, Meta(description="How many targets it has.", ge=0, examples=[2])]
    devices: Annotated[
        int | None,
        Meta(description="How many devices these are; null while groups were not counted.", examples=[40]),
    ]
    gate: Annotated[str, Meta(description="When it passes.", examples=["95 % succeed"])]
    gate_rate: Annotated[
        PlanGateRate | None,
        Meta(
            description="How often it passes bad firmware; null where its devices were not counted, or a wave of the "
            "rollout has started.",
            examples=[None],
        ),
    ]
    approval: Annotated[
        PlanApproval | None, Meta(description="The approval it needs; null if it needs none.", examples=[None])
    ]
    start: Annotated[
        PlanStart | None,
        Meta(description="Its earliest start; null where it has started, or none can be given.", examples=[None]),
    ]
    duration_seconds: Annotated[
        float | None,
        Meta(description="Length of its session; null where no one can compute it.", examples=[865.0]),
    ]


class PlanVersion(Value, frozen=True, kw_only=True):
    """The version that is declared, and those it replaces."""

    to: Annotated[str, Meta(description="Version that is declared.", examples=["2.4.1"])]
    replaces: Annotated[
        tuple[str, ...],
        Meta(description="Versions that its devices have, as far as they are known.", examples=[["2.4.0"]]),
    ]
    known_by: Annotated[
        str | None,
        Meta(
            description="Who says so; null where nothing is known.",
            examples=["devices"],
            extra_json_schema={"enum": ["devices", "journal", None]},
        ),
    ]


class _Rollout(Value, frozen=True, kw_only=True):
    name: Annotated[str, Meta(description="Name of the rollout.", examples=["soil-probe-2-4-1"])]
    environment: Annotated[str, Meta(description="Name of the environment.", examples=["prod-eu"])]
    digest: Annotated[
        str,
        Meta(
            description="Digest of what devices receive; empty where its manifest has an error.",
            pattern="^([0-9a-f]{64})?$",
            examples=["9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"],
        ),
    ] = ""
    verdict: Annotated[PlanVerdict, Meta(description="What the next run does with it.")] = PlanVerdict.NOTHING_TO_DO
    changed: Annotated[
        bool | None,
        Meta(
            description="Whether a file of it has changed since the revision given; null if none was given.",
            examples=[True],
        ),
    ] = None
    file: Annotated[str, Meta(description="Its manifest; empty if unknown.", examples=["rollouts/soil.yaml"])] = ""
    line: Annotated[
        int | None, Meta(description="Line of its name in the manifest, from 1; null if unknown.", examples=[4])
    ] = None
    version: Annotated[PlanVersion | None, Meta(description="Its version; null if unknown.")] = None
    why: Annotated[
        str,
        Meta(description="Why something is sent; empty where nothing new is.", examples=["redundancyPercent changed"]),
    ] = ""
    next: Annotated[
        tuple[PlanStep, ...], Meta(description="The first step of the next run: exact calls.", examples=[[]])
    ] = ()
    outlook: Annotated[
        tuple[PlanStep, ...],
        Meta(
            description="What follows: the other steps of the next run, then those that later runs are expected to "
            "send; <id> where the service assigns one.",
            examples=[[]],
        ),
    ] = ()
    drift: Annotated[tuple[PlanFinding, ...], Meta(description="Differences observed now.", examples=[[]])] = ()
    holds: Annotated[tuple[PlanHold, ...], Meta(description="Why nothing is sent now.", examples=[[]])] = ()
    run_holds: Annotated[
        tuple[PlanHold, ...], Meta(description="What stops the next run after its steps.", examples=[[]])
    ] = ()
    outlook_holds: Annotated[
        tuple[PlanHold, ...],
        Meta(
            description="Where the outlook ends because a person has to act; empty where it goes on to the end.",
            examples=[[]],
        ),
    ] = ()
    waves: Annotated[tuple[PlanWave, ...], Meta(description="Its waves, in order.")] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What to know about this plan.", examples=[[]])] = ()
    error: Annotated[str | None, Meta(description="Why it cannot be planned; null if it can.", examples=[None])] = None


class RolloutPlan(_Rollout, frozen=True, kw_only=True):
    """The plan of one rollout."""

    airtime: Annotated[
        AirtimeResult | None,
        Meta(description="What goes on air and whom it reaches; null where there is no radio.", examples=[None]),
    ] = None


class PlannedRollout(_Rollout, frozen=True, kw_only=True):
    """The plan of one rollout, with the report of the radio planner."""

    airtime: AirtimeReport | None = None

    @property
    def title(self) -> str:
        """Return its whole name."""
        return f"{self.environment}/{self.name}"

    @property
    def run(self) -> tuple[PlanStep, ...]:
        """Return every step of the next run."""
        return (*self.next, *(s for s in self.outlook if s.in_next_run))

    @property
    def later(self) -> tuple[PlanStep, ...]:
        """Return the steps that later runs are expected to send."""
        return tuple(s for s in self.outlook if not s.in_next_run)

    @property
    def is_red(self) -> bool:
        """Return whether it fails a check: it cannot be planned, or its image or role is missing or wrong."""
        return bool(self.error) or any(h.is_red for h in (*self.holds, *self.run_holds))


class PlanReport(Value, frozen=True, kw_only=True):
    """What `plan` says of everything it was given.

    `errors` are those of no rollout alone, in words; `problems` are all that are no plan's, with their places.
    """

    offline: bool
    rollouts: tuple[PlannedRollout, ...] = ()
    journals: tuple[UsedJournal, ...] = ()
    errors: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class PlanResult(Value, frozen=True, kw_only=True):
    """What the next runs would send."""

    digest: Annotated[
        str,
        Meta(
            description="Names this plan by its content.",
            pattern="^[0-9a-f]{64}$",
            examples=["9f2c4e5a7b1d8c3f6e0a9b2d4c7f1e8a5b3d6c9f0e2a4b7d1c8f5e3a6b9d0c2e"],
        ),
    ]
    offline: Annotated[bool, Meta(description="True if nothing was read from the cloud.", examples=[False])]
    errors: Annotated[tuple[str, ...], Meta(description="Errors that are not about one known rollout.", examples=[[]])]
    rollouts: Annotated[tuple[RolloutPlan, ...], Meta(description="One entry per rollout.")]
