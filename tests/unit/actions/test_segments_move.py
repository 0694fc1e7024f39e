"""Segments change with a margin, are indexed at every move, and said from the second on."""

import msgspec
import numpy as np

from schemas.topics import SEGMENT_CHANGES
from schemas.units import DAY_MS
from stream.chunk import Models
from stream.customers.segments import CODE_OF
from stream.scoring.clusters import MARGIN, assign
from tests.world import BEGIN_MS, CENTRES, PINNED, World

SILENCE_ALONE = msgspec.structs.replace(
    CENTRES,
    means=(2.0, 0.0, 0.0, 0.0),
    scales=(1.0, 1e9, 1e9, 1e9),
    centres=((1.5, 0.0, 0.0, 0.0), (-1.0, 0.0, 0.0, 0.0)),
    names=("At Risk", "Champions"),
)
"""Two centres apart in silence alone: at log1p(days) = 3.5 and 1. Its margin is crossed at 12.5 days."""

MODELS = Models(PINNED.outcomes, SILENCE_ALONE)
BACK_AGAIN = Models(
    PINNED.outcomes, msgspec.structs.replace(SILENCE_ALONE, version="s2", names=("Champions", "At Risk"))
)


def columns_at(log_silence: float) -> np.ndarray:
    return np.array([[log_silence, 0.0, 0.0, 0.0]])


def test_a_customer_moves_when_the_other_centre_is_nearer_by_the_margin_and_no_sooner():
    for current, other, towards in (("Champions", "At Risk", 1), ("At Risk", "Champions", -1)):
        border = 2.25 + towards * (1.25 - 2.5 * (1 - MARGIN) / (2 - MARGIN))  # other distance = (1 - MARGIN) × own
        code = np.array([CODE_OF[current]], np.uint8)
        assert assign(SILENCE_ALONE, columns_at(border - towards * 1e-9), code) == code
        assert assign(SILENCE_ALONE, columns_at(border + towards * 1e-9), code) == CODE_OF[other]


def test_one_who_lies_between_stays_where_it_is():
    for current in ("Champions", "At Risk"):
        code = np.array([CODE_OF[current]], np.uint8)
        assert assign(SILENCE_ALONE, columns_at(2.25), code) == code


def test_the_first_segment_is_no_change_and_silence_leads_to_the_second():
    world = World(models=MODELS).purchase("ada", day=0).silence_until(day=60)
    assert world.segment_changes("ada") == [("Champions", "At Risk")]
    assert world.stored.segments == {"Champions": set(), "At Risk": {"ada"}}


def test_a_customer_is_indexed_as_unsegmented_until_there_are_centres():
    world = World(models=Models()).purchase("ada", day=0).page_view("bob", day=0)
    assert world.stored.segments == {"Unsegmented": {"ada", "bob"}}
    assert world.view("ada").segment_since_ms is None
    world.models = MODELS
    world.purchase("ada", day=1)
    assert world.stored.segments == {"Unsegmented": {"bob"}, "Champions": {"ada"}}
    assert world.view("ada").segment_since_ms == BEGIN_MS + DAY_MS
    assert world.messages(SEGMENT_CHANGES) == []


def test_who_never_bought_has_no_segment():
    world = World(models=MODELS).page_view("ada", day=0).refund("bob", day=0).silence_until(day=40)
    assert world.stored.segments == {"Unsegmented": {"ada", "bob"}}


def test_each_change_of_one_silence_has_its_own_id():
    world = World(models=MODELS).purchase("ada", day=0).silence_until(day=60)
    for day in range(68, 124, 8):
        world.models = BACK_AGAIN if world.models is MODELS else MODELS
        world.silence_until(day=day)
    changes = world.messages(SEGMENT_CHANGES)
    assert [change["entered"] for change in changes] == ["At Risk", "Champions"] * 4
    assert len({change["message_id"] for change in changes}) == 8


def test_the_id_of_a_change_does_not_tell_when_or_by_which_model():
    nearer = msgspec.structs.replace(SILENCE_ALONE, version="s9", centres=((1.2, 0.0, 0.0, 0.0), (-1.0, 0.0, 0.0, 0.0)))
    (early, late) = (
        World(models=Models(PINNED.outcomes, document)).purchase("ada", day=0).silence_until(day=60)
        for document in (nearer, SILENCE_ALONE)
    )
    (change,), (other,) = early.messages(SEGMENT_CHANGES), late.messages(SEGMENT_CHANGES)
    assert change["changed_ms"] < other["changed_ms"]
    assert (change["model_version"], other["model_version"]) == ("s9", "s1")
    assert change["message_id"] == other["message_id"]


def test_a_purchase_begins_another_episode_of_changes():
    world = World(models=MODELS)
    for day in (0, 60, 120):
        world.purchase("ada", day=day)
    world.silence_until(day=180)
    changes = world.messages(SEGMENT_CHANGES)
    assert [change["entered"] for change in changes] == ["At Risk", "Champions"] * 2 + ["At Risk"]
    assert len({change["message_id"] for change in changes}) == 5
    assert world.state("ada")["decision"]["segment_changes"] == 1
