"""Serves the simulator on a loopback port: in a thread for tests and the demo, in the foreground for people."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import uvicorn

from otactl_simulator.app import Application
from otactl_simulator.aws_backed import reset_moto
from otactl_simulator.clock import Clock
from otactl_simulator.world import World, build_world

HOST = "127.0.0.1"
GRACE_SECONDS = 3
KEEP_ALIVE_SECONDS = 300  # longer than a client pauses between two calls, which would else meet a closing connection
PAUSE_SECONDS = 0.002


def application(seed: int = 0, clock: Clock | None = None) -> Application:
    """Return a fresh, empty simulator."""
    reset_moto()
    first = build_world(clock or Clock(), seed)

    def fresh(world: World) -> None:
        world.clock.reset()
        again = build_world(world.clock, world.seed)
        world.services = again.services
        world.faults, world.quotas, world.requests = again.faults, again.quotas, again.requests
        world.enforce_callers = again.enforce_callers

    return Application(first, fresh)


def _config(app: Application, sock_port: int = 0) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=HOST,
        port=sock_port,
        log_config=None,  # the logging of the process it is in is not the simulator's to set up
        log_level="error",
        lifespan="off",
        date_header=False,  # the Date of an answer is the simulated one
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ws="none",
    )


class _Server(uvicorn.Server):
    """Stops as soon as it is asked to: uvicorn's own server checks every tenth of a second, and waits another.

    A thousand tests start one each.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    async def main_loop(self) -> None:
        """Serve until asked to stop."""
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._stopping.wait()

    def end(self) -> None:
        """Ask the server to end, from another thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what listens, let what is answered be answered, for as long as uvicorn would."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        until = loop.time() + GRACE_SECONDS
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < until:
            await asyncio.sleep(PAUSE_SECONDS)
        for task in list(self.server_state.tasks):
            task.cancel()


class SimulatorServer:
    """A simulator in a thread of this process; a context manager that stops it."""

    def __init__(
        self,
        port: int = 0,
        seed: int = 0,
        clock: Clock | None = None,
        *,
        app: Application | None = None,
        listening: socket.socket | None = None,
    ) -> None:
        """Serve a fresh simulator, or `app`, on a port, or on a socket that listens already, which it closes."""
        self.app = app or application(seed, clock)
        self._socket = listening or listen(port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._server = _Server(_config(self.app))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    @property
    def world(self) -> World:
        """Return what the simulator holds."""
        return self.app.world

    def __enter__(self) -> Self:
        self._thread.start()
        ready = threading.Event()
        while not self._server.started and self._thread.is_alive():
            ready.wait(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server and free its port."""
        self._server.end()
        self._thread.join(GRACE_SECONDS + 5)
        self._socket.close()


def listen(port: int) -> socket.socket:
    """Return a listening socket that says it is TCP: asyncio turns Nagle off only then, and 40 ms a call are saved."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    sock.listen(128)
    return sock


class _Foreground(uvicorn.Server):
    """Prepares the simulator once it answers, then says where it is."""

    def __init__(self, config: uvicorn.Config, url: str, prepare: Callable[[str], None]) -> None:
        super().__init__(config)
        self._url, self._prepare = url, prepare
        self.failed: Exception | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, prepare in a thread, since that calls this server, and print the address."""
        await super().startup(sockets)
        try:
            await asyncio.to_thread(self._prepare, self._url)
        except Exception as error:  # noqa: BLE001 - raised again by `serve`, once the server has ended
            self.failed = error
            self.should_exit = True
            return
        print(f"simulator at {self._url}; point boto3 at it with AWS_ENDPOINT_URL={self._url}", flush=True)


def serve(port: int, seed: int = 0, prepare: Callable[[str], None] = lambda _: None) -> None:
    """Serve in the foreground until SIGTERM or SIGINT, after `prepare` was called with the address.

    Raises: what `prepare` raises.
    """
    sock = listen(port)
    url = f"http://{HOST}:{sock.getsockname()[1]}"
    server = _Foreground(_config(application(seed), port), url, prepare)
    server.run(sockets=[sock])
    if server.failed is not None:
        raise server.failed
