"""What customers do: purchases, refunds and engagement, as they travel on Kafka (docs/events.md)."""

from typing import Annotated

from msgspec import Meta, Struct

from schemas.clock import ClockRecord
from schemas.envelope import QUANTITY_MAX, Amount, Channel, Currency, Envelope, Id, Name, Quantity, Text
from schemas.identities import IdentityRecord
from schemas.profiles import Profile

NOTHING = "0"


class OrderLine(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One product of an order: `quantity` × `unit_price` − `discount`, which is off the whole line."""

    product_id: Id
    quantity: Quantity
    unit_price: Amount
    discount: Amount = NOTHING
    category: Name | None = None


class RefundLine(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One product given back. The sign of `quantity` says nothing: shops write 2 and -2 for the same."""

    product_id: Id
    quantity: Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX, extra_json_schema={"not": {"const": 0}})]
    unit_price: Amount
    discount: Amount = NOTHING
    category: Name | None = None


class Purchase(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="purchase"):
    """An order: everything bought at once, in one currency."""

    currency: Currency
    lines: Annotated[list[OrderLine], Meta(min_length=1)]
    channel: Channel = "online"


class Refund(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="refund"):
    """Goods given back. `purchase_id` is the event_id of the purchase, where the shop knows it."""

    currency: Currency
    lines: Annotated[list[RefundLine], Meta(min_length=1)]
    channel: Channel = "online"
    purchase_id: Id | None = None


class PageView(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="page_view"):
    """A page of the shop was opened."""


class ProductView(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="product_view"):
    """A product's page was opened."""

    product_id: Id


class Search(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="search"):
    """The shop was searched."""

    query: Text


class AddToCart(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="add_to_cart"):
    """A product was put in the cart."""

    product_id: Id
    quantity: Quantity = 1


class RemoveFromCart(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="remove_from_cart"):
    """A product was taken out of the cart."""

    product_id: Id
    quantity: Quantity = 1


class Session(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="session"):
    """A visit ended; `event_time_ms` is its end."""

    duration_ms: Annotated[int, Meta(ge=0, le=31_622_400_000)]  # at most a leap year: more is a broken clock


class EmailSent(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="email_sent"):
    """A mail of a campaign was sent."""

    campaign_id: Id


class EmailOpen(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="email_open"):
    """A mail was opened."""

    campaign_id: Id | None = None


class EmailClick(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="email_click"):
    """A link in a mail was followed."""

    campaign_id: Id | None = None


class AdImpression(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ad_impression"):
    """An advertisement was shown."""

    campaign_id: Id | None = None


class AdClick(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="ad_click"):
    """An advertisement was followed."""

    campaign_id: Id | None = None


class CampaignExposure(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="campaign_exposure"):
    """The customer was put under a campaign, whatever its medium."""

    campaign_id: Id


class CouponRedemption(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="coupon_redemption"):
    """A coupon was redeemed."""

    coupon_id: Id
    campaign_id: Id | None = None


class SocialShare(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="social_share"):
    """Something of the shop was shared."""

    network: Name | None = None


class Review(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="review"):
    """A rating of 1 (worst) to 5 (best), of a product or of the shop."""

    rating: Annotated[int, Meta(ge=1, le=5)]
    product_id: Id | None = None
    text: Text | None = None


class SupportContact(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="support_contact"):
    """The customer asked for help."""

    topic: Name | None = None


class LoyaltyChange(Envelope, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag="loyalty_change"):
    """The customer is now in `tier`; `points` is the change of the balance, negative when spent."""

    tier: Name
    points: Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)] | None = None


Engagement = (
    PageView
    | ProductView
    | Search
    | AddToCart
    | RemoveFromCart
    | Session
    | EmailSent
    | EmailOpen
    | EmailClick
    | AdImpression
    | AdClick
    | CampaignExposure
    | CouponRedemption
    | SocialShare
    | Review
    | SupportContact
    | LoyaltyChange
)
Event = Purchase | Refund | Engagement | Profile
"""What can happen to a customer's state."""

Input = Event | IdentityRecord | ClockRecord
"""What an input topic can carry."""
