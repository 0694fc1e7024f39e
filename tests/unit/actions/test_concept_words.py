"""Every concept of a customer in words."""

import math

import pytest

from stream.actions.concept_words import in_full
from stream.scoring.explain import CONCEPT_NAMES
from tests.unit.actions.test_reasons_in_words import ADA as BOUGHT

ADA = BOUGHT | {"browsing_count": 12, "add_to_cart_count": 1, "answer_count": 0.3, "support_contact_count": 2}


@pytest.mark.parametrize(
    ("concept", "figures", "words"),
    [
        ("silence", {}, "no purchase for 41 days, usual gap 12"),
        ("silence", {"mean_gap_days": math.nan}, "no purchase for 41 days, usual gap unknown"),
        ("frequency", {}, "bought on 9 days, 1.5 orders in recent months"),
        ("spend", {}, "net spend of the last year £ 1,234,567 in pence"),
        ("age", {}, "first bought 300 days ago"),
        ("refunds", {}, "26 % of spend refunded"),
        ("engagement", {}, "12 pages and searches, 1 put into the cart, 2 contacts with support"),
        ("engagement", {"browsing_count": 1, "add_to_cart_count": 0, "support_contact_count": 0}, "1 page or search"),
        (
            "engagement",
            {"browsing_count": 0.2, "add_to_cart_count": 0.4, "support_contact_count": 0},
            "no engagement known",
        ),
    ],
)
def test_a_concept_is_said_of_anybody(concept, figures, words):
    assert in_full(concept, ADA | figures, "£ {:,.0f} in pence".format) == words


def test_every_concept_can_be_said():
    assert {concept: bool(in_full(concept, ADA, str)) for concept in CONCEPT_NAMES} == dict.fromkeys(
        CONCEPT_NAMES, True
    )
