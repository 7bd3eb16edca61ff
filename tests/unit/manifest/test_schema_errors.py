"""Schema errors as a person tells them: code, place and pointer of each, and the words of those that need care."""

from __future__ import annotations

import pytest

from tests.support.manifest_texts import GOOD, SHA, Read, changed, problem_lines

NO_BACKEND = GOOD[: GOOD.index("  fuota:")] + GOOD[GOOD.index("  strategy:") :]
WAVE = "/spec/strategy/waves/0"
TABLE = {
    "an unquoted version": (changed('"2.4.1"', "2.10"), "9:14 text_is_not_quoted /spec/firmware/version"),
    "an unquoted word": (changed("name: soil-probe", "name: true"), "4:9 text_is_not_quoted /metadata/name"),
    "an empty value": (changed(" prod-eu", ""), "7:15 wrong_type /spec/environment"),
    "a quoted number": (changed("8000", '"8000"'), "12:16 wrong_type /spec/firmware/sizeBytes"),
    "a list for a mapping": (changed("{minSuccessPercent: 90}", "[90]"), "30:5 wrong_type /spec/strategy/gate"),
    "a missing field": (changed("    sizeBytes: 8000\n", ""), "8:3 missing_field /spec/firmware"),
    "no kind": (changed("kind: Rollout\n", ""), "1:1 missing_field "),
    "none of the services": (NO_BACKEND, "6:1 missing_field /spec"),
    "two services": (
        changed("  strategy:\n", "  tuya: {productKey: abc}\n  strategy:\n"),
        "20:3 too_many_choices /spec/tuya",
    ),
    "a mistyped field": (
        changed("    fragmentIntervalMs", "    fragmentIntervalMS"),
        "18:5 unknown_field /spec/fuota/fragmentIntervalMS",
    ),
    "a misplaced field": (
        changed("  strategy:\n", "  redundancyPercent: 3\n  strategy:\n"),
        "20:3 unknown_field /spec/redundancyPercent",
    ),
    "101 percent": (changed(": 20", ": 101"), "19:24 out_of_range /spec/fuota/redundancyPercent"),
    "less than nothing": (changed(": 20", ": -1"), "19:24 out_of_range /spec/fuota/redundancyPercent"),
    "no time between fragments": (changed("9000", "0"), "18:25 out_of_range /spec/fuota/fragmentIntervalMs"),
    "no such region": (changed("EU868", "EU-868"), "14:15 unknown_value /spec/fuota/rfRegion"),
    "a role that is no ARN": (
        changed("arn:aws:iam::123456789012:role/update", "update"),
        "15:11 bad_format /spec/fuota/role",
    ),
    "a role that is too long": (changed("role/update", "role/" + "x" * 2048), "15:11 too_long /spec/fuota/role"),
    "capitals in a name": (changed("name: soil-probe", "name: Soil"), "4:9 bad_format /metadata/name"),
    "a name of 31 letters": (changed("name: soil-probe", "name: " + "a" * 31), "4:9 too_long /metadata/name"),
    "a wave name of 13": (changed("name: canary", "name: " + "a" * 13), f"22:15 too_long {WAVE}/name"),
    "a short checksum": (changed(f"sha256: {SHA}", "sha256: abc"), "11:13 bad_format /spec/firmware/sha256"),
    "an image elsewhere": (changed("s3://acme", "https://acme"), "10:12 bad_format /spec/firmware/image"),
    "no targets in a list": (changed("[3f0c1d52]", "[]"), f"24:28 is_empty {WAVE}/targets/multicastGroups"),
    "targets that are a number": (
        changed("multicastGroups: [3f0c1d52]", "wirelessDevices: 5"),
        f"24:28 wrong_type {WAVE}/targets/wirelessDevices",
    ),
    "a device that is a number": (
        changed("multicastGroups: [3f0c1d52]", "wirelessDevices: [5]"),
        f"24:29 text_is_not_quoted {WAVE}/targets/wirelessDevices/0",
    ),
    "a short DevEUI": (
        changed("multicastGroups: [3f0c1d52]", "wirelessDevices: [{devEui: ab}]"),
        f"24:38 bad_format {WAVE}/targets/wirelessDevices/0/devEui",
    ),
    "another apiVersion": (changed("dev/v1", "dev/v2"), "1:13 unknown_api_version /apiVersion"),
    "another kind": (changed("kind: Rollout", "kind: Rolout"), "2:7 unknown_kind /kind"),
    "another mapping": ("a: 1\n", "1:1 not_a_manifest "),
    "a mere word": ("hello\n", "1:1 not_a_manifest "),
    "a tag of otactl's own": (
        changed(": 20\n", ": 20\n    tags: {otactl:x: y}\n"),
        "20:12 bad_name /spec/fuota/tags/otactl:x",
    ),
    "a tag of AWS's own": (changed(": 20\n", ": 20\n    tags: {aws:x: y}\n"), "20:12 bad_name /spec/fuota/tags/aws:x"),
    "a tag that is too long": (
        changed(": 20\n", f": 20\n    tags: {{x: {'y' * 257}}}\n"),
        "20:15 too_long /spec/fuota/tags/x",
    ),
    "191 tags": (
        changed(": 20\n", f": 20\n    tags: {{{','.join(f't{i}: x' for i in range(191))}}}\n"),
        "20:5 too_many /spec/fuota/tags",
    ),
    "a descriptor without its padding": (
        changed(": 20\n", ": 20\n    descriptor: AAECAw\n"),
        "20:17 bad_format /spec/fuota/descriptor",
    ),
    "a descriptor of 333 characters": (
        changed(": 20\n", f": 20\n    descriptor: {'A' * 333}\n"),
        "20:17 too_long /spec/fuota/descriptor",
    ),
    "a duration without unit": (
        changed(": 20\n", ': 20\n    startLead: "35"\n'),
        "20:16 bad_format /spec/fuota/startLead",
    ),
    "a mistyped word": (
        changed("    gate:", "    confirm: trasfer\n    gate:"),
        "30:14 unknown_value /spec/strategy/confirm",
    ),
    "no place of proof": (
        changed("    gate:", "    confirm: {version: {}}\n    gate:"),
        "30:15 missing_field /spec/strategy/confirm/version",
    ),
    "an unknown reason": (
        changed("{minSuccessPercent: 90}", "{weights: {offlin: 1}}"),
        "30:22 unknown_field /spec/strategy/gate/weights/offlin",
    ),
    "a reason twice": (
        changed("    gate:", "    retry: {attempts: 2, on: [offline, offline]}\n    gate:"),
        "30:40 duplicate_entry /spec/strategy/retry/on/1",
    ),
    "a retry half said": (
        GOOD.replace(
            GOOD[GOOD.index("  fuota:") : GOOD.index("  strategy:")], "  tuya: {productKey: abc, retryCount: 2}\n"
        ).replace("multicastGroups", "devices"),
        "13:27 missing_field /spec/tuya/retryCount",
    ),
    "a naive time": (
        GOOD + "  drift: {ignore: [{field: a, reason: x, until: 2027-01-01T00:00:00}]}\n",
        "31:49 time_without_zone /spec/drift/ignore/0/until",
    ),
    "a mere date": (
        GOOD + "  drift: {ignore: [{field: a, reason: x, until: 2027-01-01}]}\n",
        "31:49 time_without_zone /spec/drift/ignore/0/until",
    ),
    "the 30th of February": (
        GOOD + "  drift: {ignore: [{field: a, reason: x, until: 2027-02-30T00:00:00Z}]}\n",
        "31:49 time_does_not_exist /spec/drift/ignore/0/until",
    ),
    "a zone no one knows": (
        GOOD + '  windows: [{kind: allow, schedule: "0 2 * * *", duration: 7h, timeZone: Europe/Pariss}]\n',
        "31:74 unknown_time_zone /spec/windows/0/timeZone",
    ),
    "the zone a machine is set to": (
        GOOD + '  windows: [{kind: allow, schedule: "0 2 * * *", duration: 7h, timeZone: localtime}]\n',
        "31:74 unknown_time_zone /spec/windows/0/timeZone",
    ),
    "a zone that counts leap seconds": (
        GOOD + '  windows: [{kind: allow, schedule: "0 2 * * *", duration: 7h, timeZone: right/Europe/Paris}]\n',
        "31:74 unknown_time_zone /spec/windows/0/timeZone",
    ),
}


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE.keys())
def test_the_error_is_reported_once_and_in_its_place(text: str, expected: str) -> None:
    assert problem_lines(Read(text).errors) == [expected]


