"""Models and learners travel signed: whoever can write to Redis but has no key cannot change what customers are told.

A sealed document is one envelope: magic, key id, lengths, HMAC-SHA256 over everything else, payload. Keys have ids, so
that a new key can sign while documents of the old one are still accepted. The magic says of what kind it is: what was
signed as one kind is none of another.
"""

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from stream.errors import ModelRefusedError, SettingError

KEY_BYTES_AT_LEAST = 16  # 128 bits: shorter keys can be guessed
KEY_ID_BYTES_AT_MOST = 64

_HEADER = struct.Struct("<8sHI")  # magic, bytes of key id, bytes of payload
_SIGNATURE_BYTES = sha256().digest_size


class Kind(NamedTuple):
    """What an envelope holds: eight bytes to know it by, and its name in sentences."""

    magic: bytes
    name: str


MODEL, LEARNER = Kind(b"EBBMODL1", "model"), Kind(b"EBBLERN1", "learner")


@dataclass(frozen=True)
class Keyring:
    """Keys by id, and the id of the one that signs. Keys never show in a repr.

    Raises:
        SettingError: no keys, an unusable id or key, or a signing id that is not among them.
    """

    keys: Mapping[str, bytes] = field(repr=False)
    signing: str

    def __post_init__(self) -> None:
        """Refuse keys that cannot sign."""
        for key_id, key in self.keys.items():
            _check_key(key_id, key)
        if self.signing not in self.keys:
            raise SettingError(f"The signing key {self.signing!r} is not among the keys {sorted(self.keys)}.")

    @classmethod
    def from_text(cls, text: str) -> "Keyring":
        """Keys written as `id:hex,id:hex`; the first one signs.

        Raises:
            SettingError: not of that form.

        >>> Keyring.from_text("2026:000102030405060708090a0b0c0d0e0f, 2025:" + "ff" * 16)
        Keyring(signing='2026')
        """
        keys: dict[str, bytes] = {}
        for entry in text.strip().split(","):
            key_id, separator, key = entry.strip().partition(":")
            if not separator:
                raise SettingError("A signing key has no id. Write id:hex, several separated by commas.")
            if key_id in keys:
                raise SettingError(f"The signing key id {key_id!r} comes twice.")
            keys[key_id] = _key_from_hex(key_id, key)
        return cls(keys, signing=next(iter(keys)))


def seal(payload: bytes, keyring: Keyring, kind: Kind = MODEL) -> bytes:
    """The payload in an envelope signed with the keyring's signing key.

    >>> ring = Keyring.from_text("2026:" + "ab" * 32)
    >>> open_sealed(seal(b"a model", ring), ring)
    b'a model'
    """
    key_id = keyring.signing.encode()
    header = _HEADER.pack(kind.magic, len(key_id), len(payload)) + key_id
    return b"".join((header, _sign(keyring.keys[keyring.signing], header, payload), payload))


def open_sealed(sealed: bytes, keyring: Keyring, kind: Kind = MODEL) -> bytes:
    """The payload of an envelope.

    Raises:
        ModelRefusedError: not an envelope of this kind, cut short or padded, of an unknown key, or signed wrongly.
    """
    what = kind.name
    if len(sealed) < _HEADER.size or not sealed.startswith(kind.magic):
        raise ModelRefusedError(
            f"A {what} of {len(sealed)} bytes is not signed. Only a learner with a key may publish."
        )
    _, id_bytes, payload_bytes = _HEADER.unpack_from(sealed)
    header_bytes = _HEADER.size + id_bytes
    expected = header_bytes + _SIGNATURE_BYTES + payload_bytes
    if len(sealed) != expected:
        raise ModelRefusedError(f"A signed {what} has {len(sealed)} bytes where its header says {expected}.")
    key_id = signed_by(sealed, kind)
    if key_id not in keyring.keys:
        raise ModelRefusedError(f"A {what} is signed with key {key_id!a}; known are {', '.join(sorted(keyring.keys))}.")
    header, body = sealed[:header_bytes], memoryview(sealed)[header_bytes:]
    signature, payload = body[:_SIGNATURE_BYTES], body[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(keyring.keys[key_id], header, payload)):
        raise ModelRefusedError(f"A {what}'s signature does not match key {key_id!a}. It was changed, or keys differ.")
    return bytes(payload)


def signed_by(sealed: bytes, kind: Kind) -> str:
    """The key that an envelope says it is signed with; "" for what is none of this kind. Nothing is verified.

    >>> signed_by(seal(b"a model", Keyring.from_text("2026:" + "ab" * 32)), MODEL)
    '2026'
    """
    if len(sealed) < _HEADER.size or not sealed.startswith(kind.magic):
        return ""
    _, id_bytes, _ = _HEADER.unpack_from(sealed)
    return sealed[_HEADER.size : _HEADER.size + id_bytes].decode("utf-8", "backslashreplace")


def payload_of(sealed: bytes, kind: Kind) -> bytes:
    """What an envelope holds, whoever signed it; what is no such envelope as it is. Nothing is verified.

    >>> payload_of(seal(b"a model", Keyring.from_text("2026:" + "ab" * 32)), MODEL)
    b'a model'
    """
    if not signed_by(sealed, kind):
        return sealed
    _, id_bytes, _ = _HEADER.unpack_from(sealed)
    return sealed[_HEADER.size + id_bytes + _SIGNATURE_BYTES :]


def sign(purpose: str, payload: bytes, keyring: Keyring) -> str:
    """The signature, in hexadecimal, of something that is no model, by the keyring's signing key.

    Args:
        purpose: what it is signed as: a signature for one purpose is none for another, nor for a model.
        payload: what is signed.
        keyring: with the key.

    >>> ring = Keyring.from_text("2026:" + "ab" * 32)
    >>> sign("receipt", b"ada", ring) == sign("letter", b"ada", ring)
    False
    """
    return _sign(keyring.keys[keyring.signing], _purpose(purpose), payload).hex()


def is_signed(purpose: str, payload: bytes, key_id: str, signature: str, keyring: Keyring) -> bool:
    """Whether `sign` made this signature with the key `key_id`; False for a key that is not in the keyring.

    >>> ring = Keyring.from_text("2026:" + "ab" * 32)
    >>> is_signed("receipt", b"ada", "2026", sign("receipt", b"ada", ring), ring)
    True
    """
    if key_id not in keyring.keys:
        return False
    expected = _sign(keyring.keys[key_id], _purpose(purpose), payload).hex()
    return hmac.compare_digest(signature.encode(), expected.encode())


def _purpose(name: str) -> bytes:
    """What comes before the payload; no model begins so."""
    return f"ebb {name}\n".encode()


def _sign(key: bytes, header: bytes, payload: "bytes | memoryview") -> bytes:
    """Over both, one after another: a learner has megabytes, which are not copied for it."""
    signing = hmac.new(key, header, sha256)
    signing.update(payload)
    return signing.digest()


def _key_from_hex(key_id: str, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        # Without the cause: its message would repeat part of a secret.
        raise SettingError(f"The signing key {key_id!r} is not hexadecimal.") from None


def _check_key(key_id: str, key: bytes) -> None:
    if not 1 <= len(key_id.encode()) <= KEY_ID_BYTES_AT_MOST:
        raise SettingError(f"The signing key id {key_id!r} must have 1 to {KEY_ID_BYTES_AT_MOST} bytes.")
    if len(key) < KEY_BYTES_AT_LEAST:
        raise SettingError(
            f"The signing key {key_id!r} has {len(key)} bytes; it needs {KEY_BYTES_AT_LEAST}. "
            "Write one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
