"""Simulates Tuya's "Hedwig on Cloud" gateway as otactl needs it: packages, modules, batches, tasks, with signatures.

1. The operations are those of the menu page [V]; one of them that is not here answers an error that names it, as does
   one that Tuya does not have.
2. A failure is `success: false` with code and errorMessage; its HTTP status is a switch [U].
3. A fault hits after the door is found and before anything is checked: a throttled request uses no nonce up. A `late`
   one is answered by no one and comes in later, when it is checked like any other, by the clock of that moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from otactl_simulator.clock import Clock
from otactl_simulator.iot.timeline import Agenda
from otactl_simulator.quotas import Quotas
from otactl_simulator.service import Handler, ModelledError, Request, Switched
from otactl_simulator.tuya.batches import Batches
from otactl_simulator.tuya.device_behavior import Course
from otactl_simulator.tuya.fleet import Fleet
from otactl_simulator.tuya.packages import Packages
from otactl_simulator.tuya.settings import Settings
from otactl_simulator.tuya.snapshot import snapshot
from otactl_simulator.tuya.state import Store
from otactl_simulator.tuya.tasks import Tasks
from otactl_simulator.tuya.wire import Asked, admit, failure, success
from otactl_simulator.wire.serialise import Response

THROTTLED, BROKEN, OVERDUE = "Throttling.User", "iot.system.SystemException", "Iot.system.BillIsOverDue"


class Tuya(Switched):
    """The gateway of one instance."""

    name = "tuya"

    def __init__(self, clock: Clock, seed: int) -> None:
        self._agenda = Agenda(clock)
        self._clock = clock
        self._settings = Settings()
        super().__init__(self._settings)
        self._store = Store(seed)
        self._quotas = Quotas()
        course = Course(self._agenda, self._settings)
        self._fleet = Fleet(self._store, self._agenda, course)
        nouns = [noun(self._store, self._agenda, self._settings, course) for noun in (Packages, Batches, Tasks)]
        self._handlers = {name: handler for noun in nouns for name, handler in noun.handlers.items()}

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Operation name to handler."""
        return self._handlers

    def answer(self, request: Asked, effect: str = "") -> tuple[Response, str | None]:
        """Serve a request; its answer and, for the log, the code of what went wrong. `effect` is a fault's."""
        request_id = self._store.unique("request")
        status = int(self._settings.number("tuyaFailureStatus"))
        xml = request.flat.get("Format", str(self._settings["tuyaDefaultFormat"])).upper() == "XML"
        if effect == "error500":
            return failure(request_id, 500, BROKEN, "System exception", xml=xml), BROKEN
        try:
            if effect == "throttle" or not self._admits(request.action):
                raise ModelledError(THROTTLED, "Request was denied due to user flow control")  # noqa: TRY301 - answered below, as the service's own
            if xml:
                text = "Format=XML is not written for here; give Format=JSON"
                raise ModelledError("iot.system.IllegalRequest", text)  # noqa: TRY301 - answered below, as the service's own
            members = self._served(request, stale=effect == "staleRead")
        except ModelledError as error:
            return failure(request_id, status, error.code, error.message, xml=xml), error.code
        return success(request_id, members), None

    def later(self, seconds: float, carry_out: Callable[[], object]) -> None:
        """Delay a request by so many simulated seconds (rule 3)."""

        def arrive() -> None:
            carry_out()

        self._agenda.at(self._agenda.now() + timedelta(seconds=seconds), arrive)

    def advance(self) -> None:
        """Bring every task up to the clock."""
        self._agenda.run(self._clock.now())

    def next_change(self) -> datetime | None:
        """Return the next step of a task."""
        return self._agenda.next_due

    def load_fleet(self, fleet: Mapping[str, object]) -> None:
        """Add keys, products, devices, groups and packages; ValueError says what is wrong with them."""
        self._fleet.load(fleet)

    def tags(self, account: str, region: str, arn: str) -> dict[str, str]:  # noqa: ARG002 - the protocol's
        """Return nothing: no resource here has tags."""
        return {}

    def snapshot(self) -> dict[str, object]:
        """State as JSON."""
        return snapshot(self._store)

    def _admits(self, action: str) -> bool:
        self._quotas.calls_per_second = self._settings.number("tuyaCallsPerSecond")
        return self._quotas.admits(action)

    def _served(self, request: Asked, *, stale: bool) -> dict[str, object]:
        admit(self._store, self._settings, request, self._agenda.now())
        if self._settings["tuyaBillOverdue"] is True:
            raise ModelledError(OVERDUE, "the bill is overdue")
        handler = self._handlers.get(request.action)
        if handler is None:
            text = f"the simulator does not implement tuya:{request.action}"
            raise ModelledError("iot.system.IllegalRequest", text)
        return handler(Request(self.name, request.action, request.parameters, "", "", stale))
