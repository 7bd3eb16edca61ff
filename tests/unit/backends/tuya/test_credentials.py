"""Nothing that can be printed holds the key, the secret, the nonce or the signature; and where keys come from."""

from __future__ import annotations

import datetime as dt
import json
import logging
import ssl
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from otactl.backends.tuya.client import TuyaClient
from otactl.backends.tuya.config import TuyaAccess
from otactl.errors import OtactlError, StalledError, TransientError
from otactl.model import Environment
from tests.support.builders import SOURCE
from tests.support.scripted_tuya import (
    DROPPED,
    KEY,
    SECRET,
    Answer,
    Gateway,
    bad,
    environment,
    good,
    running,
    transport,
)

NONCE = "nonce-kept-secret"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tuya-AbCdEf"
SIGNED = [
    "SignatureDoesNotMatch",
    "SignatureNonceUsed",
    "InvalidAccessKeyId.NotFound",
    "InvalidTimeStamp.Expired",
    "iot.system.SystemException",
    "Throttling",
    "iot.ota.JobNotExist",
    "iot.conflict",
    "whatever",
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """One gateway for this file."""
    with running() as running_gateway:
        yield running_gateway


def sender(gateway: Gateway) -> TuyaClient:
    """A transport whose nonce is known."""
    return TuyaClient(
        environment(gateway.url),
        sleep=lambda _s: None,
        nonce=lambda: NONCE,
        environ={"TUYA_ID": KEY, "TUYA_SECRET": SECRET},
    )


def printed(error: BaseException) -> str:
    """All that a log could make of an error, its causes and contexts included."""
    found = ["".join(traceback.format_exception(error)), repr(error), str(error), repr(vars(error))]
    found += [printed(linked) for linked in (error.__cause__, error.__context__) if linked is not None]
    return "\n".join(found)


def none_of_it(text: str, signature: str) -> None:
    """Fail if a secret is in a text, in any spelling."""
    for secret in (KEY, SECRET, NONCE, signature):
        for spelling in (secret, quote(secret, safe=""), quote(quote(secret, safe=""), safe="")):
            assert spelling not in text


@pytest.mark.parametrize("repeatable", [True, False])
@pytest.mark.parametrize("code", SIGNED)
def test_no_error_shows_what_was_signed_though_the_gateway_repeats_it(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, code: str, repeatable: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    with sender(gateway) as open_sender:
        prepared = open_sender.prepare("CancelOTATaskByJob", {"JobId": "1"})
        signature = dict(parse_qsl(prepared.query))["Signature"]
        echo = f"server string to sign is:GET&%2F&{quote(prepared.query, safe='')} of {prepared.query} by {SECRET}"
        gateway.will(bad(code, echo))
        with pytest.raises(OtactlError) as caught:
            open_sender.send(prepared, repeatable=repeatable)
        none_of_it(printed(caught.value) + caplog.text + repr(prepared) + repr(open_sender), signature)


@pytest.mark.parametrize("answer", [DROPPED, Answer(b"<x/>"), Answer({}), Answer(b"", 302, {"Location": "http://x/"})])
def test_no_error_of_the_wire_shows_what_was_signed(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.will(answer)
    with sender(gateway) as open_sender:
        prepared = open_sender.prepare("CancelOTATaskByJob", {"JobId": "1"})
        with pytest.raises(OtactlError) as caught:
            open_sender.send(prepared)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    none_of_it(printed(caught.value) + caplog.text, dict(parse_qsl(prepared.query))["Signature"])


def test_a_key_in_the_words_of_the_gateway_is_taken_out(gateway: Gateway) -> None:
    gateway.will(bad(f"odd.{KEY}", f"{KEY} may not, {NONCE}"))
    with sender(gateway) as open_sender, pytest.raises(StalledError) as caught:
        open_sender.call("QueryOTAJob", {}, repeatable=True)
    assert str(caught.value) == "tuya:QueryOTAJob was refused (odd.***): *** may not, ***"


def test_words_of_the_gateway_are_reported_on_one_short_line(gateway: Gateway) -> None:
    gateway.will(bad("whatever", "first\nsecond " + "x" * 1000))
    with pytest.raises(StalledError) as caught:
        transport(gateway).call("QueryOTAJob", {}, repeatable=True)
    assert str(caught.value).startswith("tuya:QueryOTAJob was refused (whatever): first second xxx")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "TUYA_ID"),
        ({"TUYA_ID": KEY}, "TUYA_SECRET"),
        ({"TUYA_ID": " ", "TUYA_SECRET": SECRET}, "TUYA_ID"),
        ({"TUYA_ID": KEY, "TUYA_SECRET": f"{SECRET} {SECRET}"}, "TUYA_SECRET"),
    ],
)
def test_a_variable_that_holds_no_key_is_named_and_its_value_is_not(environ: dict[str, str], named: str) -> None:
    with pytest.raises(StalledError, match=named) as caught:
        TuyaClient(environment("https://x/"), environ=environ).prepare("QueryOTAJob", {})
    assert caught.value.reason == "NoCredentials"
    none_of_it(printed(caught.value), SECRET)


