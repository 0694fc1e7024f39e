"""Explains a stored customer's probability by the model that gave it. It loads the scoring code: half a second once."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from ebb.models.stored import opened
from ebb.text import money
from ebb.views import View, customer_with_state, utc
from ebb.why import Figure, Reference, Share, Why
from schemas.money import exponent_of, major_units
from stream.actions.concept_words import in_full
from stream.errors import EbbError, LayoutError
from stream.features.columns import Natural, matrix_of, natural
from stream.features.model_columns import ENTRIES
from stream.features.natural_columns import NATURAL_COLUMNS
from stream.features.read_back import features_of
from stream.features.stored import unpack
from stream.redis_store.asking import Question
from stream.redis_store.lookup import StoredViews
from stream.scoring.documents import OutcomeDocument
from stream.scoring.explain import CONCEPT_NAMES
from stream.scoring.kinds import Model, probability
from stream.scoring.linear import FloatArray
from stream.scoring.reference import reference_row
from stream.scoring.serving import NO_MODEL, serving_model
from stream.scoring.shapley import logit, mixtures, shares
from stream.signing import Keyring

Figures = Mapping[str, float]


def why(
    views: StoredViews, keyring: Keyring, customer_id: str, outcome: str, at: datetime | None = None
) -> Question[Why]:
    """What makes a customer's probability what it is.

    Args:
        views: the deployment.
        keyring: verifies the model.
        customer_id: who.
        outcome: of what.
        at: when, if nothing arrives until then; UTC where it has no zone. None: when the view was decided.

    Raises:
        UnknownCustomerError: none of its events has been applied.
        ModelRefusedError: the model is not signed by a key of the ring, or of another layout.
        EbbError: there is no such outcome, or no probability of it, or the time is before the last event.
    """
    view, state = yield from customer_with_state(views, customer_id)
    _refuse_without_probability(view, outcome)
    document = yield from _document(views, keyring, outcome, view.scores[outcome].version)
    features = _features(view, state, at)
    return explained(view, document, features)


def explained(view: View, document: OutcomeDocument, features: Natural) -> Why:
    """The same of what is at hand.

    Args:
        view: the customer's.
        document: of the outcome; one of its candidates serves.
        features: of the customer alone.
    """
    serving, name = serving_model(document), document.serving
    if serving is None or name is None:
        raise _without_model(document.name)
    reference = reference_row(document)
    worth = _worth(serving, matrix_of(features), reference)
    logits = logit(worth)
    return Why(
        customer_id=view.customer_id,
        outcome=document.name,
        model=name,
        version=document.version,
        as_of_ms=int(features.now_ms[0]),
        logit=float(logits[-1]),
        probability=float(worth[-1]),
        shown_probability=view.scores[document.name].probability or 0.0,
        currency=view.currency,
        reference=Reference(
            who=f"the mean of {document.labels:,} sampled customers that {document.name} has been learned from",
            logit=float(logits[0]),
            probability=float(worth[0]),
        ),
        shares=_shares(shares(logits), shares(worth), _numbers(features), features_of(reference), view.currency),
    )


def _worth(model: Model, matrix: FloatArray, reference: FloatArray) -> FloatArray:
    """The model's probability of every mixture of one customer with the reference."""
    [worth] = mixtures(lambda rows: probability(model, rows), matrix, reference)
    return np.asarray(worth)


def _shares(
    logits: FloatArray, points: FloatArray, customer: Figures, reference: Figures, currency: str
) -> tuple[Share, ...]:
    def amount(minor: float) -> str:
        return money(major_units(round(minor), exponent_of(currency)), currency)

    found = [
        Share(
            concept=concept,
            logit=float(logits[place]),
            probability=float(points[place]),
            customer=in_full(concept, customer, amount),
            reference=in_full(concept, reference, amount),
            figures=_figures(concept, customer, reference, currency),
        )
        for place, concept in enumerate(CONCEPT_NAMES)
    ]
    return tuple(sorted(found, key=lambda share: -abs(share.logit)))


def _figures(concept: str, customer: Figures, reference: Figures, currency: str) -> tuple[Figure, ...]:
    names = dict.fromkeys(entry.feature for entry in ENTRIES if entry.concept == concept)
    found = []
    for name in names:
        unit, scale = NATURAL_COLUMNS[name].unit, 1.0
        if unit == "minor units":
            unit, scale = currency, 10.0 ** exponent_of(currency)
        both = (None if math.isnan(each[name]) else each[name] / scale for each in (customer, reference))
        of_customer, of_reference = both
        feature = name.removesuffix("_minor")
        found.append(Figure(feature=feature, unit=unit, customer=of_customer, reference=of_reference))
    return tuple(found)


def _numbers(features: Natural) -> Figures:
    """The features of the one customer."""
    rows = features.scored
    return {name: float(rows[name][0]) for name in rows.dtype.names or ()}


def _features(view: View, state: bytes | None, at: datetime | None) -> Natural:
    if state is None:
        raise LayoutError(f"Customer {view.customer_id!a} has a view but no record in Redis. Run `ebb verify`.")
    states = unpack([state])
    at_ms = view.as_of_ms if at is None else _ms(at)
    last_ms = int(states["features"]["last_event_ms"][0])
    if at is not None and at_ms < last_ms:
        raise EbbError(
            f"What was known of customer {view.customer_id!a} at {utc(at_ms):%Y-%m-%d %H:%M} UTC is not kept: an event "
            f"of {utc(last_ms):%Y-%m-%d %H:%M} UTC has been applied. Ask for a time from then on."
        )
    return natural(states, at_ms)


def _ms(time: datetime) -> int:
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _document(views: StoredViews, keyring: Keyring, outcome: str, version: str) -> Question[OutcomeDocument]:
    """The version that the view was decided by; the one in force where that is not kept any more."""
    sealed = yield from views.model(outcome, version)
    if sealed is None:
        in_force = yield from views.champion(outcome)
        version = in_force or version
        sealed = yield from views.model(outcome, version)
    if sealed is None:
        raise EbbError(f"Redis has no model of {outcome}, neither version {version} nor a later one. Start a learner.")
    document = opened(sealed, keyring, outcome, version)
    if not isinstance(document, OutcomeDocument):
        raise EbbError(f"{outcome} {version} is no model of an outcome.")
    return document


def _refuse_without_probability(view: View, outcome: str) -> None:
    score = view.scores.get(outcome)
    if score is None:
        raise EbbError(f"The view has no outcome {outcome!a}; it has {', '.join(view.scores)}.")
    if score.probability is not None:
        return
    if score.model == NO_MODEL:
        raise _without_model(outcome)
    if view.features.get("purchases") == 0:
        raise EbbError(f"Customer {view.customer_id!a} has never bought: there is no probability of {outcome}.")
    raise EbbError(
        f"Customer {view.customer_id!a} has no probability of {outcome}: the outcome asks who has bought on more days "
        "(docs/outcomes.md)."
    )


def _without_model(outcome: str) -> EbbError:
    return EbbError(f"There is no probability of {outcome} yet: a model needs 200 labels with both values.")
