"""What is kept of an id that was erased or merged, and whom an event of it counts for.

It is kept under a hash of the id: an erased customer's id itself is stored nowhere.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from schemas.partition import murmur2


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an id.

    Attributes:
        erased_ms: events of this id up to then are dropped; 0 where it was never erased.
        into: the customer that its events count for; empty where that is itself.
        merged_ms: when it was merged into that one.
        others: the ids whose events count for this one.
        topic, offset: the record that led to this.
        removed: what that record took out: name -> how many.
    """

    erased_ms: int = 0
    into: str = ""
    merged_ms: int = 0
    others: Sequence[str] = ()
    topic: str = ""
    offset: int = -1
    removed: Mapping[str, int] = {}

    @property
    def is_gone(self) -> bool:
        """Whether some events of this id count no more, or for another."""
        return bool(self.erased_ms or self.into)

    def drops(self, event_time_ms: int, merged_ms: int = 0) -> bool:
        """Whether an event was erased.

        Args:
            event_time_ms: its time.
            merged_ms: when the id that it came with was merged into this one, 0 for an event of this id. Who was
                erased before that has not erased what the other did.
        """
        return event_time_ms <= self.erased_ms and merged_ms <= self.erased_ms


UNKNOWN = Identity()

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Identity)


def pack_identity(identity: Identity) -> bytes:
    """The stored form.

    >>> pack_identity(Identity(erased_ms=7))
    b'{"erased_ms":7}'
    """
    return _encoder.encode(identity)


def unpack_identity(packed: bytes) -> Identity:
    """An identity as stored."""
    return _decoder.decode(packed)


def name_of(customer: str) -> str:
    """The name that an id's identity is kept under; the first eight digits are its murmur2.

    >>> name_of("17850")
    '7fe95f5f24a73559633542e6ccf21560'
    """
    key = customer.encode()
    return f"{murmur2(key):08x}{blake2b(key, digest_size=12).hexdigest()}"


def counts_for(customer: str, event_time_ms: int, identities: Mapping[str, Identity]) -> str | None:
    """Whom an event counts for once everything has arrived; None where it was erased.

    Args:
        customer: the id that it came with.
        event_time_ms: its time.
        identities: by name, of all partitions.

    >>> merged = {name_of("visitor-7"): Identity(into="ada", merged_ms=9), name_of("bob"): Identity(erased_ms=5)}
    >>> [counts_for(*event, merged) for event in (("visitor-7", 3), ("bob", 5), ("bob", 6), ("ada", 1))]
    ['ada', None, 'bob', 'ada']
    """
    merged_ms = 0
    for _ in range(len(identities) + 1):
        known = identities.get(name_of(customer), UNKNOWN)
        if known.drops(event_time_ms, merged_ms):
            return None
        if not known.into:
            break
        customer, merged_ms = known.into, known.merged_ms
    return customer
