"""Segments by centres against a plain reading of the documentation, and the promise to stay against asking."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.customers.segments import SEGMENTS
from stream.features.model_columns import SEGMENT_COLUMNS
from stream.scoring.clusters import MARGIN, assign, assigned, centres_of, stays
from stream.scoring.documents import SegmentDocument

LONG = math.log1p(120.0)  # days of silence, or since the first purchase
OFTEN, MUCH = 0.1, 0.0  # standard deviations
ROUNDING = 1e-9  # of a distance: within it either answer is right

NAMES = SEGMENTS[1:]
CODES = st.integers(0, len(SEGMENTS) - 1)
OTHER_COLUMNS = ("spend",), ("silence", "spend"), ("silence", "frequency", "spend", "gap")


@dataclass(frozen=True)
class Drawn:
    """Centres, two places and the code of a customer who goes from the first to the last."""

    document: SegmentDocument
    first: np.ndarray
    last: np.ndarray
    current: int


def may_have(name: str, place: list[float], standard: list[float]) -> bool:
    """Whether a customer may have a name (`fits`)."""
    good = standard[1] > OFTEN and standard[2] > MUCH
    if place[0] > LONG and (name != "At Risk" if good else name not in ("At Risk", "Need Attention")):
        return False
    return not (place[3] > LONG and name == "New Customers")


def may_become(document: SegmentDocument, place: list[float], current: int) -> set[int]:
    """What `assign` says: one code, or several that are equal but for rounding."""
    standard = [(x - mean) / scale for x, mean, scale in zip(place, document.means, document.scales, strict=True)]
    named = list(zip(document.names, document.centres, strict=True))
    if document.columns == SEGMENT_COLUMNS:
        named = [each for each in named if may_have(each[0], place, standard)] or named
    nearest: dict[int, float] = {}
    for name, centre in named:
        code = SEGMENTS.index(name)
        nearest[code] = min(nearest.get(code, math.inf), math.dist(standard, centre))
    own, others = nearest.pop(current, math.inf), nearest
    if not others:
        return {current}
    other = min(others.values())
    slack = ROUNDING * (1.0 + other)
    moves = {code for code, distance in others.items() if distance <= other + slack}
    if own == math.inf or other < own * (1.0 - MARGIN) - slack:
        return moves
    return {current} if other > own * (1.0 - MARGIN) + slack else {current} | moves


@st.composite
def documents(draw: st.DrawFn) -> SegmentDocument:
    """Up to eight centres, names more than once, of the columns of segments or of others."""
    columns = draw(st.sampled_from([SEGMENT_COLUMNS] * 3 + [*OTHER_COLUMNS]))
    number = st.floats(-2.5, 2.5)
    centres = draw(st.lists(st.tuples(*[number] * len(columns)), min_size=1, max_size=8))
    return SegmentDocument(
        version="1", epoch_day=0, layout="", columns=columns, samples=2,
        means=draw(st.tuples(*[st.floats(0.0, 6.0)] * len(columns))),
        scales=draw(st.tuples(*[st.floats(0.1, 3.0)] * len(columns))),
        centres=tuple(centres), names=tuple(draw(st.sampled_from(NAMES)) for _ in centres),
    )  # fmt: skip


@st.composite
def customers(draw: st.DrawFn) -> Drawn:
    """A customer near a centre or between two, who goes nowhere, a little way or far, each column up or down."""
    document = draw(documents())
    means, scales, centres = (np.array(x) for x in (document.means, document.scales, document.centres))
    one, two = (centres[draw(st.integers(0, len(centres) - 1))] for _ in range(2))
    between, width = draw(st.floats(-0.2, 1.2)), draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 2.0]))
    column = st.tuples(*[st.floats(-1.0, 1.0)] * len(means))
    off, way = (np.array(draw(column)) * size for size in (draw(st.sampled_from([0.0, 0.2, 1.0])), width))
    first = one + between * (two - one) + off
    places = [standard * scales + means for standard in (first, first + way)]
    if document.columns == SEGMENT_COLUMNS and draw(st.booleans()):  # at the edge of what names go by
        edge = np.array([LONG, OFTEN * scales[1] + means[1], MUCH * scales[2] + means[2], LONG])
        places[0] = np.where(draw(st.tuples(*[st.booleans()] * 4)), edge, places[0])
    return Drawn(document, places[0], places[1], draw(CODES))


@settings(max_examples=400, deadline=None)
@given(customers())
def test_a_segment_is_that_of_the_plain_reading(drawn: Drawn) -> None:
    for place in (drawn.first, drawn.last):
        found = int(assign(drawn.document, place[None, :], np.array([drawn.current], np.uint8))[0])
        standard = (place - drawn.document.means) / drawn.document.scales
        assume(drawn.document.columns != SEGMENT_COLUMNS or clear_of_rounding(standard))
        assert found in may_become(drawn.document, place.tolist(), drawn.current)


def clear_of_rounding(standard: np.ndarray) -> bool:
    """Whether spend and frequency are not so near their thresholds that rounding decides."""
    return bool(abs(standard[1] - OFTEN) > ROUNDING and abs(standard[2] - MUCH) > ROUNDING)


@settings(max_examples=400, deadline=None)
@given(customers(), st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 4), max_size=20))
def test_whoever_stays_has_its_segment_wherever_a_monotone_way_may_lead(
    drawn: Drawn, ways: list[tuple[float, ...]]
) -> None:
    centres, columns = centres_of(drawn.document), len(drawn.first)
    current = assigned(drawn.first, drawn.current, centres)
    if not stays(drawn.first, drawn.last, np.empty(columns), current, centres):
        return
    corners = np.array(np.meshgrid(*[[0.0, 1.0]] * columns)).reshape(columns, -1).T
    for part in (*corners, *(np.array(way[:columns]) for way in ways)):
        place = np.where(part == 1.0, drawn.last, drawn.first + part * (drawn.last - drawn.first))
        assert assigned(place, current, centres) == current


def standing_apart(names: tuple[str, ...]) -> SegmentDocument:
    """Two centres far apart in spend."""
    return SegmentDocument(
        version="1", epoch_day=0, layout="", columns=SEGMENT_COLUMNS, means=(3.0, 1.0, 6.0, 4.0),
        scales=(1.0, 1.0, 1.0, 1.0), centres=((0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 9.0, 0.0)), names=names, samples=2,
    )  # fmt: skip


@pytest.mark.parametrize(("reach", "expected"), [(0.0, True), (1.0, True), (4.0, False)])
def test_a_customer_beside_its_centre_is_known_to_stay(reach: float, expected: bool) -> None:
    document = standing_apart(("Loyal Customers", "Champions"))
    first, last = np.array([3.0, 1.0, 6.0, 4.0]), np.array([3.0 + reach, 1.0, 6.0 - reach, 4.0])
    loyal = SEGMENTS.index("Loyal Customers")
    assert stays(first, last, np.empty(4), loyal, centres_of(document)) is expected


def test_whoever_is_good_only_on_the_way_is_not_known_to_stay() -> None:
    """At first too rare, at last too small a spender: between, silent for long, both are above the average."""
    document = standing_apart(("Need Attention", "At Risk"))
    first, last = np.array([5.0, 0.7, 6.2, 5.0]), np.array([5.0, 1.2, 5.9, 5.0])
    between, needs = np.array([5.0, 1.2, 6.2, 5.0]), SEGMENTS.index("Need Attention")
    centres = centres_of(document)
    assert [assigned(place, needs, centres) for place in (first, last)] == [needs, needs]
    assert assigned(between, needs, centres) != needs
    assert not stays(first, last, np.empty(4), needs, centres)
