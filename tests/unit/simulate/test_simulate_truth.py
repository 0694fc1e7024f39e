"""Ebb judged by a truth it never sees: who has dropped out, and who is what kind of customer."""

from dataclasses import dataclass

import numpy as np
import pytest

from ebb.simulate import ShopSettings
from ebb.simulate.draws import BoolArray, FloatArray, IntArray
from ebb.simulate.truth import STANDINGS, standing
from tests.simulated import followed

CUSTOMERS, DAYS = 500, 374


@dataclass(frozen=True)
class Judged:
    """Customers who have bought, shape (customers,) each."""

    churn_probability: FloatArray
    silent_ms: FloatArray
    segment: list[str]
    gone: BoolArray
    standing: IntArray


@pytest.fixture(scope="module")
def judged() -> Judged:
    taught = followed(ShopSettings(customers=CUSTOMERS, days=DAYS, browsing_per_need=1.0))
    people = taught.shop.world.people
    place = {customer: number for number, customer in enumerate(people.ids)}
    views = {place[customer]: taught.world.view(customer) for customer in taught.customers}
    bought = [number for number in sorted(views) if people.orders[number]]
    last_ms = [float(views[number].features["last_purchase_ms"]) for number in bought]
    return Judged(
        np.array([views[number].scores["churn_30d"].probability for number in bought], np.float64),
        -np.array(last_ms),
        [views[number].segment for number in bought],
        ~people.alive[bought],
        standing(taught.shop)[bought],
    )


def auc(positive: BoolArray, scores: FloatArray) -> float:
    """How often a positive is ranked above a negative; ties count half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(positive.sum())
    above = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(positive) - positives)))


def adjusted_rand(ours: IntArray, theirs: IntArray) -> float:
    """Agreement of two partitions: 1 is the same, 0 what chance gives. Hubert and Arabie, J. Classification 2, 1985."""
    table = np.zeros((ours.max() + 1, theirs.max() + 1))
    np.add.at(table, (ours, theirs), 1)

    def pairs(counts: FloatArray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / pairs(np.array([len(ours)]))
    return (both - expected) / ((rows + columns) / 2 - expected)


def test_the_churn_score_ranks_who_dropped_out_above_who_is_there(judged):
    score, silence = auc(judged.gone, judged.churn_probability), auc(judged.gone, judged.silent_ms)
    print(f"AUC of the churn score for having dropped out {score:.3f}, of days silent {silence:.3f}")
    assert score > 0.7


def test_segments_recover_what_customers_are(judged):
    names, segments = np.unique(judged.segment, return_inverse=True)
    agreement = adjusted_rand(judged.standing, segments)
    print(f"adjusted Rand of {len(names)} segments and {len(STANDINGS)} hidden standings {agreement:.3f}")
    shuffled = np.random.default_rng(1).permutation(segments)
    assert abs(adjusted_rand(judged.standing, shuffled)) < 0.03  # what chance gives
    assert agreement > 0.1
    gone_by_segment = {name: judged.gone[segments == code].mean() for code, name in enumerate(names)}
    assert gone_by_segment["Champions"] < judged.gone.mean() < gone_by_segment["Need Attention"]


def test_agreement_is_measured_as_its_authors_do():
    assert adjusted_rand(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])) == 1.0
    assert adjusted_rand(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])) == pytest.approx(0.5714, abs=1e-4)
    assert auc(np.array([False, True, True]), np.array([0.1, 0.1, 0.9])) == 0.75
