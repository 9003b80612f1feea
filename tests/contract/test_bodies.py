"""Bodies that do not fit: each is refused with every field named, and leaves no sending, no charge and no trace."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract import (
    KINDS,
    SECRET,
    Caller,
    World,
    assert_discreet,
    assert_error,
    body_of,
    bulk_of,
    data_of,
    end_of_log,
    number,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


def top_fields(kind: str) -> list[str]:
    """The fields of the body, as faults name them."""
    return ["messages", "serviceid"] if kind == "/advanced" else ["to", "message", "serviceid"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b'{"to":',
        b"{'to': 1}",
        b'{"to": NaN}',
        b'{"to": Infinity}',
        b'{"to": 01}',
        b'{"a": 1,}',
        b'{"a": "\x01"}',
        b'{"a": 1} {"b": 2}',
        b'{"message": "' + SECRET.encode() + b'\xff"}',
        b'{"message": "' + SECRET.encode() + b'\xed\xa0\x80"}',  # a surrogate written as UTF-8
        b'{"message": "' + SECRET.encode() + b'\xc0\x80"}',  # an overlong NUL
        b'{"unknown": "\xff"}',
        '{"message": "Gizli 7351"}'.encode("utf-16"),
        b"[" * 5_000 + b"]" * 5_000,
        b'{"a":' * 100_000,
        b'{"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_what_is_not_json_is_malformed(second: Caller, kind: str, content: bytes) -> None:
    second.refused("POST", f"/sms-sendings{kind}", 400, "malformed_json", content=content, headers=JSON)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"[]", b'"Gizli 7351"', b"null", b"1", b"true"])
def test_json_that_is_not_an_object_does_not_fit(second: Caller, kind: str, content: bytes) -> None:
    second.refused("POST", f"/sms-sendings{kind}", 400, "validation_failed", content=content, headers=JSON)


@pytest.mark.parametrize("kind", KINDS)
def test_every_missing_field_is_named(second: Caller, kind: str) -> None:
    second.refused(
        "POST", f"/sms-sendings{kind}", 400, "validation_failed", top_fields(kind), json={"text": SECRET}
    )


WRONG: list[Any] = [None, 1, 1.5, 905550000000.0, True, {}, {"a": SECRET}, 10**30]


#: (kind, field, value that does not fit it)
WRONG_FIELDS = [
    (kind, field, value)
    for kind in ("", "/simple")
    for field in ("to", "message", "serviceId")
    for value in [*WRONG, "absent", "x" if (kind, field) == ("/simple", "to") else ["x"]]
]


@pytest.mark.parametrize(("kind", "field", "value"), WRONG_FIELDS)
def test_a_field_of_another_type_is_named_and_no_other(
    world: World, second: Caller, kind: str, field: str, value: Any
) -> None:
    body = body_of(kind, world.services["BobSMS"], SECRET) | {field: value}
    if value == "absent":
        del body[field]

    second.refused("POST", f"/sms-sendings{kind}", 400, "validation_failed", [field.lower()], json=body)


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_true_or_number_in_every_field_names_them_all(second: Caller, kind: str) -> None:
    for value in (None, True, 1.5):
        body = dict.fromkeys(["to", "messages", "message", "serviceId"], value)

        second.refused("POST", f"/sms-sendings{kind}", 400, "validation_failed", top_fields(kind), json=body)


def test_faults_of_different_kinds_are_all_named(second: Caller) -> None:
    body = {"to": 5, "message": SECRET + "x" * 160, "serviceId": "no id"}

    second.refused(
        "POST", "/sms-sendings", 400, "validation_failed", ["to", "message", "serviceid"], json=body
    )


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_an_element_that_is_not_a_string_fails_the_whole_bulk(
    world: World, second: Caller, value: Any
) -> None:
    body = bulk_of(world.services["BobSMS"], [number()], SECRET)
    body["to"].append(value)

    second.refused("POST", "/sms-sendings/simple", 400, "validation_failed", ["to[1]"], json=body)


@pytest.mark.parametrize("size", [0, 100_001])
def test_a_bulk_has_1_to_100000_numbers(world: World, second: Caller, size: int) -> None:
    body = bulk_of(world.services["BobSMS"], ["905550000000"] * size, SECRET)

    second.refused("POST", "/sms-sendings/simple", 400, "validation_failed", ["to"], json=body)


def test_a_bulk_of_100000_numbers_is_taken(world: World, second: Caller) -> None:
    body = bulk_of(world.services["PendingSMS"], ["905550000000"] * 100_000)

    made = data_of(second.client.post("/sms-sendings/simple", json=body), 201)

    stats = second.sending(made)["stats"]
    assert (stats["validSize"], stats["invalidSize"], stats["totalCost"]) == (1, 99_999, "1")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unknown", [1, None, "x", [[1.5]], {"deep": {"er": []}}])
def test_unknown_fields_are_ignored(world: World, second: Caller, kind: str, unknown: Any) -> None:
    body = {"extra": unknown, "source": unknown} | body_of(kind, world.services["BobSMS"])
    if kind == "/advanced":
        body["messages"][0]["extra"] = unknown

    data_of(second.client.post(f"/sms-sendings{kind}", json=body), 201)


ODD = [
    '{"to": TO, "message": TEXT, "serviceId": ID, "extra": "\\ud800"}',
    '{"to": TO, "message": TEXT, "serviceId": ID, "\\ud800": 1}',
    '{"to": TO, "message": TEXT, "serviceId": "\\ud800"}',
    '{"to": TO, "message": TEXT, "serviceId": "\\u0000"}',
    '{"to": "\\ud800", "message": TEXT, "serviceId": ID}',
    '{"to": ["\\ud800"], "message": TEXT, "serviceId": ID}',
    '{"to": ["905550000000", "\\u0000"], "message": TEXT, "serviceId": ID}',
    '{"messages": [{"to": "\\ud800", "message": TEXT}], "serviceId": ID}',
    '{"messages": [{"to": TO, "message": TEXT, "\\udfff": 1}], "serviceId": ID}',
    '{"to": TO, "to": 5, "message": TEXT, "serviceId": ID}',
    '{"to": TO, "message": TEXT, "message": "y", "serviceId": ID}',
    f'{{"to": {"9" * 100_000}, "message": TEXT, "serviceId": ID}}',
    '{"to": -1e999999, "message": TEXT, "serviceId": ID}',
    f'{{"to": TO, "message": TEXT, "serviceId": ID, "extra": {"9" * 100_000}}}',
    '{"to": TO, "message": TEXT, "serviceId": ID, "extra": 1e999999}',
    "\ufeff" + '{"to": TO, "message": TEXT, "serviceId": ID}',
    '{"to": TO, "message": TEXT, "serviceId": ID}\u0000',
    f'{{"to": TO, "message": TEXT, "serviceId": {json.dumps("x" * 100_000)}}}',
    f"{{{json.dumps('x' * 100_000)}: 1}}",
]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: ascii(odd)[:60])
@pytest.mark.parametrize("kind", KINDS)
def test_odd_json_is_accepted_or_refused_and_nothing_else(
    world: World, second: Caller, kind: str, odd: str
) -> None:
    content = odd.replace("TO", f'"{number()}"').replace("TEXT", f'"{SECRET}"')
    content = content.replace("ID", f'"{world.services["BobSMS"]}"')
    log = end_of_log(world.ulak)

    answer = second.client.post(f"/sms-sendings{kind}", content=content.encode(), headers=JSON)

    assert_discreet(world.ulak, second.user.key, since=log)
    if answer.status_code != 201:
        code = answer.json()["error"]["code"]
        assert code in {"malformed_json", "validation_failed", "no_valid_recipient"}
        assert_error(answer, 400, code)


def test_a_compressed_body_is_not_json(second: Caller) -> None:
    headers = JSON | {"content-encoding": "gzip"}
    content = gzip.compress(b"{}")

    answer = second.client.post("/sms-sendings", content=content, headers=headers)

    assert answer.status_code in {400, 415}
    assert answer.json()["error"]["code"] in {"malformed_json", "unsupported_media_type"}


# --- what kind of body, and how large


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/octet-stream",
        "text/plain; note=application/json",
    ],
)
def test_a_body_that_is_not_said_to_be_json(
    world: World, second: Caller, kind: str, content_type: str
) -> None:
    content = json.dumps(body_of(kind, world.services["BobSMS"], SECRET))

    second.refused(
        *("POST", f"/sms-sendings{kind}", 415, "unsupported_media_type"),
        content=content,
        headers={"content-type": content_type},
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; profile="x;y"; v=2',
        "Application/JSON",
        "application/json ; charset=iso-8859-9",
    ],
)
def test_application_json_with_any_parameters_is_json(
    world: World, second: Caller, kind: str, content_type: str
) -> None:
    content = json.dumps(body_of(kind, world.services["BobSMS"], "Şimdi"), ensure_ascii=False).encode()

    answer = second.client.post(
        f"/sms-sendings{kind}", content=content, headers={"content-type": content_type}
    )

    assert second.sending(data_of(answer, 201))["sampleMessageText"] == "Şimdi"


def padded(kind: str, service: str, size: int, text: str = SECRET) -> bytes:
    """A good body, made this large with spaces."""
    return json.dumps(body_of(kind, service, text)).encode().ljust(size)


@pytest.mark.parametrize(("kind", "limit"), [("", 8), ("/simple", 8), ("/advanced", 32)])
def test_a_body_as_large_as_the_limit_is_taken_and_one_above_is_not(
    world: World, second: Caller, kind: str, limit: int
) -> None:
    path, service = f"/sms-sendings{kind}", world.services["BobSMS"]

    answer = second.client.post(path, content=padded(kind, service, limit * MIB, "Merhaba"), headers=JSON)

    data_of(answer, 201)
    second.refused(
        *("POST", path, 413, "payload_too_large"),
        content=padded(kind, service, limit * MIB + 1),
        headers=JSON,
    )


@pytest.mark.parametrize(("kind", "limit"), [("", 8), ("/simple", 8), ("/advanced", 32)])
def test_a_body_that_does_not_tell_its_length_is_counted(
    world: World, second: Caller, kind: str, limit: int
) -> None:
    def chunks() -> Iterator[bytes]:
        content = padded(kind, world.services["BobSMS"], limit * MIB + 1)
        for start in range(0, len(content), MIB // 2):
            yield content[start : start + MIB // 2]

    second.refused("POST", f"/sms-sendings{kind}", 413, "payload_too_large", content=chunks(), headers=JSON)


def test_after_a_body_too_large_the_server_goes_on(world: World, second: Caller) -> None:
    with httpx.Client(headers=second.client.headers, trust_env=False) as client:
        url = f"{second.client.base_url}sms-sendings"
        large = client.post(url, content=b" " * (8 * MIB + 1), headers=JSON)
        then = client.post(url, json=body_of("", world.services["BobSMS"]))

    assert (large.status_code, then.status_code) == (413, 201)
