"""The radio planner: a chance to 0.002, a whole recommendation, and trials a second beside one device after another."""

from __future__ import annotations

import json
import random
import sys
import time

from bench.measure import Figure, median, run, spread
from bench.stage import OTACTL
from otactl.lorawan.decode_probability import Code, Trials
from otactl.lorawan.loss_models import Independent
from otactl.lorawan.parity import recovers

RUNS = 7
SESSIONS = ((200, 40, 0.1, 300_000, 2000), (1000, 150, 0.1, 15_000, 300))
"""M, R, loss, promised trials a second of a core, plain trials to compare with."""
SMALL_SESSIONS = ((20, 8, 0.1, 1, 2),)
CHANCE = """
from otactl.lorawan.loss_models import Independent
from otactl.lorawan.decode_probability import Code, success
found = success(Code(fragments={m}), {parity}, Independent({loss}))
print(found.half_width)
"""
ADVICE = (
    "airtime --rf-region EU868 --data-rate 3 --image-bytes {image} --fragment-bytes 112 "
    "--redundancy-percent {redundancy} --loss 0.05 --target 0.99 -o json"
)


def figures(tiny: bool = False) -> list[Figure]:
    """Time processes beside a bare start-up of Python, then the engine beside the plain rank test, on one core."""
    sessions, runs, image, redundancy = (SMALL_SESSIONS, 1, 2240, 70) if tiny else (SESSIONS, RUNS, 98304, 12)
    found = []
    for m, parity, loss, *_ in sessions:
        script = CHANCE.format(m=m, parity=parity, loss=loss)
        ours, bare, outputs = _beside([sys.executable, "-c", script], runs)
        half = max(float(output) for output in outputs)
        name = f"chance of success to {half:.4f} for M={m}, R={parity}, p={loss}, as a process"
        found.append(_starts(name, ours, bare, 100, half <= 0.002))
    ours, bare, outputs = _beside([OTACTL, *ADVICE.format(image=image, redundancy=redundancy).split()], runs)
    answer = json.loads(outputs[0])["recommendation"]
    name = (
        f"`otactl airtime` with the recommendation ({answer['fragmentBytes']} bytes, {answer['redundancyPercent']} %)"
    )
    found.append(_starts(f"{name}, all sizes of EU868 DR3", ours, bare, 200, answer["successProbability"] >= 0.99))
    found += [_rates(*session, runs) for session in sessions]
    return found


def _beside(words: list[str], runs: int) -> tuple[list[float], list[float], list[str]]:
    ours, bare, outputs = [], [], []
    run(words)  # compiled files are written
    for _ in range(runs):
        bare.append(run([sys.executable, "-c", "pass"]).wall)
        cost = run(words)
        ours.append(cost.wall)
        outputs.append(cost.output)
    return ours, bare, outputs


def _starts(name: str, ours: list[float], bare: list[float], limit: int, right: bool) -> Figure:
    ratio = median(ours) / median(bare)
    measured = f"{ratio:.0f} bare start-ups of Python: {spread(ours)} against {spread(bare, digits=3)}"
    return Figure(name, measured, f"at most {limit}", right and ratio <= limit)


def _rates(m: int, parity: int, loss: float, promised: int, count: int, runs: int) -> Figure:
    trials = Trials(Code(fragments=m), (parity,), Independent(loss), 1)
    batch = max(4096, promised // 10)
    trials.run(batch)
    ours, plain = [], []
    for turn in range(runs):
        started = time.process_time()
        trials.run(batch)
        ours.append(batch / (time.process_time() - started))
        started = time.process_time()
        _plain(m, parity, loss, count, turn)
        plain.append(count / (time.process_time() - started))
    rate, ratio = median(ours), median(ours) / median(plain)
    measured = f"{rate:,.0f} a second of a core ({min(ours):,.0f} to {max(ours):,.0f}), {ratio:.0f} times as many"
    name = (
        f"trials on real rows for M={m}, R={parity}, p={loss}, beside one device after another ({median(plain):,.0f})"
    )
    return Figure(name, measured, f"at least {promised:,}", rate >= promised)


def _plain(m: int, parity: int, loss: float, trials: int, seed: int) -> int:
    draws = random.Random(seed)  # noqa: S311 - a repeatable radio, not a secret
    good = 0
    for _ in range(trials):
        lost = [i for i in range(m) if draws.random() < loss]
        heard = [n for n in range(1, parity + 1) if draws.random() >= loss]
        good += recovers(m, lost, heard)
    return good
