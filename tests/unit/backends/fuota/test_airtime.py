"""The question to the radio planner, as a manifest asks it."""

from __future__ import annotations

from otactl.backends.fuota.airtime import request_of
from tests.support.manifest_texts import GOOD, Read

TARGETS = "multicastGroups:\n            - 77ab2e10\n            - 91cd3f21"


def _devices(number: int, first: int) -> str:
    return f"wirelessDevices: [{', '.join(f'{first + n:016x}' for n in range(number))}]"


def _most_without(gate: str, canaries: int) -> list[int | None]:
    text = GOOD.replace("multicastGroups: [3f0c1d52]", _devices(canaries, 10 * 16**15)).replace(
        TARGETS, _devices(20, 11 * 16**15)
    )
    question = request_of(Read(text.replace("{minSuccessPercent: 90}", gate)).rollout)
    assert question is not None
    return [wave.gate.most_without for wave in question.waves]


def test_a_confidence_limits_how_many_devices_of_a_wave_may_be_without_the_image() -> None:
    """Of 200 canaries, fewer may fail than the 20 that 90 % alone would allow."""
    plain = _most_without("{minSuccessPercent: 90}", 200)
    sure = _most_without("{minSuccessPercent: 90, confidence: 0.95}", 200)

    assert plain == [None, None]
    assert sure[0] is not None
    assert 0 <= sure[0] < 20
    assert sure[1] == 2


def test_a_wave_too_small_for_its_confidence_never_passes() -> None:
    assert _most_without("{minSuccessPercent: 99, confidence: 0.99}", 2)[0] == -1
