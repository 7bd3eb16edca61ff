"""Lists every resource type of the program with what carries it out; a type that is not here is refused."""

from __future__ import annotations

from tests.support.pulumi.provider import iam_kinds, recorded_kinds, s3_kinds
from tests.support.pulumi.provider.kind import Kind

KINDS: dict[str, Kind] = {**s3_kinds.KINDS, **iam_kinds.KINDS, **recorded_kinds.KINDS}
RECORDED = tuple(recorded_kinds.KINDS)