WORDS = {
    "two services": "spec has both fuota and tuya; keep one",
    "none of the services": "spec has none of fuota, otaUpdate, tuya",
    "an unquoted version": "spec.firmware.version 2.10 is read as the number 2.1, not as text",
    "targets that are a number": "spec.strategy.waves[0].targets.wirelessDevices is 5; it must be a list or a mapping",
    "an empty value": "spec.environment is empty; it must be text",
}
HINTS = {
    "an unquoted version": 'put it in quotes: version: "2.10"',
    "a mistyped field": "did you mean fragmentIntervalMs?",
    "a misplaced field": "redundancyPercent belongs in spec.fuota",
    "no such region": "did you mean EU868?",
    "a naive time": "write an explicit zone: 2027-01-01T00:00:00Z or 2027-01-01T00:00:00+01:00",
    "a zone no one knows": "did you mean Europe/Paris?",
    "another kind": "did you mean Rollout?",
    "a missing field": "add sizeBytes, for example sizeBytes: 98304",
    "an empty value": 'for example "prod-eu"',
    "a quoted number": "remove the quotes",
}


@pytest.mark.parametrize(("name", "words"), WORDS.items(), ids=WORDS.keys())
def test_the_message_says_what_is_there_and_what_must_be(name: str, words: str) -> None:
    assert [each.message for each in Read(TABLE[name][0]).errors] == [words]


