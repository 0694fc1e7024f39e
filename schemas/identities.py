"""Records about who a customer is, not about what one does: erasures, and merges of one id into another.

They take effect in their place in the log, applied by the owner of the customer's partition (docs/events.md).
"""

from typing import Annotated

from msgspec import Meta

from schemas.envelope import Envelope, Id


class Erasure(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="erasure"):
    """Nothing of the customer is kept. Its events up to `event_time_ms` count no more; later ones begin anew."""

    customer_id: Id


class Merge(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="merge"):
    """What `customer_id` did, and what comes under that id from now on, counts for the customer `into`."""

    customer_id: Id
    into: Id


class Arrival(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="arrival"):
    """Internal, the second half of a merge: `customer_id` gets what was taken out of another customer.

    `merged` are the ids whose events count for it from now on, the first one that of the merge; `path` the ids that the
    arrival has come through; `state` the packed record, empty if nothing was known, of `layout`. `event_time_ms` is
    when the merge was asked for.
    """

    customer_id: Id
    merged: Annotated[list[Id], Meta(min_length=1)]
    path: list[Id]
    layout: str
    state: bytes = b""


IdentityRecord = Erasure | Merge | Arrival
