"""Runs the unmodified Pulumi program as its language host does: `launch.py ADDRESS PROJECT STACK DRY_RUN PROGRAM`.

The configuration stands in PULUMI_CONFIG, as the host sets it.
"""

from __future__ import annotations

import asyncio
import runpy
import sys

import pulumi

address, project, stack, dry_run, program = sys.argv[1:6]
pulumi.runtime.configure(
    pulumi.runtime.Settings(
        project=project, stack=stack, monitor=address, engine=address, parallel=16, dry_run=dry_run == "true"
    )
)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def run_program() -> None:
    runpy.run_path(program, run_name="__main__")


loop.run_until_complete(pulumi.runtime.run_in_stack(run_program))
