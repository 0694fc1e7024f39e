"""A receipt says what was signed, or is refused."""

import msgspec
import pytest

from ebb.receipts import Receipt, ReceiptError, encode_receipt, signed, verified
from stream.errors import ModelRefusedError
from stream.signing import Keyring, open_sealed, seal

RING = Keyring.from_text("2026:" + "ab" * 32)
RECEIPT = Receipt(
    customer_id="Zoë",
    also=["visitor-7"],
    erased_ms=7,
    issued_ms=9,
    topic="events.profiles",
    partition=3,
    offset=412,
    removed={"states": 1},
)


def test_a_receipt_is_what_was_signed_also_after_the_next_key():
    made = signed(RECEIPT, RING)
    later = Keyring.from_text("2027:" + "cd" * 32 + ",2026:" + "ab" * 32)
    assert verified(encode_receipt(made), later) == made
    assert (made.key_id, made.customer_id) == ("2026", "Zoë")


@pytest.mark.parametrize(
    "changes",
    [
        {"customer_id": "Zoe"},
        {"also": []},
        {"erased_ms": 8},
        {"issued_ms": 10},
        {"topic": "events.purchases"},
        {"partition": 2},
        {"offset": 411},
        {"removed": {"states": 0}},
        {"signature": ""},
        {"signature": "é"},
        {"key_id": "2025"},
    ],
)
def test_a_changed_receipt_is_refused(changes):
    forged = msgspec.structs.replace(signed(RECEIPT, RING), **changes)
    with pytest.raises(ReceiptError):
        verified(encode_receipt(forged), RING)


@pytest.mark.parametrize("text", [b"", b"{}", b"[" * 100_000, b"\xff", encode_receipt(RECEIPT)[:-9]])
def test_what_is_no_receipt_is_refused(text):
    with pytest.raises(ReceiptError):
        verified(text, RING)


def test_a_receipt_is_no_model_and_a_model_no_receipt():
    with pytest.raises(ModelRefusedError):
        open_sealed(encode_receipt(signed(RECEIPT, RING)), RING)
    with pytest.raises(ReceiptError):
        verified(seal(encode_receipt(RECEIPT), RING), RING)
