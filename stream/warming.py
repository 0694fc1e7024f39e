"""Has everything compiled that a step runs, before a worker takes records.

Machine code that is kept is loaded in a second or two, and made in half a minute where none is kept. In its first chunk
a worker would keep the consumer group waiting for as long, and lose its partitions.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from schemas.events import OrderLine, Purchase
from schemas.units import DAY_MS
from stream.alignment import merged, places_of
from stream.byte_rows import encoded
from stream.changes import Changes
from stream.chunk import Models, PartitionCustomers, Records, Rules, StreamTimes
from stream.clock import LiveClock, LoggedTimes, SupportedMaximum
from stream.columns.murmur2 import murmur2_of
from stream.customers.segments import SEGMENTS
from stream.engine import step
from stream.features.columns import MODEL_COLUMNS, model_matrix
from stream.features.facts_of_events import facts_of
from stream.features.layout import LAYOUT
from stream.features.model_columns import SEGMENT_COLUMNS
from stream.features.stored import unpack
from stream.last_records import LastRecords
from stream.outcomes.declaration import GRACE_MS
from stream.outcomes.matching import declared_places
from stream.outcomes.maturity import ACCUMULATOR, unpack_open
from stream.outcomes.sampling import MANY, customer_hashes
from stream.scoring.documents import OutcomeDocument, SegmentDocument
from stream.scoring.explain import by_concept
from stream.scoring.hazard import HazardModel
from stream.scoring.kinds import MeanLogit, Model, probability
from stream.scoring.linear import LinearModel
from stream.scoring.trees import TreeModel

_AT_MS = 14_600 * DAY_MS


def warm_up(rules: Rules) -> Changes:
    """Let time pass and somebody buy something under models that say nothing, and forget it."""
    none = np.zeros(1, np.int64)
    logged, supported = LoggedTimes(none, none, none, none, np.ones(1, np.bool_)), SupportedMaximum()
    LiveClock(0).advance(logged, {})
    supported.hear(0, logged)
    supported.packed(0)
    places_of(merged([none, none], [False, True]), [2, 0])
    murmur2_of(*encoded(["anybody"]).spans)  # as it is seen whether many new customers are at home
    customer_hashes(["anybody"] * MANY)
    last, ids = LastRecords(0), np.ones(1, np.uint64)
    last.remember(ids, int(last.numbers_of(ids)[0]) + 1, 0)
    last.make_room(0, 0)
    probability(_LINEAR, model_matrix(unpack([None]), _AT_MS))  # as snapshots are scored
    declared_places(rules.outcomes, unpack_open([bytes(ACCUMULATOR.itemsize)])["outcome"])  # as labels are made
    return _stepped(rules, _models(rules.outcomes.names, MeanLogit(_LINEAR, HazardModel(_LINEAR, 30))))


@cache
def warm_trees() -> None:
    """The same under trees, for which decisions are compiled apart; once in a process, when it meets the first."""
    rules, leaf = Rules(), (0.0,)
    trees = TreeModel(
        MODEL_COLUMNS, (0,), reads=(-1,), thresholds=leaf, lefts=(0,), rights=(0,), missing_left=(0,), values=leaf
    )
    _stepped(rules, _models(rules.outcomes.names, trees))
    row = np.zeros((1, len(MODEL_COLUMNS)))
    probability(trees, row)
    by_concept(trees, row)


def _stepped(rules: Rules, models: Models) -> Changes:
    line = OrderLine(product_id="any", quantity=1, unit_price="1")
    purchase = Purchase(
        event_id="any", customer_id="anybody", event_time_ms=_AT_MS, currency=rules.currency, lines=[line]
    )
    facts = facts_of([purchase], [0], rules.vocabulary, rules.exponent)
    opened = unpack_open([bytes(ACCUMULATOR.itemsize)])
    customers = PartitionCustomers(0, ["anybody"], unpack([None]), opened)
    records, too_late_ms = Records(facts, np.zeros(1, np.int64)), _AT_MS + GRACE_MS  # for a label
    return step(customers, records, StreamTimes(np.array([too_late_ms]), too_late_ms), models, rules)


_ZEROS, _ONES = (0.0,) * len(MODEL_COLUMNS), (1.0,) * len(MODEL_COLUMNS)
_LINEAR = LinearModel(MODEL_COLUMNS, _ZEROS, _ONES, _ZEROS, bias=0.0)


def _models(names: Sequence[str], serving: Model) -> Models:
    """Of the same shape as any others, so that the same machine code serves."""
    place = (0.0,) * len(SEGMENT_COLUMNS)
    centres = SegmentDocument(
        version="", epoch_day=0, layout=LAYOUT, means=place, scales=(1.0,) * len(place), centres=(place,),
        names=SEGMENTS[1:2], samples=0,
    )  # fmt: skip
    outcomes = {
        name: OutcomeDocument(
            name=name, version="", epoch_day=0, layout=LAYOUT, trained_until_ms=0, labels=0, positives=0,
            candidates={"any": serving, "other": _LINEAR}, serving="any", metrics={},
        )
        for name in names
    }  # fmt: skip
    return Models(outcomes, centres)
