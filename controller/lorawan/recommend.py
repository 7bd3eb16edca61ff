"""The cheapest lawful session that reaches a target: fragment size, redundancy and interval, with the runners-up.

1. Cheapest is the shortest session, then the least energy. The interval leaves 20 % of the legal duty cycle to others.
2. Sizes: all a data rate carries by every source, that the device takes and can write, and for which the service
   presumably picks this data rate (all of them, if it picks another for each).
3. Parity: no fragment may be left out of every row, and the chance on the real rows, counted as for any session, must
   reach the target with the lower end of its 95 % interval.
4. No code needs less parity than the ideal one, so a size whose session with ideal parity is longer than three that
   are confirmed needs no trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from controller.lorawan.answers import Chance, Recommendation, Setting
from controller.lorawan.closed_form import estimate, ideal
from controller.lorawan.costs import receive_energy
from controller.lorawan.figures import SessionPlan, Transmission
from controller.lorawan.fragmentation import MAX_COUNTER, UNLIMITED, DeviceCaps, fragment_count, parity_to_cover_all
from controller.lorawan.lints import changes_data_rate
from controller.lorawan.losses import Loss
from controller.lorawan.parity import V1, Variant
from controller.lorawan.questions import check_target
from controller.lorawan.regions import region
from controller.lorawan.session import plan_session
from controller.lorawan.success import Code, Trials, success

_SHOWN = 3
_MARGIN = 4  # percent of redundancy tried above the first guess
_FEW_TRIALS = 4096


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a session should achieve: `target` is the chance of one device that loses fragments as `loss` says.

    `only_size` is a fragment size that cannot be chosen (for single devices the service does).
    """

    region: str
    data_rate: int
    image_bytes: int
    loss: Loss
    target: float
    only_size: int | None = None
    window_seconds: float | None = None
    variant: Variant = V1
    caps: DeviceCaps = UNLIMITED
    sent: Transmission = Transmission()
    power_mw: float = 25.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a target no session can be sure to reach."""
        check_target(self.target)


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    fragments: int
    size: int
    least_percent: int
    least_seconds: float


def recommend(wish: Wish) -> Recommendation | None:
    """Find the cheapest session; None when no lawful one reaches the target."""
    confirmed: list[Setting] = []
    for candidate in sorted(_candidates(wish), key=lambda c: (c.least_seconds, -c.size)):
        if len(confirmed) >= _SHOWN and candidate.least_seconds > confirmed[_SHOWN - 1].session_seconds:
            break
        limit = confirmed[_SHOWN - 1].session_seconds if len(confirmed) >= _SHOWN else math.inf
        setting = _confirm(wish, candidate, limit)
        if setting is not None:
            confirmed.append(setting)
            confirmed.sort(key=lambda s: (s.session_seconds, s.rx_energy_joules, -s.fragment_bytes))
    if not confirmed:
        return None
    best = confirmed[0]
    window = wish.window_seconds
    fields = msgspec.structs.asdict(best)
    fields["why"] = f"the shortest session within 80 % of the duty cycle that {_reaches(wish, best)}"
    return Recommendation(
        **fields,
        data_rate=wish.data_rate,
        fits_window=None
        if window is None
        else _session(wish, best.fragment_bytes, best.redundancy_percent).occupied_seconds <= window,
        runners_up=tuple(msgspec.structs.replace(s, why=_behind(s, best)) for s in confirmed[1:_SHOWN]),
    )


def _candidates(wish: Wish) -> Iterator[_Candidate]:
    sizes = _sizes(wish)
    kept = [size for size in sizes if changes_data_rate(wish.region, wish.data_rate, size) is None]
    for size in kept or sizes:
        m = fragment_count(wish.image_bytes, size)
        if m > MAX_COUNTER or wish.caps.refusal(m, size) is not None:
            continue
        covered = parity_to_cover_all(m, wish.variant)
        if covered is None:
            continue
        least = _least_percent(m, wish, covered)
        if least is not None and m + -(-m * least // 100) <= MAX_COUNTER:
            plan = _session(wish, size, least)
            if not plan.violations:
                yield _Candidate(fragments=m, size=size, least_percent=least, least_seconds=plan.session_seconds)


def _sizes(wish: Wish) -> list[int]:
    if wish.only_size is not None:
        return [wish.only_size]
    largest = region(wish.region).data_rate(wish.data_rate).undisputed_fragment_size_bytes
    largest = min(largest, wish.caps.max_fragment_size or largest)
    unit = wish.caps.size_multiple or 1
    return [size for size in range(1, largest + 1) if size % unit == 0]


def _least_percent(m: int, wish: Wish, covered: int) -> int | None:
    """Find the least redundancy that rule 3 allows and the ideal code would reach the target with; none may."""
    cap = wish.caps.max_lost
    low, high = 0, 101
    while low < high:
        middle = (low + high) // 2
        parity = m * middle // 100
        if parity >= covered and ideal(m, parity, wish.loss.loss, cap) >= wish.target:
            high = middle
        else:
            low = middle + 1
    return low if low <= 100 else None


def _session(wish: Wish, size: int, percent: int) -> SessionPlan:
    plan = plan_session(wish.region, wish.data_rate, wish.image_bytes, size, percent, None, wish.sent)
    comfortable = plan.shortest_comfortable_spacing_ms
    return plan_session(wish.region, wish.data_rate, wish.image_bytes, size, percent, comfortable, wish.sent)


def _confirm(wish: Wish, candidate: _Candidate, limit: float) -> Setting | None:
    """Find the least parity that reaches the target; None when that takes longer than `limit` seconds, or none does."""
    most = 100
    while most > candidate.least_percent and _session(wish, candidate.size, most).session_seconds > limit:
        most -= 1
    found = _enough(
        Code(fragments=candidate.fragments, variant=wish.variant, max_lost=wish.caps.max_lost),
        wish.loss, wish.target, candidate.least_percent, most, wish.seed,
    )  # fmt: skip
    if found is None:
        return None
    percent, chance = found
    plan = _session(wish, candidate.size, percent)
    if plan.violations:
        return None
    return Setting(
        fragment_bytes=candidate.size,
        redundancy_percent=percent,
        interval_ms=plan.spacing_ms,
        fragments=plan.fragments,
        parity_fragments=plan.parity_fragments,
        session_seconds=plan.session_seconds,
        success_probability=chance.probability,
        success_interval=(chance.low, chance.high),
        rx_energy_joules=receive_energy(plan, wish.sent, wish.power_mw).until_end,
    )


@lru_cache(maxsize=4096)
def _enough(code: Code, loss: Loss, target: float, least: int, most: int, seed: int) -> tuple[int, Chance] | None:
    """Find the least redundancy, from `least` to `most` percent, whose chance is confirmed on the real rows."""
    m = code.fragments
    guess = least
    while guess < most and estimate(m, m * guess // 100, loss.loss, code.variant, code.max_lost) < target:
        guess += 1
    first = least
    while first <= most:
        last = min(most, max(guess, first) + _MARGIN)
        for percent in _likely(code, loss, target, range(first, last + 1), seed):
            chance = success(code, m * percent // 100, loss, seed=seed, target=target)
            if chance.low >= target:
                return percent, chance
        first = last + 1
    return None


def _likely(code: Code, loss: Loss, target: float, percents: range, seed: int) -> range:
    """Sort out, with few trials for all of them, the redundancies that are surely too little.

    Looking at many intervals finds one above the target by chance: what is left is confirmed one by one.
    """
    m = code.fragments
    trials = Trials(code, tuple(m * percent // 100 for percent in percents), loss, seed)
    trials.run(min(_FEW_TRIALS, trials.affordable))
    for percent in percents:
        if trials.chance(m * percent // 100).high >= target:
            return range(percent, percents.stop)
    return range(0)


def _reaches(wish: Wish, setting: Setting) -> str:
    low, high = setting.success_interval
    counted = setting.success_probability
    told = "above 0.9999" if counted >= 0.99995 else f"{counted:.4f}"
    return f"reaches {wish.target:g} at {100 * wish.loss.loss:g} % loss: {told} ({low:.4f} to {high:.4f})"


def _behind(setting: Setting, best: Setting) -> str:
    longer = setting.session_seconds - best.session_seconds
    parts = [f"{longer:.0f} s longer" if longer >= 0.5 else "as long"]
    if setting.redundancy_percent != best.redundancy_percent:
        parts.append(f"{setting.redundancy_percent} % redundancy, not {best.redundancy_percent} %")
    if setting.fragments != best.fragments:
        parts.append(f"{setting.fragments} fragments, not {best.fragments}")
    if setting.interval_ms != best.interval_ms:
        parts.append(f"one every {setting.interval_ms / 1000:g} s, not {best.interval_ms / 1000:g} s")
    if setting.fragment_bytes < best.fragment_bytes and setting.fragments == best.fragments:
        parts.append("smaller fragments with more padding to none")
    return ", ".join(parts)
