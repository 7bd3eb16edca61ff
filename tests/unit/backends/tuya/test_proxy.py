"""The way to Tuya's gateway through a proxy: as the process's environment says, its password sent to no one else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from otactl.backends.tuya.http import LostError, Wire
from otactl.errors import StalledError

GATEWAY = "https://si-0.tuyacloud.com:8686/"
SAID: list[str] = []


class _Refusing(StreamRequestHandler):
    """A proxy that notes what it is asked for and lets no one through."""

    def handle(self) -> None:
        lines = iter(lambda: self.rfile.readline().decode().strip(), "")
        SAID.extend(lines)
        self.wfile.write(b"HTTP/1.1 502 hunter2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    SAID.clear()
    server = ThreadingTCPServer(("127.0.0.1", 0), _Refusing)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def send(endpoint: str = GATEWAY) -> LostError:
    with pytest.raises(LostError) as caught:
        Wire(endpoint, {}).send("GET", "AccessKeyId=hunter2", again=False)
    return caught.value


@pytest.mark.parametrize("form", ["http://{}", "{}"])
def test_the_gateway_is_asked_through_the_proxy_that_is_named(
    proxy: str, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", form.format(proxy))
    failed = send()
    assert SAID[0] == "CONNECT si-0.tuyacloud.com:8686 HTTP/1.0"
    assert (failed.sent, f"at {proxy}, the proxy on the way to si-0.tuyacloud.com:8686" in str(failed)) == (False, True)
    assert "HTTPS_PROXY" in str(failed)
    assert "hunter2" not in str(failed)


def test_a_proxy_gets_its_password_and_no_other_does(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:hunter%322@{proxy}")
    failed = send()
    assert "Proxy-Authorization: Basic YWRhOmh1bnRlcjIy" in SAID
    assert "hunter" not in str(failed)
    assert "hunter" not in repr(vars(Wire(GATEWAY, {})))


@pytest.mark.parametrize("excepted", ["si-0.tuyacloud.com", ".tuyacloud.com", "si-0.tuyacloud.com:8686", "*"])
def test_no_proxy_excepts_a_host(proxy: str, monkeypatch: pytest.MonkeyPatch, excepted: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
    monkeypatch.setenv("NO_PROXY", excepted)
    assert vars(Wire(GATEWAY, {}))["_proxy"] is None


def test_this_machine_is_never_asked_through_a_proxy(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")
    assert vars(Wire("http://127.0.0.1:1/", {}))["_proxy"] is None


def test_a_proxy_that_cannot_be_used_is_reported_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for named in ("socks5://ada:hunter2@proxy:1", "https://ada:hunter2@proxy:1", "http://ada:hunter2@proxy:99999"):
        monkeypatch.setenv("HTTPS_PROXY", named)
        with pytest.raises(StalledError, match="HTTPS_PROXY must be http://host:port") as caught:
            Wire(GATEWAY, {})
        assert "hunter2" not in str(caught.value)
        assert "proxy:1" not in str(caught.value)


def test_a_name_that_does_not_resolve_speaks_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert "its name does not resolve here; check the endpoint, or set HTTPS_PROXY" in str(send())
