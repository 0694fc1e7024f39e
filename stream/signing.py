"""Models travel signed: whoever can write to Redis but has no key cannot change what customers are told.

A sealed document is one envelope: magic, key id, lengths, HMAC-SHA256 over everything else, payload. Keys have ids, so
that a new key can sign while documents of the old one are still accepted.
"""

import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from stream.errors import ModelRefusedError, SettingError

MAGIC = b"EBBMODL1"
KEY_BYTES_AT_LEAST = 16  # 128 bits: shorter keys can be guessed
KEY_ID_BYTES_AT_MOST = 64

_HEADER = struct.Struct("<8sHI")  # magic, bytes of key id, bytes of payload
_SIGNATURE_BYTES = sha256().digest_size


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


def seal(payload: bytes, keyring: Keyring) -> bytes:
    """The payload in an envelope signed with the keyring's signing key.

    >>> ring = Keyring.from_text("2026:" + "ab" * 32)
    >>> open_sealed(seal(b"a model", ring), ring)
    b'a model'
    """
    key_id = keyring.signing.encode()
    header = _HEADER.pack(MAGIC, len(key_id), len(payload)) + key_id
    return header + _sign(keyring.keys[keyring.signing], header, payload) + payload


def open_sealed(sealed: bytes, keyring: Keyring) -> bytes:
    """The payload of an envelope.

    Raises:
        ModelRefusedError: not an envelope, cut short or padded, of an unknown key, or signed wrongly.
    """
    if len(sealed) < _HEADER.size or not sealed.startswith(MAGIC):
        raise ModelRefusedError(f"A model of {len(sealed)} bytes is not signed. Only a learner with a key may publish.")
    _, id_bytes, payload_bytes = _HEADER.unpack_from(sealed)
    header_bytes = _HEADER.size + id_bytes
    expected = header_bytes + _SIGNATURE_BYTES + payload_bytes
    if len(sealed) != expected:
        raise ModelRefusedError(f"A signed model has {len(sealed)} bytes where its header says {expected}.")
    key_id = sealed[_HEADER.size : header_bytes].decode("utf-8", "backslashreplace")
    if key_id not in keyring.keys:
        raise ModelRefusedError(f"A model is signed with key {key_id!r}; known are {', '.join(sorted(keyring.keys))}.")
    header, rest = sealed[:header_bytes], sealed[header_bytes:]
    signature, payload = rest[:_SIGNATURE_BYTES], rest[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _sign(keyring.keys[key_id], header, payload)):
        raise ModelRefusedError(f"A model's signature does not match key {key_id!r}. It was changed, or keys differ.")
    return payload


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


def _sign(key: bytes, header: bytes, payload: bytes) -> bytes:
    return hmac.new(key, header + payload, sha256).digest()


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
