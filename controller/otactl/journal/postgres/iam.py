"""Asks AWS for the password of a database user that signs in by IAM (`?auth=iam`): a token for one host, 15 minutes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from otactl.errors import StalledError, UsageError

_HOST = re.compile(r"[A-Za-z0-9.-]+\.([a-z0-9-]+)\.rds\.amazonaws\.com(\.cn)?")


def token(known: Mapping[str, str]) -> str:
    """Return a token for the host, port and user of a connection.

    Raises: UsageError where one of them is not named, StalledError where AWS gives no credentials.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    host, user = known.get("host", ""), known.get("user", "")
    if not host or "," in host or not user:
        raise UsageError(
            "a journal with auth=iam needs one host and the name of the database user: "
            "postgresql://USER@HOST/DATABASE?auth=iam"
        )
    found = _HOST.fullmatch(host)
    try:
        client = boto3.client("rds", region_name=found[1] if found is not None else None)
        signed = client.generate_db_auth_token(DBHostname=host, Port=int(known.get("port", "5432")), DBUsername=user)
    except (BotoCoreError, ClientError) as error:
        text = f"no credentials of AWS sign the token for the journal's database ({type(error).__name__})"
        raise StalledError("JournalAccessDenied", f"{text}; set them, and AWS_REGION, where otactl runs") from error
    return str(signed)
