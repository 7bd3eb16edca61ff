"""Lists the assumptions of a rehearsal, a sentence each; every output shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otactl.model import Rollout
from otactl.rehearsal.fleets import FLEETS
from otactl.rehearsal.fleets.base import DEFAULT, VERSION, Assumed
from otactl.wording import count


def sentences(assumed: Assumed, rollouts: Sequence[Rollout]) -> tuple[str, ...]:
    """Return what is assumed of the fleet, of the services and of the radio."""
    labels = "".join(f", {100 * loss:g} % where {label} is {value}" for label, value, loss in assumed.loss_by_label)
    devices = count(assumed.devices_per_group, "device")
    return (
        f"{devices} in each group; {100 * assumed.loss:g} % of fragments lost{labels}",
        "buckets, roles and packages are correct; it starts at the first wave, whatever was sent before",
        *_behaving(assumed, rollouts),
        *(sentence for rollout in rollouts for sentence in FLEETS[rollout.backend_kind].assumptions(rollout)),
    )


def _behaving(assumed: Assumed, rollouts: Sequence[Rollout]) -> Iterator[str]:
    if assumed.silent:
        yield f"{assumed.silent:g} % of devices never answer"
    kinds = sorted({rollout.backend_kind for rollout in rollouts})
    for reason, percent in assumed.fail:
        if reason == DEFAULT:
            usual = ", ".join(f"{kind} as {next(iter(FLEETS[kind].failures))}" for kind in kinds)
            yield f"{percent:g} % of devices fail, which the loop sees of {usual}"
        else:
            able = sorted({r.backend_kind for r in rollouts if FLEETS[r.backend_kind].can_report(r, reason)})
            only = f"; only those of {', '.join(able)} can" if able != kinds else ""
            proof = ", where a version is the proof" if reason == VERSION else ""
            yield f"{percent:g} % of devices fail with {reason}{proof}{only}"
