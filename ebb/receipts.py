"""Receipts of erasures: what was erased, when and by which record, signed so that nobody can change it unseen."""

from collections.abc import Mapping, Sequence

import msgspec

from stream.errors import EbbError
from stream.signing import Keyring, is_signed, sign

PURPOSE = "erasure receipt"


class ReceiptError(EbbError):
    """A receipt cannot be read, or is not what was signed."""


class Receipt(msgspec.Struct, frozen=True):
    """What an erasure has done.

    Attributes:
        customer_id: who was erased.
        also: ids that were merged with it, erased as well.
        erased_ms: events up to then are gone, ms since 1970, UTC; later ones begin a new customer.
        issued_ms: when the receipt was written.
        topic, partition, offset: the record that did it.
        removed: what was there, name -> how many.
        key_id: of the key that signed it.
        signature: HMAC-SHA256 over all other fields.
    """

    customer_id: str
    also: Sequence[str]
    erased_ms: int
    issued_ms: int
    topic: str
    partition: int
    offset: int
    removed: Mapping[str, int]
    key_id: str = ""
    signature: str = ""


_encoder = msgspec.json.Encoder(order="deterministic")


def signed(receipt: Receipt, keyring: Keyring) -> Receipt:
    """The receipt with its signature."""
    named = msgspec.structs.replace(receipt, key_id=keyring.signing, signature="")
    return msgspec.structs.replace(named, signature=sign(PURPOSE, _encoder.encode(named), keyring))


def encode_receipt(receipt: Receipt) -> bytes:
    """One line of JSON."""
    return _encoder.encode(receipt)


def verified(text: bytes, keyring: Keyring) -> Receipt:
    """The receipt in a text.

    Raises:
        ReceiptError: it is none, or its signature is wrong.
    """
    try:
        receipt = msgspec.json.decode(text, type=Receipt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReceiptError(f"This is no receipt of an erasure: {error}.") from error
    unsigned = msgspec.structs.replace(receipt, signature="")
    if receipt.key_id not in keyring.keys:
        known = ", ".join(sorted(keyring.keys))
        raise ReceiptError(f"The receipt is signed with key {receipt.key_id!r}; known are {known} (EBB_MODEL_KEYS).")
    if not is_signed(PURPOSE, _encoder.encode(unsigned), receipt.key_id, receipt.signature, keyring):
        raise ReceiptError(f"The signature does not match key {receipt.key_id!r}: the receipt was changed.")
    return receipt
