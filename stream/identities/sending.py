"""What erasures and merges send from one customer to another, as drafts of the commit that applies them."""

import msgspec

from schemas.identities import Arrival, Erasure, Release
from schemas.origin import Origin, headers_of
from schemas.topics import REROUTED
from stream.changes import Changes
from stream.drafts import CopyDraft, message_id
from stream.features.layout import LAYOUT
from stream.identities.known import Identity, Onward

_json = msgspec.json.Encoder()


def send_arrival(
    event_id: str, customer: str, merged: Identity, state: bytes, origin: Origin, changes: Changes
) -> None:
    """What was taken out of `customer`, to the one it is merged into now.

    Args:
        event_id: of this merge.
        customer: the one who goes.
        merged: what became of it.
        state: its packed record, empty if nothing was known.
        origin: where the record was written that led to this.
        changes: what to add it to.
    """
    ids = {customer: merged.merged_ms, **merged.others}
    arrival = Arrival(
        event_id=event_id,
        event_time_ms=merged.merged_ms,
        customer_id=customer,
        merged=list(ids),
        merged_ms=list(ids.values()),
        layout=LAYOUT,
        state=state,
    )
    send_on(arrival, Onward(merged.into, ((customer, merged.merged_ms),)), merged, origin, changes)


def send_release(
    because_of: Erasure | Arrival, customer: str, merged_ms: int, erased_ms: int, origin: Origin, changes: Changes
) -> None:
    """To an id whose merge at `merged_ms` has ended."""
    release = release_of(customer, merged_ms, erased_ms, because_of.event_time_ms)
    _send(release, msgspec.structs.replace(origin, hops=0, path=()), changes)


def release_of(customer: str, merged_ms: int, erased_ms: int, event_time_ms: int) -> Release:
    """What tells an id that its merge at `merged_ms` has ended; told twice it is told once."""
    return Release(
        event_id=message_id("release", customer, merged_ms, erased_ms),
        event_time_ms=event_time_ms,
        customer_id=customer,
        merged_ms=merged_ms,
        erased_ms=erased_ms,
    )


def send_on(record: Erasure | Arrival, onward: Onward, identity: Identity, origin: Origin, changes: Changes) -> None:
    """To another customer; under an id of this hop, which no other has. Who gets it back is released before."""
    if onward.ended_ms:
        send_release(record, onward.to, onward.ended_ms, identity.erased_ms, origin, changes)
    sent = origin.sent_on(onward.path)
    event_id = message_id(type(record).__struct_config__.tag, record.event_id, onward.to, sent.hops)
    _send(msgspec.structs.replace(record, event_id=event_id, customer_id=onward.to), sent, changes)


def _send(record: Erasure | Arrival | Release, origin: Origin, changes: Changes) -> None:
    """To the partition of the record's customer, by way of the outbox."""
    order = (0, 1, 0, record.customer_id, "identity")
    key, value = record.customer_id.encode(), _json.encode(record)
    changes.drafts.append(CopyDraft(order, REROUTED, key, value, headers_of(origin), holds_with_commit=True))
