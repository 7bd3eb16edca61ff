"""Runs Python programs for the Pulumi CLI: the service of `pulumi-language-python`, whose Go module is not served.

1. The program runs in a process of its own, by the interpreter of `runtime.options.virtualenv`, as the CLI's host does.
2. Only what `preview`, `up`, `refresh` and `destroy` ask for is answered; anything else is UNIMPLEMENTED.
3. Exit code 32 means that the program reported its error itself; any other but 0 is reported by the host.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Lock

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.support.pulumi.plugin_process import serve

LAUNCHER = str(Path(__file__).parent / "launch.py")
REPORTED_ITSELF = 32


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The language runtime of Python."""

    def __init__(self, engine: str) -> None:
        self._engine, self._running, self._lock = engine, list[subprocess.Popen[bytes]](), Lock()

    def Handshake(self, request, context):  # noqa: N802 - gRPC's names
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):  # noqa: N802
        return plugin_pb2.PluginInfo(version="0.0.0")

    def GetRequiredPackages(self, request, context):  # noqa: N802
        """Name the packages of the interpreter that ask for a provider: each says so in its pulumi-plugin.json."""
        site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
        folder = Path(interpreter(request.info)).parent.parent / site
        found = []
        for file in sorted(folder.glob("*/pulumi-plugin.json")):
            said = json.loads(file.read_text())
            if said.get("resource"):
                name, version = said["name"], f"v{said['version']}"
                found.append(plugin_pb2.PackageDependency(name=name, kind="resource", version=version))
        return language_pb2.GetRequiredPackagesResponse(packages=found)

    def GetProgramDependencies(self, request, context):  # noqa: N802
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request, context):  # noqa: N802
        yield language_pb2.InstallDependenciesResponse(stdout=b"the environment is the project's own\n")

    def About(self, request, context):  # noqa: N802
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Run(self, request, context):  # noqa: N802
        """Run the program to its end."""
        info = request.info
        command = [interpreter(info), "-u", "-W", "ignore::DeprecationWarning", LAUNCHER]
        command += [request.monitor_address, self._engine, request.project, request.stack]
        command += ["true" if request.dryRun else "false", str(Path(info.program_directory, info.entry_point))]
        env = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_ORGANIZATION": request.organization or "organization",
        }
        with self._lock:
            program = subprocess.Popen(command, cwd=request.pwd or None, env=env, stdin=subprocess.DEVNULL)
            self._running.append(program)
        code = program.wait()
        if code == REPORTED_ITSELF:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}" if code else "")

    def Cancel(self, request, context):  # noqa: N802
        self.end()
        return empty_pb2.Empty()

    def end(self) -> None:
        """End the programs that run."""
        with self._lock:
            for program in self._running:
                program.kill()


def interpreter(info: language_pb2.ProgramInfo) -> str:
    """Return the interpreter of the project's virtual environment, or this one where it names none."""
    named = json_format.MessageToDict(info.options).get("virtualenv")
    return str(Path(info.root_directory, named, "bin/python")) if named else sys.executable


def main() -> None:
    """Serve the CLI whose engine is at the last argument."""
    host = LanguageHost(sys.argv[-1])

    def add(server: grpc.Server) -> None:
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)

    serve(add, host.end)


if __name__ == "__main__":
    main()
