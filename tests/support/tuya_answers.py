"""Requests and answers as Tuya's documentation prints them."""

from __future__ import annotations

from datetime import UTC, datetime

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import TuyaAccess
from otactl.model import Environment
from tests.support.builders import SOURCE

# The curl of the page ListOTAUnfinishedTaskByDevice, as it stands there.
PUBLISHED_QUERY = (
    "https://si-d6e8******8958054.tuyacloud.com:8686/?Action=ListOTAUnfinishedTaskByDevice"
    "&SignatureNonce=9e6189124f5a4716ad2de849467b****&AccessKeyId=xMr9wgwXQLhv5AUa65o0****"
    "&SignatureMethod=HMAC-SHA1&Timestamp=2024-11-19T09%3A47%3A43Z&ProductKey=k1nhvyl****&DeviceName=blelight1"
    "&TaskStatus=CONFIRM&Signature=WJN0Ee8%2BX6pogcD3loLHIqQNEN0%3D"
)


def keyed_client(common: dict[str, str | None] | None = None) -> TuyaClient:
    """One whose clock, nonce and key are those of the page."""
    access = TuyaAccess(endpoint="https://si-0.tuyacloud.com:8686/", access_key_id_env="A", access_key_secret_env="B")
    environment = Environment(
        name="e", owner="acme", account="123456789012", region="eu-west-1", source=SOURCE, access={"tuya": access}
    )
    return TuyaClient(
        environment,
        now=lambda: datetime(2024, 11, 19, 9, 47, 43, 900000, tzinfo=UTC),
        nonce=lambda: "9e6189124f5a4716ad2de849467b****",
        environ={"A": "xMr9wgwXQLhv5AUa65o0****", "B": "secret"},
        common=common,
    )


# "Normal Return Example" of the page ListOTAUnfinishedTaskByDevice, as it stands there.
PAGE: dict[str, object] = {
    "code": "",
    "data": {
        "simpleOTATaskInfo": [
            {
                "destVersion": "3.9.0",
                "deviceName": "device_actived",
                "firmwareId": "123",
                "iotId": "OZs5tjTkzRRTZSCekmbRk1****",
                "jobId": "183371207742901****",
                "moduleName": "ble",
                "productKey": "k1h9drZ****",
                "productName": "testProduct1",
                "srcVersion": "1.8",
                "taskId": "183371207782747****",
                "taskStatus": "NOTIFIED",
                "utcCreate": "2024-09-11T03:40:02.734Z",
                "utcModified": "2024-09-11T06:27:24.649Z",
            }
        ]
    },
    "requestId": "352b8d45-4544-45b2-9d79-b9b5e6640ce7",
    "success": True,
}
