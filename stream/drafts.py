"""Messages before they are numbered: collected in any order, published in the order of what caused them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from schemas.origin import TIMELINE

Order = tuple[int, int, int, str, str]
"""(record index, 0 for a deadline and 1 for a record, deadline in ms, customer, kind)."""


class Outgoing(msgspec.Struct, frozen=True):
    """A message as it waits in the outbox: what the producer is handed."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = []


class MessageDraft(msgspec.Struct, frozen=True):
    """A message to come: `build(partition=…, sequence=…, **fields)` makes it."""

    order: Order
    topic: str
    key: str
    build: type[msgspec.Struct]
    fields: Mapping[str, Any]

    def outgoing(self, partition: int, sequence: int, _timeline: str = "") -> Outgoing:
        """The message with its number."""
        message = self.build(partition=partition, sequence=sequence, **self.fields)
        return Outgoing(self.topic, self.key.encode(), _json.encode(message))


class CopyDraft(msgspec.Struct, frozen=True):
    """A record passed on, a dead letter or one sent to its own partition: its bytes, and in the headers where from.

    `holds_with_commit`: whoever reads it asks first whether Redis still knows of the commit that sent it.
    """

    order: Order
    topic: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    holds_with_commit: bool = False

    def outgoing(self, partition: int, sequence: int, timeline: str = "") -> Outgoing:
        """The copy with its number."""
        headers = self.headers | {"partition": str(partition), "sequence": str(sequence)}
        headers |= {TIMELINE: timeline} if self.holds_with_commit else {}
        return Outgoing(self.topic, self.key, self.value, [(name, text.encode()) for name, text in headers.items()])


Draft = MessageDraft | CopyDraft

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Outgoing)
_json = msgspec.json.Encoder()


def pack_outgoing(message: Outgoing) -> bytes:
    """The stored form of a waiting message."""
    return _encoder.encode(message)


def unpack_outgoing(packed: bytes) -> Outgoing:
    """A waiting message as stored.

    >>> unpack_outgoing(pack_outgoing(Outgoing("labels", b"17850", b"{}")))
    Outgoing(topic='labels', key=b'17850', value=b'{}', headers=[])
    """
    return _decoder.decode(packed)


def message_id(*parts: object) -> str:
    """A deterministic id of what a message is about.

    >>> message_id("churn-alert.opened", "17850", 1) == message_id("churn-alert.opened", "17850", 1)
    True
    """
    text = "\x1f".join(map(str, parts))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def in_order(drafts: Iterable[Draft]) -> list[Draft]:
    """The drafts of one step, sorted by what caused them."""
    return sorted(drafts, key=lambda draft: draft.order)


def number(ordered: Sequence[Draft], partition: int, last_sequence: int, timeline: str = "") -> list[tuple[int, bytes]]:
    """Give out sequence numbers, pack.

    Args:
        ordered: the drafts of one step, as `in_order` gives them.
        partition: whose outbox they go to.
        last_sequence: the number of the last message put in it.
        timeline: of the commit, as `schemas.origin.Sender` has it.
    """
    return [
        (sequence, pack_outgoing(draft.outgoing(partition, sequence, timeline)))
        for sequence, draft in enumerate(ordered, start=last_sequence + 1)
    ]
