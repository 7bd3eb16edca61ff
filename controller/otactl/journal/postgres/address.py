"""Reads `postgresql://[USER@][HOST[:PORT]]/DATABASE[?journal=KEY&service=NAME&…]`.

1. A password is never part of an address, which is shown, logged and committed: it comes from PGPASSWORD, PGPASSFILE,
   a service file, or IAM.
2. A manifest chooses a database, a journal in it, a user and a service of the operator's service file. It chooses no
   host, no port, no file and nothing of TLS: what it names would be sent the operator's password. The host is the
   operator's (`OTACTL_JOURNAL`, `--journal`, PGHOST, service file), or is named in `OTACTL_ALLOWED_HOSTS` with its port
   unless that is 5432.
3. Several journals share a database; `journal` tells them apart, `default` where it is omitted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode

from otactl.errors import StalledError, UsageError

FORM = "postgresql://[USER@]HOST[:PORT]/DATABASE, or postgresql:///DATABASE?service=NAME"
SCHEMES = ("postgresql://", "postgres://")
PORT = 5432
KEY = "default"
_ALLOWED = "OTACTL_ALLOWED_HOSTS"
_OF_A_MANIFEST = ("journal", "service")
_OF_THE_OPERATOR = (
    *_OF_A_MANIFEST,
    "auth",
    "channel_binding",
    "host",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
    "user",
)
_SECRETS = ("password", "passfile", "sslpassword", "oauth_client_secret")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,62}")
_AUTHORITY = re.compile(r"(?:(?P<user>[^@/]*)@)?(?P<hosts>[^@/]*)")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?")


class Address(NamedTuple):
    """Where a journal on PostgreSQL is; empty texts are for libpq to fill, by its variables and service files."""

    database: str
    journal: str = KEY
    hosts: tuple[tuple[str, int], ...] = ()
    """Hosts with their ports, in the order in which they are tried."""
    options: tuple[tuple[str, str], ...] = ()
    """Other parameters of the connection, sorted."""

    @property
    def url(self) -> str:
        """Return the address as messages and reports show it: who connects, and how, is no part of it."""
        named = ",".join(host if port == PORT else f"{host}:{port}" for host, port in self.hosts)
        shown = {key: value for key, value in self.options if key == "service"}
        shown |= {} if self.journal == KEY else {"journal": self.journal}
        query = f"?{urlencode(shown)}" if shown else ""
        return f"postgresql://{named}/{quote(self.database)}{query}"

    @property
    def parameters(self) -> dict[str, str]:
        """Return the parameters of the connection, as libpq names them."""
        found = dict(self.options) | ({"dbname": self.database} if self.database else {})
        if self.hosts:
            found["host"] = ",".join(host.strip("[]") for host, _ in self.hosts)
            found["port"] = ",".join(str(port) for _, port in self.hosts)
        return found


def is_on_postgres(url: str) -> bool:
    """Return whether a journal's URL names a database of PostgreSQL."""
    return url.startswith(SCHEMES)


def address_of(url: str) -> Address:
    """Read an address. Raises: UsageError for one that is not of the form, or holds a secret, without repeating it."""
    authority, slash, rest = url.partition("://")[2].partition("/")
    path, _, query = rest.partition("?")
    found = _AUTHORITY.fullmatch(authority)
    if found is None or not slash or "#" in rest:
        raise UsageError(f"a journal on PostgreSQL is written {FORM}; this address is not")
    user = unquote(found["user"] or "")
    if ":" in (found["user"] or ""):
        raise UsageError(
            "the address of the journal holds a password, and addresses are shown and logged; remove it, change the "
            "password, and give the new one in PGPASSWORD, a PGPASSFILE or a service file"
        )
    options = _options(query)
    if user:
        options["user"] = user
    journal, database = options.pop("journal", KEY), unquote(path)
    if not _KEY.fullmatch(journal):
        raise UsageError(
            "the key of a journal on PostgreSQL (?journal=KEY) has up to 63 letters, digits and ._-, and starts with "
            "a letter or digit; correct it"
        )
    if "/" in database or "\0" in database or not (database or options.get("service")):
        raise UsageError(f"a journal on PostgreSQL is written {FORM}; this address names no database")
    return Address(database, journal, _hosts(found["hosts"]), tuple(sorted(options.items())))


def must_be_a_manifests(url: str, environ: Mapping[str, str]) -> None:
    """Raise StalledError where an address of a manifest chooses what only the operator may choose (rule 2)."""
    address = address_of(url)
    chosen = [key for key, _ in address.options if key not in (*_OF_A_MANIFEST, "user")]
    if chosen:
        text = f"spec.journal chooses {', '.join(chosen)} of the connection, which a manifest may not"
        raise StalledError("HostNotAllowed", f"{text}; put it into the service file, or set OTACTL_JOURNAL")
    named = {each.strip().lower().rstrip(".") for each in environ.get(_ALLOWED, "").split(",")}
    for host, port in address.hosts:
        plain = host.lower().rstrip(".")
        if f"{plain}:{port}" not in named and not (port == PORT and plain in named):
            shown = plain if port == PORT else f"{plain}:{port}"
            text = f"spec.journal: {shown} is not in {_ALLOWED}, and a manifest may not choose where otactl connects"
            way = f"write postgresql:///DATABASE?service=NAME, or add {shown} to {_ALLOWED} where otactl runs"
            raise StalledError("HostNotAllowed", f"{text}; {way}")


def is_local(host: str) -> bool:
    """Return whether a host, as libpq takes it, is this machine: a socket's folder, or loopback."""
    if not host or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def _options(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise UsageError(f"a journal on PostgreSQL is written {FORM}; the part behind ? is not key=value") from None
    found: dict[str, str] = {}
    for key, value in pairs:
        if key in _SECRETS:
            raise UsageError(
                f"the address of the journal holds {key}, and addresses are shown and logged; remove it, and give it "
                "by PGPASSWORD, PGPASSFILE or a service file"
            )
        if key not in _OF_THE_OPERATOR:
            raise UsageError(
                f"the address of a journal on PostgreSQL has no parameter {key[:40]!r}; it may have "
                f"{', '.join(_OF_THE_OPERATOR)}"
            )
        if key in found or not value or "\0" in value:
            raise UsageError(f"the parameter {key} of the journal's address is empty or there twice; name it once")
        found[key] = value
    if "service" in found and not _SERVICE.fullmatch(found["service"]):
        raise UsageError("the service of the journal's address is not a name of letters, digits and ._-; correct it")
    return found


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for each in text.split(",") if text else ():
        found = _HOST.fullmatch(each)
        port = int(found["port"] or PORT) if found is not None else 0
        if found is None or not 0 < port < 65536:
            raise UsageError(f"a journal on PostgreSQL is written {FORM}; the host of this address is none")
        hosts.append((found["name"], port))
    return tuple(hosts)
