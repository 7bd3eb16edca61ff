"""Parses RPC requests to the gateway, checks signature and time, and writes answers.

1. A request is RPC: `Action` and flat parameters in the query, or in a form, GET or POST [V]; lists are `Name.N` [V].
2. The signature is HMAC-SHA1 1.0 over all parameters but Signature (domain file, "Signature" [V, tail I]).
3. Checked in this order [I]: common parameters, key, time, signature, nonce. Only a request that was signed well uses
   up its nonce. The codes are those of Alibaba's RPC gateways [I].
4. Answers are camelCase JSON with code, requestId and success [V]; Format=XML gets a small XML error, because nothing
   here is written for it. Who gives no Format gets what a switch says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from otactl_simulator.service import ModelledError
from otactl_simulator.tuya.settings import Settings
from otactl_simulator.tuya.state import Store
from otactl_simulator.wire.serialise import Response

VERSIONS = ("2018-01-20", "2022-01-01")
HIDDEN = frozenset(("Signature", "AccessKeyId", "SignatureNonce"))
_COMMON = HIDDEN | {"Action", "Format", "Version", "SignatureMethod", "SignatureVersion", "Timestamp"}
_NEEDED = ("Action", "AccessKeyId", "SignatureMethod", "Timestamp", "SignatureNonce", "Signature")
_LISTED = re.compile(r"([A-Za-z]+)\.([1-9]\d{0,3})")


@dataclass(frozen=True)
class Asked:
    """A request as it came: its method and its flat parameters."""

    method: str
    flat: dict[str, str]

    @property
    def action(self) -> str:
        """Return the operation asked for."""
        return self.flat.get("Action", "?")

    @property
    def parameters(self) -> dict[str, object]:
        """Return what the operation is given: no common parameters, lists gathered."""
        found: dict[str, object] = {}
        lists: dict[str, dict[int, str]] = {}
        for name, value in self.flat.items():
            listed = _LISTED.fullmatch(name)
            if listed is not None:
                lists.setdefault(listed.group(1), {})[int(listed.group(2))] = value
            elif name not in _COMMON:
                found[name] = value
        return found | {name: [items[n] for n in sorted(items)] for name, items in lists.items()}

    @property
    def parameters_to_show(self) -> dict[str, object]:
        """Return what the log may show: everything but key, nonce and signature."""
        common = {name: self.flat[name] for name in sorted(_COMMON - HIDDEN - {"Action"}) if name in self.flat}
        return {**self.parameters, **common}


def asked(method: str, query: bytes, headers: Mapping[str, str], body: bytes) -> Asked | None:
    """Return the request, if it is meant for this gateway: an Action and a trace of its signature, none of AWS's."""
    if "authorization" in headers or method not in ("GET", "POST"):
        return None
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    if "x-www-form-urlencoded" in headers.get("content-type", ""):
        pairs += parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    flat = dict(pairs)
    return Asked(method, flat) if "Action" in flat and HIDDEN & flat.keys() else None


def admit(store: Store, settings: Settings, request: Asked, now: datetime) -> None:
    """Check who asks (rules 2 and 3); ModelledError says what is wrong."""
    flat = request.flat
    needed = _NEEDED if settings["tuyaCommonParameters"] == "lenient" else (*_NEEDED, "Version", "SignatureVersion")
    for name in needed:
        if not flat.get(name):
            raise ModelledError("MissingParameter", f"The input parameter {name} that is mandatory is not supplied")
    fixed = {"SignatureMethod": ("HMAC-SHA1",), "SignatureVersion": ("1.0",), "Version": VERSIONS}
    for name, choices in fixed.items():
        if flat.get(name, choices[0]) not in choices:
            raise ModelledError("InvalidParameter", f"{name} is {' or '.join(choices)}")
    secret = store.keys.get(flat["AccessKeyId"])
    if secret is None:
        raise ModelledError("InvalidAccessKeyId.NotFound", "Specified access key is not found")
    _in_time(flat["Timestamp"], now, settings.number("tuyaClockSkewSeconds"))
    text = string_to_sign(request.method, flat)
    if not hmac.compare_digest(signature(secret, text), flat["Signature"]):
        # Alibaba's gateways do show the string they signed, key and all; a client must not print it.
        message = f"Specified signature is not matched with our calculation. server string to sign is:{text}"
        raise ModelledError("SignatureDoesNotMatch", message)
    _once(store, flat["SignatureNonce"], now, settings.number("tuyaNonceSeconds"))


def string_to_sign(method: str, flat: Mapping[str, str]) -> str:
    """METHOD&%2F&, then the sorted and encoded query, encoded again."""
    pairs = sorted((name, value) for name, value in flat.items() if name != "Signature")
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return f"{method}&%2F&{quote(query, safe='')}"


def signature(secret: str, text: str) -> str:
    """HMAC-SHA1 with the secret and `&`."""
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()


def success(request_id: str, members: Mapping[str, object]) -> Response:
    """Return an answer that says what was asked for."""
    return _json(200, {"code": "", **members, "requestId": request_id, "success": True})


def failure(request_id: str, status: int, code: str, message: str, *, xml: bool = False) -> Response:
    """Return an answer that says what is wrong."""
    if xml:
        text = f"<Error><RequestId>{request_id}</RequestId><Code>{escape(code)}</Code>"
        body = f"{text}<Message>{escape(message)}</Message></Error>"
        return status, {"content-type": "text/xml"}, body.encode()
    return _json(status, {"code": code, "errorMessage": message, "requestId": request_id, "success": False})


def _in_time(text: str, now: datetime, window: float) -> None:
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ModelledError("InvalidTimeStamp.Format", "Timestamp must be YYYY-MM-DDThh:mm:ssZ in UTC") from None
    if abs(now - moment) > timedelta(seconds=window):
        raise ModelledError("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired")


def _once(store: Store, nonce: str, now: datetime, seconds: float) -> None:
    for old in [seen for seen, moment in store.nonces.items() if (now - moment).total_seconds() > seconds]:
        del store.nonces[old]
    if nonce in store.nonces:
        raise ModelledError("SignatureNonceUsed", "Specified signature nonce was used already")
    store.nonces[nonce] = now


def _json(status: int, document: object) -> Response:
    return status, {"content-type": "application/json;charset=UTF-8"}, json.dumps(document).encode()
