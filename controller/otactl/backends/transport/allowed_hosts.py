"""Lists which hosts a manifest may have requests sent to: the vendor's own, this machine, those the operator allows.

1. A manifest is not trusted: who may edit one must not choose where a request that is signed with our credentials goes.
2. The operator's word is `OTACTL_ALLOWED_HOSTS` in the process's environment: hosts, or `host:port`, with commas.
3. AWS lends names under its own domain to anybody (buckets, load balancers, gateways), so the domain alone says
   nothing: the name must be that of the service's own endpoint, or of a VPC endpoint for it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from otactl.aws_sdk.regions import suffixes
from otactl.errors import StalledError

ALLOWED = "OTACTL_ALLOWED_HOSTS"
TUYA_DOMAINS = ("tuyacloud.com", "tuyacn.com", "tuyaeu.com", "tuyaus.com", "tuyain.com", "tuya.com", "tuya-inc.com")
_REGION = r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}"
_NAMES = {
    "iot": r"iot",
    "iot-data": r"iot",
    "iot-jobs-data": r"(jobs\.)?iot",
    "s3": r"s3",
    "iam": r"iam",
    "sts": r"sts",
    "iotwireless": r"iotwireless",
    "secretsmanager": r"secretsmanager",
}
_BEFORE = {
    "iotwireless": r"(api\.)?",
    "iot-data": r"((data|data-ats|[a-z0-9]{8,20}(-ats)?)\.)?",
    "iot-jobs-data": r"((data|data-ats|[a-z0-9]{8,20}(-ats)?)\.)?",
}


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def must_be_tuyas(parts: SplitResult, environ: Mapping[str, str]) -> None:
    """Raise StalledError unless the gateway's host is Tuya's own, this machine, or allowed."""
    host = (parts.hostname or "").rstrip(".")
    own = any(host == domain or host.endswith(f".{domain}") for domain in TUYA_DOMAINS)
    if not own and not is_loopback(host) and not _is_allowed(parts, environ):
        raise _refused("spec.tuya.endpoint", parts, "Tuya's own")


def must_be_aws(service: str, endpoint: str | None, environ: Mapping[str, str]) -> None:
    """Raise StalledError unless an endpoint of a manifest is the service's own, this machine, or allowed."""
    if endpoint is None:
        return
    parts = _address(endpoint, f"spec.endpoints.{service}")
    host = (parts.hostname or "").rstrip(".")
    if is_loopback(host) or _is_allowed(parts, environ):
        return
    if not is_aws(service, host):
        raise _refused(f"spec.endpoints.{service}", parts, f"an endpoint of AWS for {service}")
    if parts.scheme != "https":
        text = f"spec.endpoints.{service}: {host} must be https, or be named in {ALLOWED}"
        raise StalledError("HostNotAllowed", text)


def must_be_named(field: str, url: str, environ: Mapping[str, str]) -> None:
    """Raise StalledError unless the operator names the host of a URL, with its port unless that is the scheme's own.

    This machine must be named too: what listens only here is not for a manifest to reach.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise StalledError("HostNotAllowed", f"{field} is no address; write https://HOST/PATH") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise StalledError("HostNotAllowed", f"{field}: {host} must be https; what is sent can be read on the way else")
    plain_port = port == (443 if parts.scheme == "https" else 80)
    name = f"[{host}]" if ":" in host else host
    wanted = {f"{name}:{port}", *((host, name) if plain_port else ())}
    if not _named(environ) & wanted:
        shown = name if plain_port else f"{name}:{port}"
        text = f"{field}: {shown} is not in {ALLOWED}, and a manifest may not choose where otactl sends"
        raise StalledError("HostNotAllowed", f"{text}; correct it, or add {shown} to {ALLOWED} where otactl runs")


def is_aws(service: str, host: str) -> bool:
    """Return whether a host's name is one of AWS's own for a service (rule 3)."""
    name = _NAMES.get(service, re.escape(service))
    ends = "|".join(re.escape(suffix) for suffix in suffixes())
    joined = r"[.-]" if service == "s3" else r"\."
    own = rf"{_BEFORE.get(service, '')}{name}(-fips)?(\.dualstack)?({joined}{_REGION})?\.({ends})"
    private = rf"([a-z0-9-]+\.)+{name}(-fips)?\.{_REGION}\.vpce\.({ends})"
    return re.fullmatch(rf"({own})|({private})", host) is not None


def _address(endpoint: str, field: str) -> SplitResult:
    """Return an address taken apart; its port is asked for here, because one out of range is reported only then."""
    try:
        parts = urlsplit(endpoint)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole:
        text = f"{field}: {endpoint} is no address; write https://HOST, or https://HOST:PORT with a port up to 65535"
        raise StalledError("EndpointInvalid", text)
    return parts


def _named(environ: Mapping[str, str]) -> set[str]:
    return {each.strip().lower().rstrip(".") for each in environ.get(ALLOWED, "").split(",")} - {""}


def _is_allowed(parts: SplitResult, environ: Mapping[str, str]) -> bool:
    named = _named(environ)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return bool(named & {host, f"{host}:{port}", f"[{host}]:{port}"})


def _refused(field: str, parts: SplitResult, whose: str) -> StalledError:
    text = f"{field}: {parts.hostname} is not {whose}, and a manifest may not choose where signed requests go"
    return StalledError("HostNotAllowed", f"{text}; correct it, or set {ALLOWED}={parts.hostname} where otactl runs")
