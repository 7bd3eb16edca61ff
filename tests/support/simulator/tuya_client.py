"""Tuya's gateway as a client meets it: RPC over real HTTP, signed here by the rules of the page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import urllib.error
import urllib.request
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlencode

KEY, SECRET, PRODUCT, FIRMWARE = "AK1", "s3cret", "a1b2c3d4e5", "1001"


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        """The code of the failure, empty for a success."""
        return str(self.body["code"])

    @property
    def data(self) -> dict[str, Any]:
        """What was asked for."""
        assert self.body["success"] is True, self.body
        return dict(self.body["data"])


class Where(Protocol):
    """What a client has to know: the address, the gateway's time, how its fleet is described."""

    @property
    def url(self) -> str:
        """The simulator's address."""
        ...

    def now(self) -> datetime:
        """The simulator's time."""
        ...

    def post(self, name: str, **document: Any) -> object:
        """A control request."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """What the simulator holds, by service."""
        ...


class TuyaRequests:
    """A client with a key; `common` overrides common parameters, None leaves one out."""

    def __init__(self, stage: Where, name: str = "n") -> None:
        self.stage = stage
        self._name, self._nonce = name, 0

    def signed(self, method: str, parameters: dict[str, str], secret: str = SECRET) -> dict[str, str]:
        """Parameters with their signature."""
        query = "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(parameters.items()))
        text = f"{method}&%2F&{quote(query, safe='')}"
        digest = hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()
        return {**parameters, "Signature": base64.b64encode(digest).decode()}

    def parameters(self, action: str, given: dict[str, Any], common: dict[str, str | None]) -> dict[str, str]:
        """What a request of now has, unsigned."""
        self._nonce += 1
        flat = {
            "Action": action,
            "Format": "JSON",
            "Version": "2018-01-20",
            "AccessKeyId": KEY,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": f"{self._name}{self._nonce}",
            "Timestamp": self.stage.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            **common,
        }
        for name, value in given.items():
            if isinstance(value, list):
                flat |= {f"{name}.{n}": item for n, item in enumerate(value, 1)}
            else:
                flat[name] = str(value).lower() if isinstance(value, bool) else str(value)
        return {name: value for name, value in flat.items() if value is not None}

    def send(self, method: str, parameters: dict[str, str]) -> tuple[int, bytes]:
        """One request as it is."""
        text = urlencode(parameters, quote_via=quote, safe="~")
        url, body = (f"{self.stage.url}/?{text}", None) if method == "GET" else (f"{self.stage.url}/", text.encode())
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def ask(
        self,
        action: str,
        given: dict[str, Any] | None = None,
        *,
        method: str = "GET",
        secret: str = SECRET,
        common: dict[str, str | None] | None = None,
    ) -> Answer:
        """One request of now."""
        flat = self.parameters(action, given or {}, common or {})
        status, body = self.send(method, self.signed(method, flat, secret))
        return Answer(status, json.loads(body))

    def refused(self, action: str, given: dict[str, Any] | None = None) -> str:
        """The code that a request is refused with."""
        answer = self.ask(action, given)
        assert answer.body["success"] is False, answer.body
        assert set(answer.body) == {"code", "errorMessage", "requestId", "success"}
        return answer.code

    def fleet(self, **parts: object) -> None:
        """Add to the gateway's fleet."""
        self.stage.post("fleet", tuya=parts)

    def populate(self, *devices: dict[str, Any], status: int = 1, module: str = "default") -> None:
        """A key, a product, a package and devices d0, d1, … that run 1.0 unless they say otherwise."""
        listed = [
            {"productKey": PRODUCT, "deviceName": f"d{n}", "versions": {module: "1.0"}, **device}
            for n, device in enumerate(devices or ({}, {}))
        ]
        self.fleet(
            keys=[{"id": KEY, "secret": SECRET}],
            products=[{"productKey": PRODUCT, "name": "probe", "modules": ["ble"]}],
            devices=listed,
            firmwares=[
                {
                    "firmwareId": FIRMWARE,
                    "productKey": PRODUCT,
                    "destVersion": "2.0",
                    "sign": "f00d",
                    "status": status,
                    "module": module,
                }
            ],
        )

    def batch(self, *names: str, **options: Any) -> str:
        """A SPECIFIC batch; its id."""
        return str(self.ask("CreateOTAStaticUpgradeJob", self.specific(*names, **options)).data["jobId"])

    def specific(self, *names: str, **options: Any) -> dict[str, Any]:
        """The parameters of a SPECIFIC batch."""
        given = {"FirmwareId": FIRMWARE, "ProductKey": PRODUCT, "TargetSelection": "SPECIFIC", **options}
        return given | ({"TargetDeviceName": list(names)} if names else {})

    def tasks(self, job: str, **options: Any) -> list[dict[str, Any]]:
        """The tasks of a batch."""
        asked = {"JobId": job, "CurrentPage": 1, "PageSize": 100, **options}
        return list(self.ask("ListOTATaskByJob", asked).data["simpleOTATaskInfo"])

    def statuses(self, job: str) -> list[str]:
        """The status of each task of a batch."""
        return [str(task["taskStatus"]) for task in self.tasks(job)]

    def job_status(self, job: str) -> str:
        """The status of a batch."""
        return str(self.ask("QueryOTAJob", {"JobId": job}).data["jobStatus"])

    def unfinished(self, name: str = "d0", **options: Any) -> list[dict[str, Any]]:
        """The unfinished tasks of a device."""
        asked = {"ProductKey": PRODUCT, "DeviceName": name, **options}
        return list(self.ask("ListOTAUnfinishedTaskByDevice", asked).data["simpleOTATaskInfo"])

    def version(self, name: str = "d0", module: str = "default") -> str | None:
        """What a device reports."""
        asked = {"ProductKey": PRODUCT, "DeviceName": name, "CurrentPage": 1, "PageSize": 200}
        rows = self.ask("ListOTAModuleVersionsByDevice", asked).data["simpleOTAModuleInfo"]
        return next((row["moduleVersion"] for row in rows if row["moduleName"] == module), None)

    def report(self, name: str = "d0", **report: object) -> None:
        """Let a device tell something."""
        self.fleet(reports=[{"productKey": PRODUCT, "deviceName": name, **report}])

    def behave(self, behaviour: str, name: str = "d0") -> None:
        """Let a device behave so from now on."""
        self.fleet(devices=[{"productKey": PRODUCT, "deviceName": name, "behaviour": behaviour}])

    def state(self) -> dict[str, Any]:
        """The gateway's state."""
        return dict(self.stage.snapshot()["tuya"])

    def installs(self) -> dict[str, dict[str, int]]:
        """What each device flashed, by the sign of the package."""
        return {device["deviceName"]: device["installs"] for device in self.state()["devices"] if device["installs"]}
