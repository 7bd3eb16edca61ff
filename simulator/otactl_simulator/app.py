"""Serves the stand-in clouds as one ASGI app on one port.

1. A request belongs to the service its signature is scoped to; S3, IAM and STS go to moto in this process.
2. Signatures are not verified; the access key reports the account, as moto's STS and IAM know it.
3. Every answer carries the simulator's time in its Date header, as a service's answers do.
4. Faults hit before or after the handler; a dropped connection closes without an answer, so a client notices at once.
5. A request that is still delayed when everything is forgotten is dropped: the next world never sees it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from email.utils import format_datetime
from functools import partial
from urllib.parse import parse_qs

from otactl_simulator import control, presigned
from otactl_simulator.asgi import Dropped, Receive, Scope, Send, drop, lifespan, whole_body
from otactl_simulator.aws_backed import account_of, moto_answer, operation_of, reset_moto
from otactl_simulator.faults import Rule
from otactl_simulator.iam import authorization
from otactl_simulator.quotas import held
from otactl_simulator.service import ModelledError, Request
from otactl_simulator.tuya.wire import Asked, asked
from otactl_simulator.wire.models import Match, match, server_error, signing_names, throttled, unrouted
from otactl_simulator.wire.parse import MalformedError, parse
from otactl_simulator.wire.redact import redacted
from otactl_simulator.wire.serialise import Response, bad_request, refuse, serialise
from otactl_simulator.wire.validate import problems
from otactl_simulator.world import World

_SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


class Application:
    """One simulator."""

    def __init__(self, world: World, fresh: Callable[[World], None]) -> None:
        self.world = world
        self._fresh = fresh
        self._resets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        body = await whole_body(receive)
        try:
            await self._serve(scope, body, send)
        except Dropped:
            await drop(receive, send)

    async def _serve(self, scope: Scope, body: bytes, send: Send) -> None:
        raw_path = scope["raw_path"].partition(b"?")[0].decode()
        if raw_path.startswith(control.PREFIX):
            client = scope.get("client") or ("", 0)
            if client[0] not in control.LOOPBACK:
                await self._answer(send, (403, {}, b"loopback only"))
                return
            await self._answer(send, control.answer(self.world, scope["method"], raw_path, body, self.reset))
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        called = asked(scope["method"], scope["query_string"], headers, body)
        if called is not None:
            await self._answer(send, await self._tuya(called))
            return
        key, region, signed_for = _credential(headers, query)
        service = signing_names().get(signed_for)
        if service is None:
            # A sign-in by web identity is not signed: there is no key yet.
            unsigned = "sts" if b"Action=AssumeRoleWithWebIdentity" in body else "s3"
            await self._pass_on(scope, body, signed_for or unsigned, send, headers, key, region)
            return
        response = await self._aws(service, scope["method"], raw_path, query, headers, body, key, region)
        await self._answer(send, response)

    async def _aws(
        self,
        service: str,
        method: str,
        raw_path: str,
        query: dict[str, list[str]],
        headers: dict[str, str],
        body: bytes,
        key: str,
        region: str,
    ) -> Response:
        world = self.world
        world.advance()
        target = headers.get("x-amz-target", "")
        found = match(service, method, raw_path, target)
        if found is None:
            error = unrouted(service, method, raw_path, target)
            response = refuse(service, None, error)
            world.log(service, "?", {}, response[0], error.code, None)
            return response
        name = found.operation.name
        rule = world.faults.hit(service, name)
        await self._before(rule, service, name)
        parameters: dict[str, object] = {}
        try:
            account = account_of(key)
            self._admit(rule, found, account, region)
            parameters = _parameters(found, query, headers, body)
            if world.enforce_callers:
                authorization.modelled(
                    key, account, region, partial(world.needs_of, service, name, parameters, account, region)
                )
            answer = self._handle(found, parameters, account, region, rule, headers.get("host", ""))
            response, error_code = serialise(found.operation, answer), None
        except ModelledError as error:
            response, error_code = refuse(service, found.operation, error), error.code
        shown = redacted(found.operation.input_shape, parameters)
        if rule is not None and rule.effect == "timeoutAfterCommit":
            world.log(service, name, shown, 0, error_code, rule.effect)
            raise Dropped
        world.log(service, name, shown, response[0], error_code, rule.effect if rule else None)
        return response

    async def _tuya(self, called: Asked) -> Response:
        """Tuya's gateway: a door of its own, the same faults and the same log."""
        world = self.world
        world.advance()
        rule = world.faults.hit("tuya", called.action)
        effect = rule.effect if rule is not None else ""
        await self._before(rule, "tuya", called.action)
        if rule is not None and effect == "late":
            world.log("tuya", called.action, called.parameters_to_show, 0, None, effect)
            world.tuya.later(rule.seconds, partial(self._tuya_answer, called, "lateArrival"))
            raise Dropped
        response = self._tuya_answer(called, effect)
        if effect == "timeoutAfterCommit":
            raise Dropped
        return response

    def _tuya_answer(self, called: Asked, effect: str) -> Response:
        response, code = self.world.tuya.answer(called, effect)
        status = 0 if effect in ("timeoutAfterCommit", "lateArrival") else response[0]
        self.world.log("tuya", called.action, called.parameters_to_show, status, code, effect or None)
        return response

    async def _before(self, rule: Rule | None, service: str, name: str) -> None:
        if rule is None:
            return
        if rule.effect == "delay":
            resets = self._resets
            await asyncio.sleep(rule.seconds)
            if self._resets != resets:
                raise Dropped
        if rule.effect == "timeoutBeforeCommit":
            self.world.log(service, name, {}, 0, None, rule.effect)
            raise Dropped

    def _admit(self, rule: Rule | None, found: Match, account: str, region: str) -> None:
        """Refuse by fault or by quota, in the service's own error."""
        effect = rule.effect if rule is not None else ""
        if effect == "error500":
            raise ModelledError(server_error(found.operation), "an error that the simulator was asked to return")
        limited = held(found.service, found.operation.name) and not self.world.quotas.admits(
            account, region, found.service, found.operation.name
        )
        if effect == "throttle" or limited:
            raise ModelledError(throttled(found.operation), "Rate exceeded")

    def _handle(
        self, found: Match, parameters: dict[str, object], account: str, region: str, rule: Rule | None, host: str
    ) -> dict[str, object]:
        service = self.world.services.get(found.service)
        handler = service.handlers.get(found.operation.name) if service is not None else None
        if handler is None:
            text = f"the simulator does not implement {found.service}:{found.operation.name}"
            raise ModelledError(bad_request(found.operation), text)
        stale = rule is not None and rule.effect == "staleRead"
        return handler(Request(found.service, found.operation.name, parameters, account, region, stale, host))

    async def _pass_on(
        self, scope: Scope, body: bytes, service: str, send: Send, headers: dict[str, str], key: str, region: str
    ) -> None:
        """S3, IAM and STS by moto, under the same faults and in the same log."""
        name = operation_of(service, scope["method"], scope["path"], scope["query_string"].decode(), body)
        rule = self.world.faults.hit(service, name)
        await self._before(rule, service, name)
        if rule is not None and rule.effect in ("throttle", "error500"):
            code, status = ("SlowDown", 503) if rule.effect == "throttle" else ("InternalError", 500)
            self.world.log(service, name, {}, status, code, rule.effect)
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>{rule.effect}</Message></Error></ErrorResponse>"
            if service == "s3":
                text = f"<Error><Code>{code}</Code><Message>{rule.effect}</Message></Error>"
            await self._answer(send, (status, {"content-type": "text/xml"}, text.encode()))
            return
        early = authorization.answered(service, name, body)
        if service == "s3":
            raw, asked_for = scope["raw_path"].partition(b"?")[0].decode(), scope["query_string"].decode()
            early = presigned.refused(scope["method"], raw, asked_for, headers, key, self.world.clock.now())
        if self.world.enforce_callers and (service != "s3" or early is None):
            query = scope["query_string"].decode()
            early = authorization.passed_on(service, name, scope["path"], query, headers, body, key, region) or early
        if early is not None:
            self.world.log(service, name, {}, early[0], None, None)
            await self._answer(send, early)
            return
        answer = moto_answer(service, scope, body)
        dropped = rule is not None and rule.effect == "timeoutAfterCommit"
        self.world.log(service, name, {}, 0 if dropped else answer[0], None, rule.effect if rule else None)
        if dropped:
            raise Dropped
        await self._answer(send, answer)

    async def _answer(self, send: Send, response: Response) -> None:
        status, headers, body = response
        date = format_datetime(self.world.clock.now(), usegmt=True)
        wire = {"x-amzn-requestid": f"sim-{len(self.world.requests)}", **headers, "date": date}
        if status != 204:
            wire.setdefault("content-length", str(len(body)))  # a HEAD declares the length of the body it omits
        pairs = [(k.encode(), v.encode("latin-1")) for k, v in wire.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if status == 204 else body})

    def reset(self) -> None:
        """Forget everything; the clock is back to where it started."""
        self._resets += 1
        reset_moto()
        self._fresh(self.world)


def _parameters(found: Match, query: dict[str, list[str]], headers: dict[str, str], body: bytes) -> dict[str, object]:
    operation = found.operation
    try:
        parameters = parse(found, query, headers, body)
    except MalformedError as error:
        raise ModelledError(bad_request(operation), str(error)) from error
    wrong = list(problems(operation.input_shape, parameters))
    if wrong:
        raise ModelledError(bad_request(operation), "; ".join(wrong))
    return parameters


def _credential(headers: dict[str, str], query: dict[str, list[str]]) -> tuple[str, str, str]:
    """Return the access key, Region and service a request is signed for; empty when it is not signed."""
    presigned = query.get("X-Amz-Credential", [""])[0]
    text = headers.get("authorization", "") or (f"Credential={presigned}" if presigned else "")
    found = _SCOPE.search(text)
    return (found.group(1), found.group(2), found.group(3)) if found else ("", "us-east-1", "")
