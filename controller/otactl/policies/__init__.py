"""Checks manifests beyond their schema: rules across fields, manifests and services. Pure.

1. `check` judges one rollout, `check_environment` one environment, `between` all of a run against one another.
2. An error is what the service or the law would refuse, or what cannot work; a warning is what a careful person would
   want to know. A rule that needs an environment is silent when there is none.
3. `placeholders` finds what `otactl init` wrote for the user to replace.
4. `not_driven` lists what the language has but this version does not act on; the planner holds it, never ignores it.
"""

from otactl.model.violation import Severity, Violation
from otactl.policies.across import Located, between
from otactl.policies.check import check, check_environment
from otactl.policies.placeholders import placeholders
from otactl.policies.unsupported import not_driven

__all__ = ["Located", "Severity", "Violation", "between", "check", "check_environment", "not_driven", "placeholders"]
