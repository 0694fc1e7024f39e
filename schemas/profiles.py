"""What a customer says about themselves, or a shop knows of them. Each profile replaces the one before as a whole."""

from typing import Annotated

from msgspec import Meta

from schemas.envelope import Amount, Channel, Envelope, Id, Name


class Profile(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="profile"):
    """A customer's profile; what is absent is unknown. A guest has none.

    `income` is per year in major units of the reporting currency, `consent` whether marketing may use the profile,
    `time_zone` an IANA name such as "Europe/London".
    """

    customer_id: Id
    age: Annotated[int, Meta(ge=0, le=150)] | None = None
    gender: Name | None = None
    income: Amount | None = None
    region: Name | None = None
    education: Name | None = None
    preferred_channel: Channel | None = None
    loyalty_tier: Name | None = None
    consent: bool | None = None
    time_zone: Name | None = None
