"""Reasons are sentences a person would say."""

import numpy as np
import pytest

from stream.actions import reasons
from stream.actions.reasons import WORDS, in_words
from stream.scoring.explain import CONCEPT_NAMES, NO_CONCEPT
from tests.world import World

NAN = float("nan")
ADA = {
    "since_last_purchase_days": 41.3,
    "since_first_purchase_days": 300.0,
    "mean_gap_days": 12.0,
    "purchase_days": 9,
    "decayed_count_90d": 1.46,
    "net_spend_365d_minor": 1_234_567.0,
    "refund_share": 0.256,
}


def said(concepts, customer, currency="GBP", exponent=2):
    codes = [CONCEPT_NAMES.index(concept) for concept in concepts] + [NO_CONCEPT] * (2 - len(concepts))
    figures = {name: np.array([value]) for name, value in customer.items()}
    return in_words(np.array([codes]), figures, currency, exponent)[0]


@pytest.mark.parametrize(
    ("concept", "figures", "sentence"),
    [
        ("silence", {}, "no purchase for 41 days, usual gap 12"),
        ("silence", {"since_last_purchase_days": 1.2}, "no purchase for 1 day, usual gap 12"),
        ("silence", {"since_last_purchase_days": 0.6}, "no purchase for 1 day, usual gap 12"),
        ("silence", {"since_last_purchase_days": 0.2}, "bought less than a day ago, usual gap 12"),
        ("silence", {"mean_gap_days": NAN}, "no purchase for 41 days"),
        ("silence", {"since_last_purchase_days": NAN, "mean_gap_days": NAN}, "no purchase yet"),
        ("frequency", {}, "bought on 9 days, 1.5 orders in recent months"),
        ("frequency", {"purchase_days": 1}, "bought on 1 day, 1.5 orders in recent months"),
        ("frequency", {"purchase_days": 0, "decayed_count_90d": 0.0}, "bought on 0 days, 0.0 orders in recent months"),
        ("spend", {}, "net spend of the last year 12,346 GBP"),
        ("spend", {"net_spend_365d_minor": -4_950.0}, "net spend of the last year -50 GBP"),
        ("age", {}, "first bought 300 days ago"),
        ("age", {"since_first_purchase_days": 1.0}, "first bought 1 day ago"),
        ("age", {"since_first_purchase_days": 0.1}, "first bought less than a day ago"),
        ("age", {"since_first_purchase_days": NAN}, "no purchase yet"),
        ("refunds", {}, "26 % of spend refunded"),
        ("engagement", {}, "little engagement lately"),
    ],
)
def test_a_concept_in_words(concept, figures, sentence):
    assert said([concept], ADA | figures) == [sentence]


def test_spend_is_said_in_major_units_of_the_currency():
    assert said(["spend"], ADA, "JPY", exponent=0) == ["net spend of the last year 1,234,567 JPY"]


def test_every_concept_has_words():
    assert set(WORDS) == set(CONCEPT_NAMES)


def test_the_most_important_comes_first_and_nothing_is_said_twice():
    assert said(["spend", "silence"], ADA)[0].startswith("net spend")
    nobody = ADA | {"since_last_purchase_days": NAN, "since_first_purchase_days": NAN}
    assert said(["silence", "age"], nobody) == ["no purchase yet"]


def test_where_nothing_raises_the_probability_the_silence_is_told():
    assert said([], ADA) == ["no purchase for 41 days, usual gap 12"]


def test_views_of_one_chunk_have_their_own_reasons():
    world = World().purchase("ada", day=0).purchase("bob", day=3).silence_until(day=10)
    assert world.view("ada").reasons == ["no purchase for 7 days"]  # asked again a week after its purchase
    assert world.view("bob").reasons == ["no purchase for 7 days"]
    assert World().page_view("cy", day=0).view("cy").reasons == ["no purchase yet"]


def test_sentences_stay_right_when_all_that_were_known_are_forgotten(monkeypatch):
    monkeypatch.setattr(reasons, "SENTENCES_KEPT", 2)
    for days in (3.0, 5.0, 41.3, 3.0):
        told = said(["silence"], ADA | {"since_last_purchase_days": days}, currency="SEK")
        assert told == [f"no purchase for {days:.0f} days, usual gap 12"]
    assert len(reasons._sentences("SEK")) <= 2
