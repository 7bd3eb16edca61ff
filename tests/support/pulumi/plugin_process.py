"""Serves a Pulumi plugin as the CLI starts one: a port on stdout, calls over gRPC on loopback, an end with the CLI."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

# A policy and a schema are larger than gRPC's 4 MB; the CLI allows the same.
GRACE_SECONDS = 20  # a create that was sent is answered
LARGEST_MESSAGE = 400 * 1024 * 1024


def serve(add: Callable[[grpc.Server], None], at_end: Callable[[], None] = lambda: None) -> None:
    """Serve until the CLI's end of stdin closes, which it does however the CLI ends."""
    options = [("grpc.max_receive_message_length", LARGEST_MESSAGE), ("grpc.max_send_message_length", LARGEST_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(16), options=options)
    add(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGINT, lambda _signal, _frame: server.stop(GRACE_SECONDS))  # how the CLI ends its plugins
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()

    def watch() -> None:
        while os.read(0, 4096):
            continue
        at_end()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    server.wait_for_termination()
