"""Plays `pulumi-resource-aws` for the real Pulumi CLI: the SDK's provider service over boto3 against the simulator.

1. Exactly the resource types of the program, checked against the types of the installed pulumi_aws.
2. It goes where AWS_ENDPOINT_URL points, which must be loopback, and refuses an account that is not allowed.
3. OTACTL_STANDIN_HOLD (`TYPE before` or `TYPE after`) lets a create wait for the reader of OTACTL_STANDIN_PIPE: a test
   kills the CLI there, before the service was asked or after it answered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.support.pulumi.plugin_process import serve
from tests.support.pulumi.provider.changes import changes, kept_texts
from tests.support.pulumi.provider.cloud import Cloud, Properties
from tests.support.pulumi.provider.documents import normalised
from tests.support.pulumi.provider.kind import Kind
from tests.support.pulumi.provider.kinds import KINDS
from tests.support.pulumi.provider.schema import failures

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # pulumi.runtime.rpc: how the wire says "not known yet"
SECRET = "4dabf18193072939515e22adb298388d"  # the same: what marks a value that is wrapped
PROVIDER = "pulumi:providers:aws"
OF_THE_ENGINE = {"version", "pluginDownloadURL", "__internal"}  # what the engine itself keeps with a provider


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The provider."""

    def __init__(self, schemas: dict[str, Any], folder: Path) -> None:
        self._schemas, self._folder = schemas, folder
        self._cloud: Cloud | None = None

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's names
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=version("pulumi_aws"))

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse unknown keys, and an endpoint that is not loopback."""
        given = {k: v for k, v in plain(request.news).items() if k not in OF_THE_ENGINE}
        found = failures(self._schemas[PROVIDER], given)
        if urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname != "127.0.0.1":
            found.append(("region", "this stand-in works on loopback only; set AWS_ENDPOINT_URL to the simulator"))
        refusals = [provider_pb2.CheckFailure(property=p, reason=r) for p, r in found]
        return provider_pb2.CheckResponse(inputs=request.news, failures=refusals)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Every change of the configuration is one of the provider alone; its Region replaces what it made."""
        olds, news = plain(request.olds), plain(request.news)
        names = {*olds, *news} - OF_THE_ENGINE
        changed = sorted(k for k in names if olds.get(k) != news.get(k))
        kinds = provider_pb2.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            diffs=changed,
            replaces=[k for k in changed if k == "region"],
        )

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take region, allowed accounts and default tags; a list or an object comes as JSON."""
        given = {k: decoded(v) for k, v in plain(request.args).items()}
        tags = (given.get("defaultTags") or {}).get("tags", {})
        self._cloud = Cloud(region=str(given.get("region")), folder=self._folder, tags=tags)
        allowed = given.get("allowedAccountIds")
        try:
            account = self._cloud.account if allowed else ""
        except (BotoCoreError, ClientError) as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, f"retrieving the AWS account of the credentials: {error}")
        if allowed and account not in allowed:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"AWS account ID not allowed: {account}")
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse unknown and missing properties, and documents that are no JSON."""
        token, given = token_of(request.urn), plain(request.news)
        if token not in KINDS:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the stand-in has no type {token}")
        found = failures(self._schemas[token], given)
        for name in KINDS[token].documents:
            if isinstance(given.get(name), str) and given[name] != UNKNOWN:
                try:
                    normalised(given[name])
                except ValueError as error:
                    found.append((name, f"contains an invalid JSON policy: {error}"))
        refusals = [provider_pb2.CheckFailure(property=p, reason=r) for p, r in found]
        return provider_pb2.CheckResponse(inputs=request.news, failures=refusals)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say what differs, and what of it replaces the resource."""
        kind, cloud = self._of(request.urn)
        found = changes(kind, plain(request.olds), plain(request.old_inputs), plain(request.news), cloud.tags)
        ignored, kinds_of = set(request.ignoreChanges), provider_pb2.PropertyDiff
        detail = {
            n: provider_pb2.PropertyDiff(
                kind=kinds_of.UPDATE_REPLACE if n in found.replacing else kinds_of.UPDATE, inputDiff=n != "tagsAll"
            )
            for n in found.changed
            if n not in ignored
        }
        kinds = provider_pb2.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if detail else kinds.DIFF_NONE,
            diffs=list(detail),
            replaces=list(found.replacing),
            deleteBeforeReplace=found.delete_first,
            detailedDiff=detail,
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Create a resource; in a preview what only the service knows is unknown."""
        kind, cloud = self._of(request.urn)
        given = plain(request.properties)
        if request.preview:
            shown = {**given, **dict.fromkeys(kind.computed, UNKNOWN)}
            return provider_pb2.CreateResponse(properties=wire(shown))
        hold(f"{token_of(request.urn)} before")
        with reported(context, request.urn):
            identifier = kind.create(cloud, given)
            hold(f"{token_of(request.urn)} after")
            shown = kept_texts(kind, kind.read(cloud, identifier) or {}, given)
        return provider_pb2.CreateResponse(id=identifier, properties=wire(shown))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Read a resource for `refresh` and `import`; the answer for one that does not exist has no id."""
        kind, cloud = self._of(request.urn)
        before, asked = plain(request.properties), plain(request.inputs)
        with reported(context, request.urn):
            shown = kind.read(cloud, request.id)
        if shown is None:
            return provider_pb2.ReadResponse()
        state = kept_texts(kind, shown, before)
        takes = self._schemas[token_of(request.urn)]["properties"]
        names = [n for n in asked if n in takes] if asked else [n for n in state if n in takes and n != "region"]
        inputs = {n: state[n] for n in names if state.get(n) not in (None, {})}
        return provider_pb2.ReadResponse(id=request.id, properties=wire(state), inputs=wire(inputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource in place."""
        kind, cloud = self._of(request.urn)
        olds, news = plain(request.olds), plain(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=wire({**olds, **news}))
        with reported(context, request.urn):
            kind.update(cloud, request.id, olds, news)
            shown = kept_texts(kind, kind.read(cloud, request.id) or {}, news)
        return provider_pb2.UpdateResponse(properties=wire(shown))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource."""
        kind, cloud = self._of(request.urn)
        with reported(context, request.urn):
            kind.delete(cloud, request.id, plain(request.properties))
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Refuse: everything that the program needs is in its settings."""
        context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the program asks AWS for {request.tok}")

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def _of(self, urn: str) -> tuple[Kind, Cloud]:
        assert self._cloud is not None, "the CLI configures a provider before it uses it"
        return KINDS[token_of(urn)], self._cloud


