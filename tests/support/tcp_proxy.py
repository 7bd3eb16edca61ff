"""Stands between a client and a server on loopback, and loses what the test says: before or after it arrived."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

HOST = "127.0.0.1"


class TcpProxy:
    """Forwards connections to a port; use it as a context manager, its own port is `port`.

    `cut_request` and `cut_answer` see each piece that passes, and end the connection by returning True: the first
    before the server gets the piece, the second before the client does. `seen` is every piece of clients.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self.seen: list[bytes] = []
        self.connections = 0
        self.cut_request: Callable[[bytes], bool] = lambda _piece: False
        self.cut_answer: Callable[[bytes], bool] = lambda _piece: False
        self.silent = False
        """Forward nothing more, and end nothing: a network that swallows what is sent."""
        self._open: list[socket.socket] = []

    def __enter__(self) -> TcpProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._open:
            _end(each)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self._server_port))
            except OSError:
                _end(client)
                continue
            self.connections += 1
            self._open += [client, server]
            threading.Thread(target=self._pump, args=(client, server, self._request), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, self._answer), daemon=True).start()

    def _request(self, piece: bytes) -> bool:
        self.seen.append(piece)
        return self.cut_request(piece)

    def _answer(self, piece: bytes) -> bool:
        return self.cut_answer(piece)

    def _pump(self, source: socket.socket, target: socket.socket, cut: Callable[[bytes], bool]) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if self.silent:
                    continue
                if cut(piece):
                    break
                target.sendall(piece)
        if not self.silent:
            _end(source)
            _end(target)


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
