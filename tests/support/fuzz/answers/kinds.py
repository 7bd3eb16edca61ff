"""Draws damaged answers of each service."""

from __future__ import annotations

import random

import msgspec

from tests.support.fuzz.answers.damage import Input, draw
from tests.support.fuzz.answers.rules import judge, undamaged
from tests.support.fuzz.answers.scenes import scenes
from tests.support.fuzz.kind import Kind, drawn

TITLES = {"fuota": "AWS IoT Wireless", "ota": "AWS IoT", "tuya": "Tuya's gateway"}


def answers_kind(service: str) -> Kind:
    """Return runs against one service with one or two of its answers damaged."""
    name = f"answers-{service}"

    def one(generator: random.Random) -> bytes:
        scene = generator.choice(scenes(service))
        answered = undamaged(service, scene.name)[1].answered
        chosen = [scene.tape.calls[generator.choice(answered)] for _ in range(generator.choice((1, 1, 1, 2)))]
        damages = tuple(draw(generator, c.index, c.service, c.raw) for c in chosen)
        return msgspec.json.encode(Input(scene.name, damages))

    def judged(data: bytes) -> str:
        return judge(service, msgspec.json.decode(data, type=Input))

    return Kind(name, f"answers of {TITLES[service]}", drawn(name, one), judged)
