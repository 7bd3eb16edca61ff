"""Names the tags that say what a unit belongs to; they are how a unit is found again after the journal is lost."""

from __future__ import annotations

TAG_OWNER = "otactl:owner"
TAG_ENVIRONMENT = "otactl:environment"
TAG_ROLLOUT = "otactl:rollout"
TAG_WAVE = "otactl:wave"
TAG_ATTEMPT = "otactl:attempt"
TAG_GENERATION = "otactl:generation"
TAG_JOURNAL = "otactl:journal"
"""Id of the journal that created the unit."""
