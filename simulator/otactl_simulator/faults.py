"""Injects the faults that a test requests: which call fails, and how.

A rule names a service and an operation (`*` for any), a moment (`nth` matching call, or a `probability` with a seed,
or always), and an effect. `count` bounds how often it fires. The first rule that fires wins. `late` is for Tuya alone:
the connection is dropped, and the request comes in `seconds` of simulated time later.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

EFFECTS = ("throttle", "error500", "timeoutBeforeCommit", "timeoutAfterCommit", "staleRead", "delay")
TUYA_EFFECTS = (*EFFECTS, "late")
_KEYS = frozenset(("service", "operation", "nth", "probability", "effect", "count", "seconds", "seed"))


@dataclass
class Rule:
    """One fault; `seen` counts the calls it matched, `fired` those it hit."""

    service: str
    operation: str
    effect: str
    nth: int | None = None
    probability: float | None = None
    count: int | None = None
    seconds: float = 1.0
    seen: int = 0
    fired: int = 0
    draw: random.Random = field(default_factory=random.Random)

    def fires(self, service: str, operation: str) -> bool:
        """Return whether this call is hit."""
        if self.service not in ("*", service) or self.operation not in ("*", operation):
            return False
        self.seen += 1
        if self.count is not None and self.fired >= self.count:
            return False
        hit = self.seen == self.nth if self.nth is not None else True
        if self.probability is not None:
            hit = hit and self.draw.random() < self.probability
        self.fired += hit
        return hit


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def replace(self, rules: object) -> None:
        """Replace all rules; ValueError says what is wrong with them."""
        if not isinstance(rules, list):
            raise ValueError("rules must be a list")  # noqa: TRY004 - the control API answers ValueError with 400
        self._rules = [_rule(rule) for rule in rules]

    @property
    def fired(self) -> int:
        """Return how many calls the rules in force have hit, those still being answered included."""
        return sum(rule.fired for rule in self._rules)

    def hit(self, service: str, operation: str) -> Rule | None:
        """Return the rule that hits this call, if one does. Every matching rule counts the call."""
        fired = [rule for rule in self._rules if rule.fires(service, operation)]
        return fired[0] if fired else None


def _rule(rule: object) -> Rule:
    if not isinstance(rule, Mapping):
        raise ValueError("a rule must be an object")  # noqa: TRY004 - as above
    unknown = set(rule) - _KEYS
    if unknown:
        raise ValueError(f"unknown key {', '.join(sorted(unknown))}; a rule has {', '.join(sorted(_KEYS))}")
    effect = rule.get("effect")
    known = TUYA_EFFECTS if rule.get("service") == "tuya" else EFFECTS
    if effect not in known:
        raise ValueError(f"effect {effect!r} is none of {', '.join(known)}")
    nth, probability, count = rule.get("nth"), rule.get("probability"), rule.get("count")
    return Rule(
        service=str(rule.get("service", "*")),
        operation=str(rule.get("operation", "*")),
        effect=str(effect),
        nth=int(nth) if nth is not None else None,
        probability=float(probability) if probability is not None else None,
        count=int(count) if count is not None else None,
        seconds=float(rule.get("seconds", 1.0)),
        draw=random.Random(rule.get("seed", 0)),  # noqa: S311 - a test's draw, not a secret
    )
