"""Runs the unmodified Pulumi program as its language host does.

`launch.py MONITOR ENGINE PROJECT STACK DRY_RUN PROGRAM`. The configuration is in PULUMI_CONFIG, as the host sets it.
Exit code 32: the error was reported to the engine.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
import traceback

import grpc
import pulumi

monitor, engine, project, stack, dry_run, program = sys.argv[1:7]
pulumi.runtime.configure(
    pulumi.runtime.Settings(
        project=project,
        stack=stack,
        monitor=monitor,
        engine=engine,
        parallel=int(os.environ.get("PULUMI_PARALLEL") or 16),
        dry_run=dry_run == "true",
        organization=os.environ.get("PULUMI_ORGANIZATION", "organization"),
    )
)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def run_program() -> None:
    runpy.run_path(program, run_name="__main__")


def failure() -> str:
    """Run to the end; return what to report, empty for success or where the engine itself has ended."""
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run_program))
    except pulumi.RunError as error:
        return str(error)
    except grpc.RpcError as error:
        return "" if error.code() == grpc.StatusCode.UNAVAILABLE else f"RPC error: {error.details()}"
    except Exception:  # noqa: BLE001 - whatever a program raises is reported
        return f"Program failed with an unhandled exception:\n{traceback.format_exc()}"
    return ""


if reason := failure():
    pulumi.log.error(reason)
    raise SystemExit(32)
