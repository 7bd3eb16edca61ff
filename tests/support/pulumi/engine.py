"""A small Pulumi engine: the SDK's own gRPC service, so that the unmodified program runs in a process of its own.

1. It registers, and refuses a URN given twice; it does no diff, update, delete or replace: those are the real engine's.
2. In a preview nothing is applied, and what only the provider would know is unknown to the program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from tests.support.paths import ROOT

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # pulumi.runtime.rpc: how the wire says "not known yet"
Apply = Callable[[str, Mapping[str, Any]], tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Registration:
    """One resource as the program registered it."""

    type: str
    name: str
    parent: str
    inputs: Mapping[str, Any]
    protect: bool
    dependencies: tuple[str, ...]
    custom: bool


@dataclass
class Result:
    """What a run of the program gave."""

    exit_code: int
    output: str
    resources: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)

    def of(self, kind: str) -> list[Registration]:
        """The resources of a type whose token ends so (`iam/role:Role`)."""
        return [r for r in self.resources if r.type.endswith(kind)]


class _Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    def __init__(self, project: str, stack: str, apply: Apply | None) -> None:
        self._at, self._apply, self._lock = (project, stack), apply, Lock()
        self.found: dict[str, Registration] = {}
        self.outputs: dict[str, Any] = {}

    def GetDeploymentInfo(self, request, context):  # noqa: N802
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "the SDK falls back to SupportsFeature")

    def SupportsFeature(self, request, context):  # noqa: N802 - gRPC's names
        return resource_pb2.SupportsFeatureResponse(
            hasSupport=request.id in ("secrets", "outputValues", "resourceReferences")
        )

    def RegisterResource(self, request, context):  # noqa: N802
        urn = f"urn:pulumi:{self._at[1]}::{self._at[0]}::{request.type}::{request.name}"
        inputs = json_format.MessageToDict(request.object)
        made = Registration(
            request.type,
            request.name,
            request.parent,
            inputs,
            bool(request.protect),
            tuple(request.dependencies),
            request.custom,
        )
        with self._lock:
            if urn in self.found:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, f"duplicate resource URN {urn}")
            self.found[urn] = made
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if self._apply is None:
            return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)
        try:
            identifier, outputs = self._apply(request.type, inputs)
        except Exception as error:  # noqa: BLE001 - any failure of the apply is the resource's
            context.abort(grpc.StatusCode.INTERNAL, f"{urn}: {error}")
        shown = struct_pb2.Struct()
        json_format.ParseDict({**inputs, **outputs}, shown)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=shown)

    def RegisterResourceOutputs(self, request, context):  # noqa: N802
        if "pulumi:pulumi:Stack" in request.urn:
            self.outputs |= json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request, context):  # noqa: N802
        return empty_pb2.Empty()


class _Engine(engine_pb2_grpc.EngineServicer):
    def __init__(self) -> None:
        self.root, self.logs = "", list[str]()

    def Log(self, request, context):  # noqa: N802
        if request.severity >= engine_pb2.WARNING:
            self.logs.append(request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, request, context):  # noqa: N802
        return engine_pb2.GetRootResourceResponse(urn=self.root)

    def SetRootResource(self, request, context):  # noqa: N802
        self.root = request.urn
        return engine_pb2.SetRootResourceResponse()


def run(
    config: Mapping[str, Any], *, stack: str = "prod-eu", apply: Apply | None = None, program: Path = ROOT / "infra"
) -> Result:
    """Run the program to its end: applied with `apply`, previewed without."""
    monitor, engine = _Monitor("otactl", stack, apply), _Engine()
    server = grpc.server(ThreadPoolExecutor(16))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        plain = {k: v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
        env = {**os.environ, "PULUMI_CONFIG": json.dumps(plain), "PULUMI_PYTHON_CMD": sys.executable}
        here = f"127.0.0.1:{port}"
        words = [here, here, "otactl", stack, "true" if apply is None else "false", str(program)]
        command = [sys.executable, "-W", "ignore::DeprecationWarning", str(Path(__file__).parent / "launch.py"), *words]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    finally:
        server.stop(None)
    resources = [r for r in monitor.found.values() if r.type != "pulumi:pulumi:Stack"]
    output = "\n".join([ran.stdout + ran.stderr, *engine.logs])
    return Result(ran.returncode, output, resources, monitor.outputs, engine.logs)
