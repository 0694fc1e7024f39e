"""What every event carries, whatever its kind, and the types its fields are made of."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

ID_BYTES_MAX = 128
QUANTITY_MAX = 1_000_000_000  # units on one line; the sum over the longest event decoded stays far inside 64 bits

_HARMLESS = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"}

Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ID_BYTES_MAX,
        description="An identifier: 1 to 128 bytes of UTF-8 without control characters",
        extra_json_schema=_HARMLESS,
    ),
]
"""An identifier. msgspec bounds its characters, `schemas.identifiers` its bytes; it refuses control characters too."""

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ID_BYTES_MAX,
        description="A name from a list of the shop's own: 1 to 128 bytes of UTF-8 without control characters",
        extra_json_schema=_HARMLESS,
    ),
]
"""A name from a list of the shop's own: a category, a loyalty tier, a region. Bounded like an identifier."""

Text = Annotated[str, Meta(max_length=65_536, description="What a person wrote")]
"""What a person wrote: a search, a review."""

Amount = Annotated[
    str,
    Meta(
        description='Money in major units as a decimal string, for example "12.50"',
        extra_json_schema={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,9})?$"},
    ),
]
"""A non-negative amount of money in major units, as the decimal string of the wire.

It stays a string: a Decimal would nearly double the cost of an order (docs/events.md has the figures) and would read
"1_000" and "NaN" as well. `schemas.money` turns it into exact integers.
"""

Currency = Annotated[str, Meta(description="ISO 4217 code; it must be the reporting currency", examples=["GBP"])]
Quantity = Annotated[int, Meta(gt=0, le=QUANTITY_MAX)]
Channel = Literal["online", "in_store", "app"]
TimeMs = Annotated[int, Meta(description="Milliseconds since 1970, UTC")]
Version = Annotated[int, Meta(ge=1)]


class Envelope(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="type"):
    """The fields all kinds of event share.

    `event_id` makes the event known again when it is sent twice. Guests have no `customer_id`. `event_time_ms` is when
    it happened, in milliseconds since 1970, UTC. A `schema_version` above 1 is read if `compatible_with` says that
    readers of version 1 can (docs/events.md).
    """

    event_id: Id
    event_time_ms: TimeMs
    customer_id: Id | None = None
    schema_version: Version = 1
    compatible_with: Version | None = None