@pytest.mark.parametrize(("name", "hint"), HINTS.items(), ids=HINTS.keys())
def test_the_hint_says_what_to_write(name: str, hint: str) -> None:
    assert [each.hint for each in Read(TABLE[name][0]).errors] == [hint]


def test_three_services_are_named_all() -> None:
    text = changed("  strategy:\n", "  tuya: {productKey: abc}\n  otaUpdate: {}\n  strategy:\n")
    messages = [each.message for each in Read(text).errors]
    assert "spec has fuota, otaUpdate and tuya; keep one" in messages


def test_rules_across_fields_are_reported_beside_schema_errors() -> None:
    text = (
        changed(": 20", ": 120").replace("112", "113").replace("name: fleet", "name: canary").replace('"2.4.1"', "2.4")
    )
    assert problem_lines(Read(text).errors) == [
        "9:14 text_is_not_quoted /spec/firmware/version",
        "17:24 fragment_exceeds_payload /spec/fuota/fragmentSizeBytes",
        "19:24 out_of_range /spec/fuota/redundancyPercent",
        "25:15 duplicate_wave /spec/strategy/waves/1/name",
    ]


def test_no_rule_speaks_of_a_value_the_user_did_not_write() -> None:
    text = changed("EU868", "EU-868").replace("112", "239").replace("dataRate: 3", "dataRate: 99")
    assert problem_lines(Read(text).errors) == [
        "14:15 unknown_value /spec/fuota/rfRegion",
        "16:15 out_of_range /spec/fuota/dataRate",
    ]


def test_a_message_shows_no_control_character_of_the_file() -> None:
    (error,) = Read(changed("EU868", '"EU\\x1b[31m\\u202e868"')).errors
    assert error.message.isprintable()
    assert "\\u001b" in error.message


@pytest.mark.parametrize("value", ["", "5", "{}", "true"])
@pytest.mark.parametrize("key", [r"a\nb", r"\r", r"\u2028", ""])
def test_a_key_of_the_file_never_breaks_a_message_into_lines(key: str, value: str) -> None:
    errors = Read(changed("product: soil", f'"{key}": {value}')).errors

    assert all(error.message.isprintable() and error.hint.isprintable() for error in errors)
    assert any(error.message.startswith('metadata.labels."') for error in errors)


LACKS = ("maximumPerMinute", "awsJobAbortConfig", "scheduleTime", "overwriteMode", "cancelInProgressTask", "tags")


@pytest.mark.parametrize("name", LACKS)
def test_what_tuya_cannot_do_is_reported_at_its_line_with_what_to_do_instead(name: str) -> None:
    block = GOOD[GOOD.index("  fuota:") : GOOD.index("  strategy:")]
    text = GOOD.replace(block, f"  tuya:\n    productKey: abc\n    {name}: 5\n").replace("multicastGroups", "devices")

    (error,) = Read(text).errors

    assert (error.code, error.pointer, error.line) == ("service_lacks", f"/spec/tuya/{name}", 15)
    assert error.message.startswith("spec.tuya: Tuya")
    assert error.hint