def test_a_line_break_after_a_secret_is_not_part_of_it(gateway: Gateway) -> None:
    kept = TuyaClient(environment(gateway.url), environ={"TUYA_ID": f"{KEY}\n", "TUYA_SECRET": f"{SECRET}\n"})
    assert dict(parse_qsl(kept.prepare("QueryOTAJob", {}).query))["AccessKeyId"] == KEY


def by_arn() -> Environment:
    """An environment whose key is in Secrets Manager."""
    access = TuyaAccess(endpoint="https://x/", secret_arn=ARN)
    return Environment(
        name="e", owner="a", account="123456789012", region="eu-west-1", source=SOURCE, access={"tuya": access}
    )


def test_a_key_is_read_from_secrets_manager_once() -> None:
    asked: list[str] = []

    def read(arn: str) -> str:
        asked.append(arn)
        return json.dumps({"accessKeyId": KEY, "accessKeySecret": SECRET, "more": 1})

    kept = TuyaClient(by_arn(), read_secret=read)
    for _ in range(2):
        assert dict(parse_qsl(kept.prepare("QueryOTAJob", {}).query))["AccessKeyId"] == KEY
    assert asked == [ARN]


def test_a_key_that_cannot_be_had_is_asked_for_once_and_reported_every_time() -> None:
    asked: list[str] = []

    def refuse(arn: str) -> str:
        asked.append(arn)
        raise StalledError("PermissionDenied", "grant it")

    kept = TuyaClient(by_arn(), read_secret=refuse)
    reported = []
    for _ in range(2):
        with pytest.raises(StalledError, match="grant it") as caught:
            kept.prepare("QueryOTAJob", {})
        reported.append(caught.value.reason)
    assert (asked, reported) == ([ARN], ["PermissionDenied"] * 2)


def test_a_key_that_cannot_be_had_for_now_is_asked_for_again() -> None:
    answers = [TransientError("throttled"), json.dumps({"accessKeyId": KEY, "accessKeySecret": SECRET})]

    def read(_arn: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, TransientError):
            raise answer
        return answer

    kept = TuyaClient(by_arn(), read_secret=read)
    with pytest.raises(TransientError):
        kept.prepare("QueryOTAJob", {})
    assert dict(parse_qsl(kept.prepare("QueryOTAJob", {}).query))["AccessKeyId"] == KEY


@pytest.mark.parametrize(
    "stored", ["", SECRET, "[]", json.dumps({"accessKeyId": KEY}), json.dumps({"accessKeyId": 1, "accessKeySecret": 2})]
)
def test_a_stored_secret_that_is_no_key_is_named_and_not_shown(stored: str) -> None:
    with pytest.raises(StalledError, match="tuya-AbCdEf") as caught:
        TuyaClient(by_arn(), read_secret=lambda _arn: stored).prepare("QueryOTAJob", {})
    assert caught.value.reason == "NoCredentials"
    none_of_it(printed(caught.value), SECRET)


def test_without_a_way_to_secrets_manager_the_arn_is_reported() -> None:
    with pytest.raises(StalledError, match="tuya-AbCdEf"):
        TuyaClient(by_arn()).prepare("QueryOTAJob", {})


def test_an_environment_without_tuya_has_no_endpoint() -> None:
    bare = Environment(name="e", owner="a", account="123456789012", region="eu-west-1", source=SOURCE)
    with pytest.raises(StalledError) as caught:
        TuyaClient(bare).prepare("QueryOTAJob", {})
    assert caught.value.reason == "NoEndpoint"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://si-0.tuyacloud.com:8686/",
        "http://10.0.0.1/",
        "https://me:pw@x/",
        "ftp://x/",
        "https://x:99999/",
        "https://[x/",
    ],
)
def test_an_endpoint_that_would_show_requests_is_refused(endpoint: str) -> None:
    kept = TuyaClient(environment(endpoint), environ={"TUYA_ID": KEY, "TUYA_SECRET": SECRET})
    with pytest.raises(StalledError) as caught:
        kept.call("QueryOTAJob", {}, repeatable=True)
    assert caught.value.reason == "EndpointInvalid"
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    kept = TuyaClient(
        environment(f"http://{host}:1/"), sleep=lambda _s: None, environ={"TUYA_ID": KEY, "TUYA_SECRET": SECRET}
    )
    with pytest.raises(TransientError):
        kept.call("QueryOTAJob", {}, repeatable=True)


def test_a_certificate_no_one_vouches_for_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # the handshake is to fail
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    endpoint = f"https://localhost:{server.server_address[1]}/"
    kept = TuyaClient(environment(endpoint), environ={"TUYA_ID": KEY, "TUYA_SECRET": SECRET})
    with pytest.raises(StalledError, match="is not trusted here") as caught:
        kept.call("QueryOTAJob", {}, repeatable=True)
    server.shutdown()
    thread.join()
    server.server_close()
    assert caught.value.reason == "EndpointInvalid"
    assert asked == []


def self_signed(folder: Path) -> Path:
    """A certificate for localhost that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_good_answer_needs_no_more_than_a_key_and_an_endpoint(gateway: Gateway) -> None:
    gateway.will(good())
    assert transport(gateway).call("QueryOTAJob", {}, repeatable=True)["success"] is True
