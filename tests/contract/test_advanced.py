"""`POST /sms-sendings/advanced`: each number its own text; repeats; faults named by their place."""

from typing import Any

import httpx
import pytest

from tests.contract import SECRET, Caller, World, data_of, number

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contract")]

PATH = "/sms-sendings/advanced"


def message(to: Any = None, text: Any = "Merhaba") -> dict[str, Any]:
    return {"to": number() if to is None else to, "message": text}


def post(world: World, caller: Caller, messages: Any, service: str = "BobSMS") -> httpx.Response:
    body = {"messages": messages, "serviceId": world.services[service]}
    return caller.client.post(PATH, json=body)


def refused(world: World, caller: Caller, messages: Any, *fields: str) -> None:
    body = {"messages": messages, "serviceId": world.services["BobSMS"]}
    caller.refused("POST", PATH, 400, "validation_failed", fields, json=body)


def test_each_number_gets_its_own_text_in_the_order_of_the_request(world: World, second: Caller) -> None:
    messages = [message(f"9055544{place:05}", f"Sayın {place}") for place in range(20)]

    made = data_of(post(world, second, messages), 201)

    stored = second.messages(made, limit=100)["items"]
    assert [{"to": item["to"], "message": item["message"]} for item in stored] == messages
    item = second.sending(made)
    assert item["sampleMessageText"] == "Sayın 0"
    assert (item["stats"]["validSize"], item["stats"]["totalCost"]) == (20, "20")


def test_a_repeat_is_the_same_number_with_the_same_text(world: World, second: Caller) -> None:
    messages = [
        message("905554400001", "Şimdi"),
        message("0555 440 00 01", "S\u0327imdi"),  # the same after normalising both
        message("905554400001", "Sonra"),
        message("905554400002", "Şimdi"),
        message("905554400001", "şimdi"),
        message("905554400001", "Şimdi "),
        message("905554400001", "Sonra"),
    ]

    made = data_of(post(world, second, messages), 201)

    stored = [(item["to"], item["message"]) for item in second.messages(made)["items"]]
    assert stored == [
        ("905554400001", "Şimdi"),
        ("905554400001", "Sonra"),
        ("905554400002", "Şimdi"),
        ("905554400001", "şimdi"),
        ("905554400001", "Şimdi "),
    ]
    stats = second.sending(made)["stats"]
    assert (stats["validSize"], stats["invalidSize"], stats["totalCost"]) == (5, 2, "5")


def test_invalid_numbers_are_counted_and_the_sample_is_of_the_first_message(
    world: World, second: Caller
) -> None:
    messages = [message("1234", "first of the request"), message(text="first message"), message("", "last")]

    made = data_of(post(world, second, messages), 201)

    item = second.sending(made)
    assert (item["stats"]["validSize"], item["stats"]["invalidSize"]) == (1, 2)
    assert item["sampleMessageText"] == "first message"


def test_segments_are_counted_for_each_text(world: World, second: Caller) -> None:
    messages = [message(text="x"), message(text="Ж" * 71), message(text="Ж" * 135), message("no", "Ж" * 135)]

    made = data_of(post(world, second, messages, "SegmentSMS"), 201)

    assert second.sending(made)["stats"]["totalCost"] == "3"


@pytest.mark.parametrize("value", [None, 5, 905550000000.0, True, [], {}], ids=repr)
@pytest.mark.parametrize("field", ["to", "message"])
def test_a_field_of_another_type_is_named_by_its_place(
    world: World, second: Caller, field: str, value: Any
) -> None:
    messages = [message(text=SECRET) for _ in range(5)]
    messages[3][field] = value

    refused(world, second, messages, f"messages[3].{field}")


@pytest.mark.parametrize("field", ["to", "message"])
def test_a_missing_field_is_named_by_its_place(world: World, second: Caller, field: str) -> None:
    messages = [message(text=SECRET) for _ in range(5)]
    del messages[3][field]

    refused(world, second, messages, f"messages[3].{field}")


@pytest.mark.parametrize("text", ["", "   ", "x" * 161, "a\x00b"], ids=lambda text: ascii(text)[:10])
def test_a_text_that_does_not_fit_is_named_by_its_place(world: World, second: Caller, text: str) -> None:
    refused(world, second, [message(text=SECRET), message(text=text)], "messages[1].message")


def test_every_fault_is_named(world: World, second: Caller) -> None:
    messages: list[Any] = [message(text=SECRET) for _ in range(12)]
    messages[0]["message"] = "x" * 161
    messages[3] = {"to": 3.5, "message": ""}
    messages[7] = {}
    messages[11]["message"] = None
    body = {"messages": messages, "serviceId": "no uuid"}

    named = ["messages[0].message", "messages[3].to", "messages[3].message", "messages[7].to"]
    named += ["messages[7].message", "messages[11].message", "serviceid"]
    second.refused("POST", PATH, 400, "validation_failed", named, json=body)


@pytest.mark.parametrize("value", [None, 1, 2.5, "905550000000", True, ["905550000000"]], ids=repr)
def test_an_element_that_is_not_an_object(world: World, second: Caller, value: Any) -> None:
    refused(world, second, [message(text=SECRET), value], "messages[1]")


@pytest.mark.parametrize("value", [None, 1, "x", {}, {"0": {}}, True, []], ids=repr)
def test_messages_that_are_not_an_array_with_something_in_it(
    world: World, second: Caller, value: Any
) -> None:
    refused(world, second, value, "messages")


def test_a_text_of_a_number_that_is_invalid_must_still_fit(world: World, second: Caller) -> None:
    refused(world, second, [message(text=SECRET), message("1234", "x" * 161)], "messages[1].message")


def test_100001_messages_are_too_many_and_100000_are_not(world: World, second: Caller) -> None:
    one = message("905554400009", SECRET)
    refused(world, second, [one] * 100_001, "messages")

    made = data_of(post(world, second, [one | {"message": "Merhaba"}] * 100_000, "PendingSMS"), 201)

    stats = second.sending(made)["stats"]
    assert (stats["validSize"], stats["invalidSize"], stats["totalCost"]) == (1, 99_999, "1")
