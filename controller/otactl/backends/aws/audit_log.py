"""Looks up in CloudTrail who changed what a unit is of: the newest write that names it, before a drift was seen.

1. Only management events of the last 90 days are there, and one takes up to 15 minutes to appear.
2. Events are asked for by their source, newest first, a page of 50 at a time, two pages a second at most (the quota of
   LookupEvents in an account and Region), and `PAGES` pages at most for one drift.
3. The caller's own credentials count. A refusal is an answer of its own, and no failure of what asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

from otactl.errors import StalledError
from otactl.ports import AuditedChange

PERMISSION = "cloudtrail:LookupEvents"
PAGES = 4
_EVERY_SECONDS = 0.5
_BEFORE = timedelta(hours=24)


class CloudTrail:
    """The events of one Region; `client` and `sleep` replace boto3's own client and the wait between two pages."""

    def __init__(self, region: str, client: Any = None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client if client is not None else _client(region)
        self._sleep = sleep
        self._asked = False

    def last_change(self, source: str, ids: Collection[str], seen: datetime) -> AuditedChange | None:
        """Return the newest write that names one of `ids`, up to the moment a drift was seen; None if none is found.

        Raises: StalledError when CloudTrail refuses, throttles or does not answer.
        """
        given: dict[str, object] = {
            "LookupAttributes": [{"AttributeKey": "EventSource", "AttributeValue": source}],
            "StartTime": seen - _BEFORE,
            "EndTime": seen,
            "MaxResults": 50,
        }
        for _ in range(PAGES):
            answer = self._page(given)
            for event in answer.get("Events", ()):
                found = _change(event, ids)
                if found is not None:
                    return found
            if not answer.get("NextToken"):
                return None
            given["NextToken"] = answer["NextToken"]
        return None

    def _page(self, given: dict[str, object]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        if self._asked:
            self._sleep(_EVERY_SECONDS)
        self._asked = True
        try:
            answer: dict[str, Any] = self._client.lookup_events(**given)
        except ClientError as error:
            said = error.response.get("Error", {})
            code, words = str(said.get("Code", "")), " ".join(str(said.get("Message", "")).split()).rstrip(".")
            if code in ("AccessDeniedException", "AccessDenied"):
                text = f"{PERMISSION} was refused, so who made a change is not known; grant it to the caller"
                raise StalledError("PermissionDenied", text) from error
            raise StalledError("RequestRefused", f"CloudTrail did not answer ({code} {words}); run it again") from error
        except BotoCoreError as error:
            text = f"CloudTrail gave no answer ({type(error).__name__}); check credentials, Region and network"
            raise StalledError("RequestFailed", text) from error
        return answer


def _change(event: dict[str, Any], ids: Collection[str]) -> AuditedChange | None:
    """Return an event as a change if it is a write that names one of the ids and was not refused."""
    try:
        detail = json.loads(event.get("CloudTrailEvent", "{}"))
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(detail, dict) or detail.get("readOnly") or detail.get("errorCode"):
        return None
    named = json.dumps(detail.get("requestParameters"))
    if not any(each and each in named for each in ids):
        return None
    identity = detail.get("userIdentity")
    principal = identity.get("arn") if isinstance(identity, dict) else None
    name = str(principal or event.get("Username") or "unknown")
    return AuditedChange(at=event["EventTime"], principal=name, operation=str(event.get("EventName", "")))


def _client(region: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 3})
    return boto3.session.Session().client("cloudtrail", region_name=region, config=config)
