"""Recommends the cheapest lawful session that reaches a target: fragment size, redundancy, interval; with runners-up.

1. Cheapest is the shortest session, then the least energy. The interval leaves 20 % of the legal duty cycle to others.
2. Sizes: all a data rate carries by every source, that the device takes and can write, and for which the service
   presumably picks this data rate (the others, if none of these is lawful and reaches the target).
3. Parity: none, where that reaches the target; else so much that no fragment is left out of every row, and the chance
   on the real rows, counted as for any session, reaches the target with the lower end of its 95 % interval.
4. No code needs less parity than the ideal one, so a size whose session with ideal parity is longer than three that
   are confirmed needs no trials. Of sizes with as many fragments the cheapest is kept.
5. All trials together have a bound on work (`enough`). Once it is spent no other size is tried; that, and a setting it
   left undecided, is in the recommendation.
"""

from __future__ import annotations

import heapq
import math

import msgspec

from otactl.lorawan.closed_form import ideal
from otactl.lorawan.decode_probability import Code
from otactl.lorawan.energy import receive_energy
from otactl.lorawan.fragmentation import MAX_COUNTER, UNLIMITED, DeviceCaps, fragment_count, parity_to_cover_all
from otactl.lorawan.lints import changes_data_rate
from otactl.lorawan.loss_models import Loss, described
from otactl.lorawan.minimum_redundancy import WHOLE_WORK, Confirming, Enough
from otactl.lorawan.parity import V1, Variant
from otactl.lorawan.regions import region
from otactl.lorawan.report import Recommendation, Setting
from otactl.lorawan.request import check_target
from otactl.lorawan.session import plan_session
from otactl.lorawan.session_values import SessionPlan, Transmission

_SHOWN = 3


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a session should achieve: `target` is the chance of one device that loses fragments as `loss` says.

    `only_size` is a fragment size that cannot be chosen (for single devices the service does), `work` bounds the trials
    in word operations.
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
    work: float = WHOLE_WORK

    def __post_init__(self) -> None:
        """Refuse a target no session can be sure to reach."""
        check_target(self.target)


class _Candidate(msgspec.Struct, frozen=True, order=True):
    """A size that may be the cheapest: no session of it is shorter than `seconds`.

    `refined` is whether that counts what the ideal code needs, and not the uncoded fragments alone.
    """

    seconds: float
    minus_size: int
    refined: bool
    fragments: int
    least_percent: int


def recommend(wish: Wish) -> Recommendation | None:
    """Find the cheapest session; None when no lawful one is confirmed to reach the target."""
    sizes = _sizes(wish)
    kept = [size for size in sizes if changes_data_rate(wish.region, wish.data_rate, size) is None]
    search = _Search(wish)
    search.look_through(kept)
    if not search.confirmed:  # all of them unlawful or too weak: those for which the service picks another rate
        search.look_through([size for size in sizes if size not in set(kept)])
    if not search.confirmed:
        return None
    best, window = search.confirmed[0], wish.window_seconds
    plan = _session(wish, best.fragment_bytes, best.redundancy_percent)
    fields = msgspec.structs.asdict(best)
    fields["why"] = search.why
    return Recommendation(
        **fields,
        data_rate=wish.data_rate,
        fits_window=None if window is None else plan.occupied_seconds <= window,
        runners_up=tuple(msgspec.structs.replace(s, why=_behind(s, best)) for s in search.confirmed[1:_SHOWN]),
    )


