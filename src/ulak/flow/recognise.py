"""Whose API key somebody shows: found by its first characters, known by its hash.

In: a key as it came over the wire, and the keys that begin like it. Out: its owner, or nobody. A key that was hashed
with an older secret key, or with none, is still known, and comes with the hash that it should be known by (`flow.uses`
writes it). Comparing takes as long for what is right as for what is wrong.
"""

import re
from dataclasses import replace
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from ulak.base.db import Tx
from ulak.base.secrets import Secrets
from ulak.store import keys

START: Final = "ulak_"
PREFIX_LENGTH: Final = len(START) + 6
SHAPE: Final = re.compile(r"ulak_[A-Za-z0-9_-]{43}")
"""What every key that was ever made looks like: 256 bits in base64 after its beginning."""


async def candidates(tx: Tx, key: str) -> list[keys.Candidate]:
    """The keys that begin like this one and have not been revoked."""
    return await keys.by_prefix(tx, key[:PREFIX_LENGTH])


def owner_of(key: str, like_it: list[keys.Candidate], secrets: Secrets) -> keys.KeyOwner | None:
    """The owner of a key that is one of these, whatever else may speak against it."""
    found = None
    for candidate in like_it:
        if compare_digest(_hash(secrets, key, candidate.hashed_with), candidate.key_hash):
            found = candidate
    if found is None or found.hashed_with == secrets.first:
        return found and found.owner
    return replace(found.owner, renewed=secrets.digest(key))


def _hash(secrets: Secrets, key: str, hashed_with: bytes | None) -> bytes:
    if hashed_with is None:
        return sha256(key.encode("utf-8", "surrogateescape")).digest()
    return secrets.digest_with(hashed_with, key) or b""  # of a secret key that is not listed: nobody's
