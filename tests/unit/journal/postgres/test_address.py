"""The address of a journal on PostgreSQL: what it may say, what only the operator may say, and no secret."""

from __future__ import annotations

import pytest

from otactl.errors import StalledError, UsageError
from otactl.journal.postgres.address import address_of, is_local, must_be_a_manifests


@pytest.mark.parametrize(
    ("url", "parameters", "shown"),
    [
        (
            "postgresql:///otactl?service=journal",
            {"dbname": "otactl", "service": "journal"},
            "postgresql:///otactl?service=journal",
        ),
        ("postgresql:///?service=journal", {"service": "journal"}, "postgresql:///?service=journal"),
        ("postgres://db/otactl", {"dbname": "otactl", "host": "db", "port": "5432"}, "postgresql://db/otactl"),
        (
            "postgresql://otactl@db.example:6432/my%20db?sslmode=verify-ca",
            {"dbname": "my db", "host": "db.example", "port": "6432", "user": "otactl", "sslmode": "verify-ca"},
            "postgresql://db.example:6432/my%20db",
        ),
        (
            "postgresql://[::1]:6432,b/otactl",
            {"dbname": "otactl", "host": "::1,b", "port": "6432,5432"},
            "postgresql://[::1]:6432,b/otactl",
        ),
    ],
)
def test_an_address_gives_libpqs_parameters_and_is_shown_without_who_connects(
    url: str, parameters: dict[str, str], shown: str
) -> None:
    found = address_of(url)
    assert (found.parameters, found.url, found.journal) == (parameters, shown, "default")


def test_an_address_may_name_one_of_several_journals() -> None:
    found = address_of("postgresql:///otactl?journal=prod-eu")
    assert (found.journal, found.url) == ("prod-eu", "postgresql:///otactl?journal=prod-eu")
    assert found.parameters == {"dbname": "otactl"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://otactl:hunter2@db/otactl",
        "postgresql://otactl:hunter2@db:5432,c/otactl?journal=a",
        "postgresql:///otactl?password=hunter2",
        "postgresql:///otactl?service=a&sslpassword=hunter2",
        "postgresql:///otactl?passfile=hunter2",
        "postgresql:///otactl?oauth_client_secret=hunter2",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError, match=r"the address of the journal holds .*PGPASSWORD") as caught:
        address_of(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("postgresql://", "is written postgresql://"),
        ("postgresql://db", "is written postgresql://"),
        ("postgresql:///", "names no database"),
        ("postgresql:///a/b", "names no database"),
        ("postgresql:///a#b", "is written postgresql://"),
        ("postgresql://a@b@c/otactl", "is written postgresql://"),
        ("postgresql://db:x/otactl", "the host of this address is none"),
        ("postgresql://db:65536/otactl", "the host of this address is none"),
        ("postgresql://d b/otactl", "the host of this address is none"),
        ("postgresql:///otactl?service", "is not key=value"),
        ("postgresql:///otactl?service=", "empty or there twice"),
        ("postgresql:///otactl?service=a&service=b", "empty or there twice"),
        ("postgresql:///otactl?service=a%0Ab", "is not a name"),
        ("postgresql:///otactl?options=-c%20x", "has no parameter 'options'"),
        ("postgresql:///otactl?journal=a/b", "the key of a journal"),
    ],
)
def test_an_address_that_is_not_of_the_form_is_refused(url: str, reported: str) -> None:
    with pytest.raises(UsageError, match=reported):
        address_of(url)


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("postgresql:///otactl?service=journal", ""),
        ("postgresql://otactl@/otactl?journal=prod", ""),
        ("postgresql://db.example/otactl", "db.example"),
        ("postgresql://db.example/otactl", "hooks.example, DB.example:5432"),
        ("postgresql://db.example:6432/otactl", "db.example:6432"),
    ],
)
def test_a_manifest_names_a_service_or_a_host_that_the_operator_allows(url: str, allowed: str) -> None:
    must_be_a_manifests(url, {"OTACTL_ALLOWED_HOSTS": allowed})


@pytest.mark.parametrize(
    ("url", "allowed", "reported"),
    [
        ("postgresql://db.example/otactl", "", "db.example is not in OTACTL_ALLOWED_HOSTS"),
        ("postgresql://127.0.0.1/otactl", "", "127.0.0.1 is not in"),
        ("postgresql://db.example:6432/otactl", "db.example", "db.example:6432 is not in"),
        ("postgresql://good,bad/otactl", "good", "bad is not in"),
        ("postgresql:///otactl?host=bad", "bad", "chooses host of the connection"),
        ("postgresql:///otactl?service=a&sslmode=disable", "", "chooses sslmode of the connection"),
        ("postgresql:///otactl?sslrootcert=/tmp/x", "", "chooses sslrootcert"),
        ("postgresql:///otactl?auth=iam", "", "chooses auth"),
    ],
)
def test_a_manifest_chooses_no_host_and_nothing_of_the_connection(url: str, allowed: str, reported: str) -> None:
    with pytest.raises(StalledError, match=reported) as caught:
        must_be_a_manifests(url, {"OTACTL_ALLOWED_HOSTS": allowed})
    assert caught.value.reason == "HostNotAllowed"


@pytest.mark.parametrize("host", ["", "/run/postgresql", "localhost", "::1", "127.0.0.9"])
def test_a_socket_and_loopback_are_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize("host", ["db.example", "10.0.0.1", "localhost.example"])
def test_any_other_host_is_not_this_machine(host: str) -> None:
    assert not is_local(host)
