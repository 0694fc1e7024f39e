"""Records about who a customer is, not about what one does: erasures, and merges of one id into another.

They take effect in their place in the log, applied by the owner of the customer's partition (docs/events.md).
"""

from typing import Annotated

from msgspec import Meta

from schemas.envelope import Envelope, Id, TimeMs


class Erasure(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="erasure"):
    """Nothing of the customer is kept. Its events up to `event_time_ms` count no more; later ones begin anew."""

    customer_id: Id


class Merge(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="merge"):
    """What `customer_id` did, and what comes under that id from now on, counts for the customer `into`."""

    customer_id: Id
    into: Id


class Arrival(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="arrival"):
    """Internal, the second half of a merge: `customer_id` gets what was taken out of another customer.

    `merged` are the ids whose events count for it from now on, the first one that of the merge, each since its place in
    `merged_ms`; `state` the packed record, empty if nothing was known, of `layout`. `event_time_ms` is when the merge
    was asked for.
    """

    customer_id: Id
    merged: Annotated[list[Id], Meta(min_length=1)]
    merged_ms: Annotated[list[TimeMs], Meta(min_length=1)]
    layout: str
    state: bytes = b""


class Release(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="release"):
    """Internal: who `customer_id` was merged into at `merged_ms` is erased, and so is `customer_id`, up to `erased_ms`.

    Its events count for itself again. `event_time_ms` is that of the erasure.
    """

    customer_id: Id
    merged_ms: TimeMs
    erased_ms: TimeMs


IdentityRecord = Erasure | Merge | Arrival | Release
