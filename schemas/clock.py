"""The clock of a replay: it says to one partition that history has come to a moment."""

from typing import Annotated

from msgspec import Meta, Struct, field

from schemas.envelope import TimeMs, Version


class ClockRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="clock"):
    """Stream time is now `time_ms`, in milliseconds since 1970, UTC.

    `ends` is how much of the other topics belongs to the time before: for each topic the next offset of this partition
    that the replay had written when it wrote this record.
    """

    time_ms: TimeMs
    ends: dict[str, Annotated[int, Meta(ge=0)]] = field(default_factory=dict)
    schema_version: Version = 1
    compatible_with: Version | None = None
