"""What is kept of an id that was erased or merged, and whom an event of it counts for.

It is kept under a hash of the id: an erased customer's id itself is stored nowhere.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from schemas.origin import Path
from schemas.partition import murmur2


class Onward(NamedTuple):
    """Where something goes on to that has come to a customer.

    Attributes:
        to: the other customer.
        path: by which merges it will have come there.
        ended_ms: when the merge was by which it came and now goes back, having ended; 0 where it goes by another.
    """

    to: str
    path: Path
    ended_ms: int = 0


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an id.

    Attributes:
        erased_ms: events of this id up to then are dropped; 0 where it was never erased.
        into: the customer that its events count for; empty where that is itself.
        merged_ms: when it was merged into that one; of a merge that did not hold, too.
        went_ms: the latest event that went with such a merge, or merge into it: whatever ends one has erased all that.
        again_ms: when the same merge was asked for last, if more than once: it holds anew if that was after its end.
        others: the ids whose events count for this one -> when each was merged; of an alias those of before.
        topic, offset: the record that led to this.
        removed: what that record took out: name -> how many.
    """

    erased_ms: int = 0
    into: str = ""
    merged_ms: int = 0
    went_ms: int = 0
    again_ms: int = 0
    others: Mapping[str, int] = {}
    topic: str = ""
    offset: int = -1
    removed: Mapping[str, int] = {}

    @property
    def is_gone(self) -> bool:
        """Whether some events of this id count no more, or for another."""
        return bool(self.erased_ms or self.into)

    def has_ended(self, path: Path) -> bool:
        """Whether the merge by which something came to this id has ended, since this id was erased after it."""
        return bool(path) and path[-1][1] <= self.erased_ms

    def drops(self, event_time_ms: int, path: Path = ()) -> bool:
        """Whether an event of this id was erased; what came by a merge is for the one who sent it to say."""
        return not path and event_time_ms <= self.erased_ms

    def onward(self, customer: str, path: Path = ()) -> Onward | None:
        """Where something goes on to that came to `customer`, whose identity this is; None where it stays.

        What came by a merge that has ended goes back: the other is its own again, and is told so before.

        >>> Identity(into="ada", merged_ms=9).onward("visitor-7")
        Onward(to='ada', path=(('visitor-7', 9),), ended_ms=0)
        >>> Identity(erased_ms=12).onward("ada", (("visitor-7", 9),))
        Onward(to='visitor-7', path=(), ended_ms=9)
        """
        if self.has_ended(path):
            (came_from, merged_ms), path = path[-1], path[:-1]
            return Onward(came_from, path, merged_ms)
        return Onward(self.into, (*path, (customer, self.merged_ms))) if self.into else None


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


def latest(others: Mapping[str, int], more: Mapping[str, int], customer: str) -> dict[str, int]:
    """Ids whose events count for `customer` -> when each was merged last; it is none of them itself.

    >>> latest({"visitor-7": 9}, {"visitor-7": 5, "visitor-8": 5, "ada": 7}, "ada")
    {'visitor-7': 9, 'visitor-8': 5}
    """
    joined = {name: max(others.get(name, 0), more.get(name, 0)) for name in {**others, **more}}
    joined.pop(customer, None)
    return joined


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
    if identities.get(name_of(customer), UNKNOWN).drops(event_time_ms):
        return None
    for _ in range(len(identities) + 1):
        into = identities.get(name_of(customer), UNKNOWN).into
        if not into:
            break
        customer = into
    return customer
