"""The RPC signature: the published vector, the vendor's own client, and the request of the operation's page."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from aliyunsdkcore.auth.composer import rpc_signature_composer
from hypothesis import given
from hypothesis import strategies as st

from otactl.backends.tuya.signing import canonical, encode, flatten, signature, string_to_sign
from tests.support.tuya_answers import PUBLISHED_QUERY, keyed_client

# Alibaba, "RPC signature", sample DescribeRegions with testid and testsecret.
SAMPLE = {
    "Timestamp": "2016-02-23T12:46:24Z",
    "Format": "XML",
    "AccessKeyId": "testid",
    "Action": "DescribeRegions",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureNonce": "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
    "Version": "2014-05-26",
    "SignatureVersion": "1.0",
}
ADDED = {"Format": "JSON", "Version": "2018-01-20", "SignatureVersion": "1.0"}


def test_the_published_sample_has_its_published_signature() -> None:
    assert signature("GET", SAMPLE, "testsecret") == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


def test_a_signature_among_the_parameters_does_not_count() -> None:
    assert signature("GET", {**SAMPLE, "Signature": "x"}, "testsecret") == "OLeaidS1JvxuMvnyHOwuJ+uX5qY="


@pytest.mark.parametrize(
    ("text", "encoded"),
    [("a b", "a%20b"), ("a*b", "a%2Ab"), ("a~b", "a~b"), ("-_.", "-_."), ("+", "%2B"), ("/", "%2F"), ("é", "%C3%A9")],
)
def test_names_and_values_are_encoded_by_rfc_3986(text: str, encoded: str) -> None:
    assert encode(text) == encoded


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(method=st.sampled_from(("GET", "POST")), parameters=st.dictionaries(TEXTS, TEXTS, max_size=6), secret=TEXTS)
def test_every_signature_is_that_of_the_vendors_own_client(
    method: str, parameters: dict[str, str], secret: str
) -> None:
    given_parameters = {name: value for name, value in parameters.items() if name not in ("Signature", *SAMPLE)}
    url, to_sign = rpc_signature_composer.get_signed_url(dict(given_parameters), "AK", secret, "JSON", method, {})
    signed = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))

    assert string_to_sign(method, signed) == to_sign
    assert signature(method, signed, secret) == signed["Signature"]


def test_the_vendors_client_reads_back_what_is_written() -> None:
    given_parameters = {"b": "1 2", "a": "~*+/", "": "x"}
    assert parse_qs(canonical(given_parameters), strict_parsing=True) == {k: [v] for k, v in given_parameters.items()}


def test_lists_are_numbered_from_one_and_booleans_are_words() -> None:
    given_parameters = {"DeviceName": ["a", "b"], "NeedPush": True, "NeedConfirm": False, "PageSize": 5, "JobId": None}
    assert flatten(given_parameters) == {
        "DeviceName.1": "a",
        "DeviceName.2": "b",
        "NeedPush": "true",
        "NeedConfirm": "false",
        "PageSize": "5",
    }


@pytest.mark.parametrize("value", [1.5, {"a": 1}, b"x"])
def test_what_the_wire_has_no_word_for_is_an_error(value: object) -> None:
    with pytest.raises(TypeError, match="parameter Timeout is a"):
        flatten({"Timeout": value})


def test_the_request_of_the_page_is_sent_with_three_common_parameters_more() -> None:
    page = dict(parse_qsl(urlsplit(PUBLISHED_QUERY).query))
    own = {"ProductKey": "k1nhvyl****", "DeviceName": "blelight1", "TaskStatus": "CONFIRM"}
    prepared = keyed_client().prepare("ListOTAUnfinishedTaskByDevice", own)
    sent = dict(parse_qsl(prepared.query))

    assert sent.pop("Signature")
    assert sent == {**{k: v for k, v in page.items() if k != "Signature"}, **ADDED}


def test_the_request_of_the_page_is_sent_as_it_stands_there_when_those_are_left_out() -> None:
    page = dict(parse_qsl(urlsplit(PUBLISHED_QUERY).query))
    own = {name: page[name] for name in ("ProductKey", "DeviceName", "TaskStatus")}
    prepared = keyed_client(common=dict.fromkeys(ADDED)).prepare("ListOTAUnfinishedTaskByDevice", own)

    assert dict(parse_qsl(prepared.query)).keys() == page.keys()


def test_a_common_parameter_can_be_another() -> None:
    prepared = keyed_client(common={"Version": "2022-01-01"}).prepare("QueryOTAJob", {"JobId": "1"})
    assert dict(parse_qsl(prepared.query))["Version"] == "2022-01-01"


def test_what_is_prepared_shows_its_action_and_its_time_only() -> None:
    prepared = keyed_client().prepare("QueryOTAJob", {"JobId": "1"})
    assert repr(prepared) == "Prepared(action='QueryOTAJob', signed_at='2024-11-19T09:47:43Z')"
