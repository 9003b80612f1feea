"""The installation's secret: what is kept in the database so that a copy of the database alone does not tell it.

In: one or several secret keys, from `ULAK_SECRET_KEYS` or the file `secret.key`; texts and the place where each will
stand. Out: sealed bytes, which open only at that place, and keyed digests. The first key seals and digests, every one
opens, so that a new one can be put before the old. Never writes a key or what was sealed anywhere else.

A sealed value is a version, the id of its key, a nonce and AES-256-GCM's ciphertext. Sealing and digesting use keys
of their own, derived by HKDF; so is the id, which tells nothing of the key and may be kept and shown.
"""

import base64
import binascii
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ulak.base.config import Config, ConfigError

KEY_BYTES_MIN: Final = 32
KEYS_MAX: Final = 16
ID_BYTES: Final = 8
FILE_NAME: Final = "secret.key"
_FILE_BYTES_MAX: Final = 8192
_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_VERSION) + ID_BYTES
_TEXT_AT: Final = _HEAD_BYTES + _NONCE_BYTES


class SecretsError(Exception):
    """What is sealed does not open: another key, another place, or not what was written."""


class _Key:
    """One secret key, as what it is used for."""

    def __init__(self, material: bytes) -> None:
        self.id = _derived(material, b"ulak id", ID_BYTES)
        self.cipher = AESGCM(_derived(material, b"ulak sealing", 32))
        self.digesting = _derived(material, b"ulak digesting", 32)


def _derived(material: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=purpose).derive(material)


class Secrets:
    """The secret keys of a process, in their order; the first one seals and digests."""

    def __init__(self, materials: Sequence[bytes]) -> None:
        keys = [_Key(material) for material in materials]
        self._keys = {key.id: key for key in keys}
        self._first = keys[0]

    @property
    def first(self) -> bytes:
        """The id of the key that seals and digests."""
        return self._first.id

    @property
    def ids(self) -> list[bytes]:
        """The ids of all keys, in their order."""
        return list(self._keys)

    def seal(self, text: bytes, place: str) -> bytes:
        """Bytes that give `text` again at this place (table, column, row) and nowhere else."""
        head = _VERSION + self._first.id
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + self._first.cipher.encrypt(nonce, text, head + place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """What was sealed at this place; `SecretsError` when it was not, or with a key that is not ours."""
        head, nonce, text = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:_TEXT_AT], sealed[_TEXT_AT:]
        key = self._keys.get(key_of(sealed))
        if key is None or not head.startswith(_VERSION):
            raise SecretsError(f"What stands at {place} was sealed with a key that is not listed here.")
        try:
            return key.cipher.decrypt(nonce, text, head + place.encode())
        except (InvalidTag, ValueError):  # a nonce too short is the latter
            raise SecretsError(f"What stands at {place} is not what was sealed there.") from None

    def digest(self, text: str) -> bytes:
        """HMAC-SHA-256 of a text with the first key."""
        return _digest(self._first, text)

    def digest_with(self, key_id: bytes, text: str) -> bytes | None:
        """The same with the key of this id; None when that is not listed."""
        key = self._keys.get(key_id)
        return _digest(key, text) if key else None


def _digest(key: _Key, text: str) -> bytes:
    return hmac.digest(key.digesting, text.encode("utf-8", "surrogateescape"), "sha256")


def key_of(sealed: bytes) -> bytes:
    """The id of the key that sealed this."""
    return sealed[len(_VERSION) : _HEAD_BYTES]


# where the keys come from


def given(config: Config) -> Secrets | None:
    """The keys of the environment or of the file; None where there are none yet. Refused when they are none."""
    if config.secret_keys:
        return Secrets(parsed(config.secret_keys, "ULAK_SECRET_KEYS"))
    path = _file(config)
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[: _FILE_BYTES_MAX + 1].decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    if mode & 0o007:
        raise ConfigError(f"{path} can be read by everybody on this machine. Run: chmod 600 {path}.")
    return Secrets(parsed(text, str(path)))


def made(config: Config) -> Secrets:
    """The keys as `given`; where there are none, a new one in a file that only its owner reads."""
    found = given(config)
    if found:
        return found
    path = _file(config)
    draft = path.with_name(f"{FILE_NAME}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(generated() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            with suppress(FileExistsError):  # somebody else was quicker, and theirs counts
                os.link(draft, path)
        finally:
            draft.unlink()
    except OSError as error:
        raise ConfigError(
            f"The secret key cannot be kept in {path}: {error.strerror}. Set ULAK_SECRET_KEYS instead."
        ) from None
    found = given(config)
    assert found
    return found


def generated() -> str:
    """A new secret key, as `ULAK_SECRET_KEYS` takes it."""
    return base64.b64encode(os.urandom(KEY_BYTES_MIN)).decode()


def parsed(text: str, where: str) -> list[bytes]:
    """The keys of a text, several with commas between them: base64 or hexadecimal, of 32 bytes or more."""
    materials = [_material(part, where) for part in re.split(r"[,\s]+", text.strip()) if part]
    if not materials or len(materials) > KEYS_MAX:
        raise ConfigError(f"{where} must hold 1 to {KEYS_MAX} secret keys, with commas between them.")
    if len(set(materials)) < len(materials):
        raise ConfigError(f"{where} holds the same secret key twice.")
    return materials


def _material(part: str, where: str) -> bytes:
    wrong = ConfigError(
        f"{where} must hold secret keys of {KEY_BYTES_MIN} random bytes or more, in base64 or hexadecimal, like "
        "those that `openssl rand -base64 32` writes."
    )
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", part) and len(part) >= 2 * KEY_BYTES_MIN:
        material = bytes.fromhex(part)
    else:
        try:
            text = part.translate(str.maketrans("-_", "+/")).rstrip("=")
            material = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise wrong from None
    if len(material) < KEY_BYTES_MIN or len(set(material)) < KEY_BYTES_MIN // 4:
        raise wrong
    return material


def source(config: Config) -> str:
    """Where the keys of these settings stand, for a sentence."""
    return "ULAK_SECRET_KEYS" if config.secret_keys else str(_file(config))


def _file(config: Config) -> Path:
    return config.data_dir / FILE_NAME