class _Search:
    """The search for one wish: what is confirmed, cheapest first, one setting for each number of fragments."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._confirming = Confirming(wish.loss, wish.target, wish.seed, wish.work)
        self._enough: dict[int, Enough | None] = {}
        self._cut_short = False
        self.confirmed: list[Setting] = []

    def look_through(self, sizes: list[int]) -> None:
        """Confirm sizes by rising least length, until nothing shorter can come (rule 4)."""
        heap = [each for size in sizes if (each := self._rough(size)) is not None]
        heapq.heapify(heap)
        while heap:
            candidate = heapq.heappop(heap)
            if len(self.confirmed) >= _SHOWN and candidate.seconds > self._limit:
                return
            if not candidate.refined:
                finer = self._refined(candidate)
                if finer is not None:
                    heapq.heappush(heap, finer)
            elif self._confirming.spent:
                self._cut_short = True
                return
            else:
                self._confirm(candidate)

    @property
    def why(self) -> str:
        """Return why the first one is recommended."""
        wish, best = self._wish, self.confirmed[0]
        counted, least = best.success_probability, math.floor(1e4 * best.success_interval[0]) / 1e4
        text = f"at least {least:.4f}" if counted >= 0.99995 else f"{counted:.4f}, at least {least:.4f}"
        reaches = f"reaches {wish.target} at {described(wish.loss)}: {text}"
        if best.parity_fragments and best.parity_fragments == parity_to_cover_all(best.fragments, wish.variant):
            reaches += "; with less parity some fragment could never be rebuilt"
        found = self._enough[best.fragments]
        if found is not None and not found.confirmed:
            reaches += "; by the closed form, because trials enough to confirm it take too long"
        if self._cut_short:
            reaches += "; not all sizes were tried, because the trials took too long"
        return f"the shortest session within 80 % of the duty cycle that {reaches}"

    @property
    def _limit(self) -> float:
        """Return the length above which no session is of use any more."""
        return self.confirmed[_SHOWN - 1].session_seconds if len(self.confirmed) >= _SHOWN else math.inf

    def _rough(self, size: int) -> _Candidate | None:
        m = fragment_count(self._wish.image_bytes, size)
        if m > MAX_COUNTER or self._wish.caps.refusal(m, size) is not None:
            return None
        plan = _session(self._wish, size, 0)
        if plan.violations:
            return None
        return _Candidate(plan.session_seconds, -size, False, m, 0)

    def _refined(self, rough: _Candidate) -> _Candidate | None:
        wish, m, size = self._wish, rough.fragments, -rough.minus_size
        least = _least_percent(m, wish)
        if least is None or m + m * least // 100 > MAX_COUNTER:
            return None
        plan = _session(wish, size, least)
        return None if plan.violations else _Candidate(plan.session_seconds, -size, True, m, least)

    def _confirm(self, candidate: _Candidate) -> None:
        """Add the least parity of a size that reaches the target, if any does in time."""
        wish, size = self._wish, -candidate.minus_size
        if candidate.fragments not in self._enough:
            code = Code(fragments=candidate.fragments, variant=wish.variant, max_lost=wish.caps.max_lost)
            most = _most_percent(wish, candidate, self._limit)
            self._enough[candidate.fragments] = self._confirming.least(code, candidate.least_percent, most)
        found = self._enough[candidate.fragments]
        if found is None:
            return
        plan = _session(wish, size, found.percent)
        if plan.violations:
            return
        setting = Setting(
            fragment_bytes=size,
            redundancy_percent=found.percent,
            interval_ms=plan.spacing_ms,
            fragments=plan.fragments,
            parity_fragments=plan.parity_fragments,
            session_seconds=plan.session_seconds,
            success_probability=found.chance.probability,
            success_interval=(found.chance.low, found.chance.high),
            rx_energy_joules=receive_energy(plan, wish.sent, wish.power_mw).until_end,
        )
        same = [s for s in self.confirmed if s.fragments == setting.fragments]
        others = [s for s in self.confirmed if s.fragments != setting.fragments]
        self.confirmed = sorted([*others, min([setting, *same], key=_price)], key=_price)


def _price(setting: Setting) -> tuple[float, float, int]:
    return setting.session_seconds, setting.rx_energy_joules, -setting.fragment_bytes


def _sizes(wish: Wish) -> list[int]:
    if wish.only_size is not None:
        return [wish.only_size]
    largest = region(wish.region).data_rate(wish.data_rate).undisputed_fragment_size_bytes
    largest = min(largest, wish.caps.max_fragment_size or largest)
    unit = wish.caps.size_multiple or 1
    return [size for size in range(1, largest + 1) if size % unit == 0]


def _least_percent(m: int, wish: Wish) -> int | None:
    """Find the least redundancy that rule 3 allows and the ideal code would reach the target with; none may."""
    if ideal(m, 0, wish.loss, wish.caps.max_lost) >= wish.target:
        return 0
    covered = parity_to_cover_all(m, wish.variant)
    if covered is None:
        return None
    low, high = 0, 101
    while low < high:
        middle = (low + high) // 2
        parity = m * middle // 100
        if parity >= covered and ideal(m, parity, wish.loss, wish.caps.max_lost) >= wish.target:
            high = middle
        else:
            low = middle + 1
    return low if low <= 100 else None


def _most_percent(wish: Wish, candidate: _Candidate, limit: float) -> int:
    """Return the most redundancy with which a session of this size is no longer than `limit` seconds, and lawful."""
    low, high = candidate.least_percent, 100
    while low < high:
        middle = (low + high + 1) // 2
        plan = _session(wish, -candidate.minus_size, middle)
        if plan.session_seconds > limit or plan.violations:
            high = middle - 1
        else:
            low = middle
    return low


def _session(wish: Wish, size: int, percent: int) -> SessionPlan:
    plan = plan_session(wish.region, wish.data_rate, wish.image_bytes, size, percent, None, wish.sent)
    comfortable = plan.shortest_comfortable_spacing_ms
    return plan_session(wish.region, wish.data_rate, wish.image_bytes, size, percent, comfortable, wish.sent)


def _behind(setting: Setting, best: Setting) -> str:
    longer = setting.session_seconds - best.session_seconds
    parts = [f"{longer:.0f} s longer" if longer >= 0.5 else "as long"]
    if setting.redundancy_percent != best.redundancy_percent:
        parts.append(f"{setting.redundancy_percent} % redundancy, not {best.redundancy_percent} %")
    if setting.fragments != best.fragments:
        parts.append(f"{setting.fragments} fragments, not {best.fragments}")
    if setting.interval_ms != best.interval_ms:
        parts.append(f"one every {setting.interval_ms / 1000:g} s, not {best.interval_ms / 1000:g} s")
    return ", ".join(parts)
