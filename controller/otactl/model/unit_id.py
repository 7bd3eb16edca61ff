"""Names the unit of an attempt.

A unit id is `<rollout>-<wave>-<attempt>-<digest8>`, at most 56 characters; digest8 is over owner, environment, rollout,
generation, wave and attempt, so two environments or two contents never share a name.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl.model.tags import TAG_ATTEMPT, TAG_ENVIRONMENT, TAG_GENERATION, TAG_OWNER, TAG_ROLLOUT, TAG_WAVE
from otactl.model.values import canonical_digest

UNIT_ID_MAX = 56


def unit_id(owner: str, environment: str, rollout: str, generation: str, wave: str, attempt: int) -> str:
    """Name a wave's attempt, the same on every machine and every run."""
    digest = canonical_digest([owner, environment, rollout, generation, wave, attempt])
    return f"{rollout}-{wave}-{attempt}-{digest[:8]}"


def named_by(tags: Mapping[str, str]) -> str:
    """Return the name of the unit that carries these tags; empty where they do not say it.

    A unit that someone copied, tags and all, has another name than its tags say.
    """
    owner, environment, rollout, generation, wave, number = (
        tags.get(key, "") for key in (TAG_OWNER, TAG_ENVIRONMENT, TAG_ROLLOUT, TAG_GENERATION, TAG_WAVE, TAG_ATTEMPT)
    )
    return unit_id(owner, environment, rollout, generation, wave, int(number)) if _is_number(number) else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
