"""Passwords: what may be one, how it is kept, and whether it fits.

In: passwords as they were typed. Out: argon2id hashes with their own salt and parameters in the text (RFC 9106), or a
yes or no. Hashing takes 64 MiB and tens of milliseconds on purpose, so it happens in threads, two at a time, and never
inside a transaction. A password stands in no log, no refusal and no audit line.
"""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from ulak.rules.refusal import Code, Refused, said

if TYPE_CHECKING:
    from argon2 import PasswordHasher

LENGTH_MIN: Final = 8
LENGTH_MAX: Final = 256
TYPED_LENGTH_MAX: Final = 4096
"""Longer than this nothing is looked at: older doors set no limit to what a password may be."""

HASHING_AT_ONCE: Final = 2

_THREADS: Final = ThreadPoolExecutor(HASHING_AT_ONCE, thread_name_prefix="argon2")

T = TypeVar("T")


def check(password: str) -> None:
    """Refuse what may not be a new password."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise Refused(
            Code.INVALID_VALUE,
            said("A password has {least} to {most} characters.", least=LENGTH_MIN, most=LENGTH_MAX),
        )
    if not _is_text(password):
        raise Refused(Code.INVALID_VALUE, "That password holds what is no character.")


def generated() -> str:
    """A password that nobody chose: 96 random bits."""
    return secrets.token_urlsafe(12)


async def hashed(password: str) -> str:
    """The hash of a new password; refused when it may not be one."""
    check(password)
    return await _in_turn(lambda: _hash(password))


async def fits(password_hash: str | None, typed: str) -> bool:
    """Whether this is the password; without a hash it never is, which takes as long to find out."""
    is_possible = password_hash is not None and len(typed) <= TYPED_LENGTH_MAX and _is_text(typed)
    if password_hash is None or not is_possible:
        await _in_turn(lambda: _verify(_nobodys(), ""))
        return False
    await _in_turn(_nobodys)  # made by the first who asks, whoever that is
    return await _in_turn(lambda: _verify(password_hash, typed))


async def renewed(password_hash: str, password: str) -> str | None:
    """The hash that should be kept instead, where this one was made with older parameters."""
    if not _hasher().check_needs_rehash(password_hash):
        return None
    return await _in_turn(lambda: _hash(password))


async def _in_turn(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


def _is_text(typed: str) -> bool:
    try:
        typed.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return True


def _hasher() -> "PasswordHasher":
    """With the library's own parameters (RFC 9106, low memory). It is loaded by whoever needs it first."""
    from argon2 import PasswordHasher

    return PasswordHasher()


def _hash(password: str) -> str:
    return _hasher().hash(password)


def _verify(password_hash: str, typed: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(password_hash, typed)
    except (VerificationError, InvalidHashError):
        return False


@lru_cache(1)
def _nobodys() -> str:
    """A hash of what nobody knows."""
    return _hash(secrets.token_urlsafe(32))
