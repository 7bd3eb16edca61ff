"""Lists the assumptions of a rehearsal, a sentence each; every output shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otactl.backends.fuota.config import FuotaConfig
from otactl.lorawan.session import plan_session
from otactl.model import Rollout
from otactl.rehearsal.fleet_document import DEFAULT, FAILURES, PROVED, Assumed, can_fail, targets_of


def told(assumed: Assumed, rollouts: Sequence[Rollout]) -> tuple[str, ...]:
    """Return what is assumed of the fleet, of the services and of the radio."""
    labels = "".join(f", {100 * loss:g} % where {label} is {value}" for label, value, loss in assumed.loss_by_label)
    return (
        f"{assumed.devices_per_group} devices in each group; {100 * assumed.loss:g} % of fragments lost{labels}",
        "buckets, roles and packages are there and right; it begins anew, whatever has been sent already",
        *_behaving(assumed, rollouts),
        *(sentence for rollout in rollouts for sentence in _single(rollout)),
    )


def _behaving(assumed: Assumed, rollouts: Sequence[Rollout]) -> Iterator[str]:
    if assumed.silent:
        yield f"{assumed.silent:g} % of devices never answer"
    kinds = sorted({rollout.backend_kind for rollout in rollouts})
    for reason, percent in assumed.fail:
        if reason == DEFAULT:
            usual = ", ".join(f"{kind} as {next(iter(FAILURES[kind]))}" for kind in kinds)
            yield f"{percent:g} % of devices fail, which the loop sees of {usual}"
        else:
            able = sorted({rollout.backend_kind for rollout in rollouts if can_fail(rollout, reason)})
            only = f"; only those of {', '.join(able)} can" if able != kinds else ""
            proof = ", where a version is the proof" if reason == PROVED else ""
            yield f"{percent:g} % of devices fail with {reason}{proof}{only}"


def _single(rollout: Rollout) -> Iterator[str]:
    """Yield how the radio serves single devices: the planner's assumptions, which the simulator shares."""
    spec = rollout.backend
    if not isinstance(spec, FuotaConfig) or not any(t.wireless_devices for t in targets_of(rollout)):
        return
    if spec.rf_region is None or spec.redundancy_percent is None:
        return
    plan = plan_session(
        spec.rf_region, None, rollout.firmware.size_bytes, None, spec.redundancy_percent, spec.fragment_interval_ms
    )
    yield (
        f"{rollout.name}: the service chooses how it sends to single devices, and does not publish it: "
        f"{plan.fragment_bytes} bytes at data rate {plan.data_rate} every {plan.spacing_ms / 1000:g} s, "
        "one device after another, all behind one gateway"
    )