@contextmanager
def reported(context: Any, urn: str) -> Iterator[None]:
    """Report an error of AWS as the resource's, with its code."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        context.abort(grpc.StatusCode.UNKNOWN, f"{urn.rsplit('::', 1)[-1]}: {error}")


def hold(place: str) -> None:
    """Wait at a place for the test that asked for it; it kills the CLI, and this process with it."""
    if os.environ.get("OTACTL_STANDIN_HOLD") == place:
        with Path(os.environ["OTACTL_STANDIN_PIPE"]).open("w") as pipe:
            pipe.write(place)
        with Path(os.environ["OTACTL_STANDIN_PIPE"]).open() as pipe:
            pipe.read()


def token_of(urn: str) -> str:
    """Return the type in a URN, without the types of its parents."""
    return urn.split("::")[2].split("$")[-1]


def plain(given: struct_pb2.Struct) -> Properties:
    """Return properties as plain values; a secret is its value."""
    found: Properties = _plain(json_format.MessageToDict(given))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain(value["value"]) if SECRET in value else {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def wire(given: Properties) -> struct_pb2.Struct:
    """Return plain values as properties."""
    return json_format.ParseDict({k: v for k, v in given.items() if v is not None}, struct_pb2.Struct())


def decoded(value: Any) -> Any:
    """Return what a text of JSON means: Pulumi hands objects and lists of a provider's configuration over so."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value


def main() -> None:
    """Serve the CLI."""
    schemas = json.loads(Path(os.environ["OTACTL_STANDIN_SCHEMAS"]).read_text())
    provider = Provider(schemas, Path(os.environ["OTACTL_STANDIN_RECORDED"]))
    serve(lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server))


if __name__ == "__main__":
    main()
