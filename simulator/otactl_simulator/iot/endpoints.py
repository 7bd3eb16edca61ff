"""Serves the endpoints where a device finds AWS IoT, and what it publishes there.

1. DescribeEndpoint names the host the call came to, for every type: there is one door here. The service's answer is
   a host of the account's own.
2. Publish is taken and reaches no one: there is no broker here.
3. No job template can be created here, so ListJobTemplates shows none.
"""

from __future__ import annotations

from collections.abc import Mapping

from otactl_simulator.service import Handler, Request


def handlers() -> Mapping[str, Handler]:
    """Operation name to handler, of the control plane."""
    return {"DescribeEndpoint": _endpoint, "ListJobTemplates": _templates}


def data_handlers() -> Mapping[str, Handler]:
    """Operation name to handler, of the data plane."""
    return {"Publish": _publish}


def _endpoint(request: Request) -> dict[str, object]:
    return {"endpointAddress": request.host}


def _templates(_request: Request) -> dict[str, object]:
    return {"jobTemplates": []}


def _publish(_request: Request) -> dict[str, object]:
    return {}
