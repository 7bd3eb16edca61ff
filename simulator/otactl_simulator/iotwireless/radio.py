"""Computes what a session puts on air, and for how long.

1. M, R and the fragment size follow from the task; what it leaves open, and the interval for single devices, are
   switches, because the service publishes none of them. How it rounds R is a switch too.
2. The fragment size decides the data rate: the slowest that carries it (inferred).
3. By default time on air is not counted and single devices are served all at once, so that a scenario is quick.
   `keepsToRadio` holds a session to what the planner (`otactl.lorawan`) says it takes: never more often than time
   on air and duty cycle allow; single devices get the size that the planner assumes, one after another by one gateway.
4. Before the first fragment, devices are asked to take part: SETUP_SECONDS, a figure of the simulator's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from otactl.lorawan.errors import LorawanError
from otactl.lorawan.fragmentation import MAX_COUNTER, Rounding, fragment_count, parity_count
from otactl.lorawan.regions import region
from otactl.lorawan.session import plan_session
from otactl.lorawan.session_values import SessionPlan
from otactl_simulator.iotwireless.reception import Session
from otactl_simulator.iotwireless.settings import Settings
from otactl_simulator.iotwireless.state import Task

SETUP_SECONDS = 60
_ROUNDING = {"ceil": Rounding.CEIL, "floor": Rounding.FLOOR}


def on_air(task: Task, image_bytes: int, regions: Iterable[str], settings: Settings) -> tuple[Session, float]:
    """Return what a task puts on air, and its seconds; LorawanError for what cannot be sent."""
    where = sorted(set(regions) - {""})
    planned = [_plan(task, image_bytes, name, settings) for name in where] if settings["keepsToRadio"] is True else []
    size = planned[0].fragment_bytes if planned else _size(task, settings)
    fragments = fragment_count(image_bytes, size)
    parity = parity_count(fragments, _redundancy(task), _ROUNDING[str(settings["parityRounding"])])
    if fragments + parity > MAX_COUNTER:
        raise LorawanError(f"{fragments} + {parity} fragments do not fit the 14-bit counter")
    for name in where:
        region(name).slowest_rate_for(size)
    session = Session(fragments, parity, size, int(settings.number("unicastFragIndex")) if task.devices else 1)
    if planned:
        return session, SETUP_SECONDS + max(_lasting(task, plan, parity) for plan in planned)
    interval = _interval(task)
    spacing = settings.number("unicastIntervalSeconds") if interval is None else max(1.0, round(interval / 1000))
    return session, SETUP_SECONDS + (fragments + parity) * spacing


def _plan(task: Task, image_bytes: int, name: str, settings: Settings) -> SessionPlan:
    size = None if task.devices else _size(task, settings)
    return plan_session(name, None, image_bytes, size, _redundancy(task), _interval(task))


def _lasting(task: Task, plan: SessionPlan, parity: int) -> float:
    """Return the planner's own figures, with the parity that is sent (rule 3)."""
    length = plan.session_seconds if parity == plan.parity_fragments else plan.session_seconds_rounded_up
    return len(task.devices) * (length + plan.spacing_ms / 1000) - plan.spacing_ms / 1000 if task.devices else length


def _size(task: Task, settings: Settings) -> int:
    size = task.parameters.get("FragmentSizeBytes")
    return size if isinstance(size, int) and not task.devices else int(settings.number("unicastFragmentBytes"))


def _interval(task: Task) -> int | None:
    interval = task.parameters.get("FragmentIntervalMS")
    return interval if isinstance(interval, int) else None


def _redundancy(task: Task) -> int:
    percent = task.parameters.get("RedundancyPercent")
    return percent if isinstance(percent, int) else 0
