import numpy as np
import pytest

from stream.customers.segments import CODE_OF
from stream.scoring.clusters import MARGIN, assign
from stream.scoring.documents import SegmentDocument

CHAMPIONS, LOYAL, AT_RISK = (CODE_OF[name] for name in ("Champions", "Loyal Customers", "At Risk"))


def document(*centres):
    """One column; centres as (place, name)."""
    return SegmentDocument(
        version="1",
        epoch_day=0,
        layout="",
        columns=("spend",),
        means=(0.0,),
        scales=(1.0,),
        centres=tuple((float(place),) for place, _ in centres),
        names=tuple(name for _, name in centres),
        samples=500,
    )


def moved(found, place, current):
    return int(assign(found, np.array([[place]]), np.array([current], dtype=np.uint8))[0])


TWO = document((0, "Loyal Customers"), (10, "Champions"))


def test_whoever_has_no_segment_gets_the_nearest():
    assert moved(TWO, 4.9, current=0) == LOYAL
    assert moved(TWO, 5.1, current=0) == CHAMPIONS


@pytest.mark.parametrize(("current", "expected"), [(LOYAL, LOYAL), (CHAMPIONS, CHAMPIONS)])
def test_between_two_segments_a_customer_stays_where_it_is(current, expected):
    assert moved(TWO, 5.0, current) == expected
    assert moved(TWO, 6.2, current) == expected


def test_a_customer_moves_once_the_other_centre_is_nearer_by_the_margin():
    edge = 10 / (2 - MARGIN)
    assert moved(TWO, edge - 0.01, LOYAL) == LOYAL
    assert moved(TWO, edge + 0.01, LOYAL) == CHAMPIONS


def test_the_nearest_centre_of_the_own_name_counts():
    shared = document((0, "Loyal Customers"), (10, "Champions"), (14, "Loyal Customers"))
    assert moved(shared, 11.9, LOYAL) == LOYAL
    assert moved(shared, 11.9, CHAMPIONS) == CHAMPIONS


def test_a_name_that_no_centre_has_any_more_is_left():
    assert moved(TWO, 1.0, AT_RISK) == LOYAL


def test_the_only_name_keeps_everyone():
    assert moved(document((0, "At Risk")), 99.0, AT_RISK) == AT_RISK


def test_no_customers_have_no_segments():
    assert assign(TWO, np.zeros((0, 1)), np.zeros(0, np.uint8)).tolist() == []
