"""Signatures: what a text holds, its signature never denies."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from ulak.rules.signature import BITS, signature
from ulak.rules.text import fold

#: Everything that a stored text may hold: outside the BMP and control characters too, and what folds in odd ways.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from(
    "ıIİi\u0307ßa1"
)


def bits(text: str) -> int:
    return int.from_bytes(signature(text), "big")


def lacks(text: str, part: str) -> bool:
    return bool(bits(part) & ~bits(text))


@given(before=st.text(characters), part=st.text(characters, min_size=1), after=st.text(characters))
def test_what_a_text_holds_is_never_denied(before: str, part: str, after: str) -> None:
    assert not lacks(before + part + after, part)


@given(before=st.text(characters), part=st.text(characters, min_size=1), after=st.text(characters))
def test_nor_is_it_when_both_are_folded(before: str, part: str, after: str) -> None:
    text, looked_for = fold(before + part + after), fold(part)
    if looked_for and looked_for in text:
        assert not lacks(text, looked_for)


@given(st.lists(st.text(characters, min_size=1), min_size=1, max_size=20))
def test_many_texts_in_one_have_all_of_each(texts: list[str]) -> None:
    assert not any(lacks("\x01".join(texts) + "\x01", text) for text in texts)


def test_what_is_not_there_is_denied_whatever_its_length() -> None:
    text = "kodunuz: 123456. kimseyle paylaşmayın." * 100
    assert all(lacks(text, part) for part in ("q", "9", "q9", "ş1", "z: 9", "başka bir şey", "😀"))
    assert not lacks(text, "456. kim")


def test_a_text_has_few_of_the_bits() -> None:
    texts = "\x01".join(f"{n * 7919 % 10**6:06d} numaralı siparişiniz kargoya verildi." for n in range(100))
    assert bits(texts).bit_count() < BITS // 4


def test_signatures_are_made_as_those_that_are_kept() -> None:
    """Who has to change this has to empty search_blocks and search_days in a migration."""
    made = b"".join(map(signature, ("a", "ab", "işık çağrı 😀", "kodunuz: 123456. kimseyle paylaşmayın.")))
    assert sha256(made).hexdigest() == "f46871ccf42011345f3b361ec54341ccccb7ec5bc305ab5467d3854f3c7d23ef"
