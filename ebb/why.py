"""Why a customer has the probability it has, as readers get it. `ebb.explaining` makes it."""

from datetime import datetime

import msgspec

from ebb.views import utc


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that a concept is made of, of both customers; None is unknown.

    `unit` is a currency code for money, which is in major units. Of the reference customer a count that is not known
    for some counts as 0 for them.
    """

    feature: str
    unit: str
    customer: float | None
    reference: float | None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What a concept adds.

    Attributes:
        concept: silence, frequency, spend, engagement, age or refunds.
        logit: what it adds to the logit of the reference customer.
        probability: what it adds to its probability, -1 to 1.
        customer: the concept of this customer, in words.
        reference: the same of the reference customer.
        figures: the features behind it.
    """

    concept: str
    logit: float
    probability: float
    customer: str
    reference: str
    figures: tuple[Figure, ...]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The customer that others are compared with: who it is in words, and what the model says of it."""

    who: str
    logit: float
    probability: float


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """Why a customer has the probability it has.

    The logits of `shares` and that of the reference add up to `logit`, their probabilities to `probability`: to 1e-9,
    for every kind of model. What a model goes by is no cause.

    Attributes:
        customer_id: whose probability it is.
        outcome: of what.
        model, version: which candidate of which document said so.
        as_of_ms: at this time, if nothing has arrived since the last event.
        logit, probability: what it says.
        shown_probability: what the view shows, rounded to six decimals; of another time, or of before an event that is
            not decided yet, it may be another one.
        currency: of money.
        reference: whom the customer is compared with.
        shares: what each concept adds, the most first, whichever way.
    """

    customer_id: str
    outcome: str
    model: str
    version: str
    as_of_ms: int
    logit: float
    probability: float
    shown_probability: float
    currency: str
    reference: Reference
    shares: tuple[Share, ...]

    @property
    def as_of(self) -> datetime:
        """The time of the probability, UTC."""
        return utc(self.as_of_ms)

    def to_json(self) -> str:
        """All of it as one JSON object."""
        return msgspec.json.encode(self).decode()
