"""Learns where customers lie by silence, frequency, spend and tenure: River's StandardScaler | KMeans."""

import math
from collections.abc import Callable, Sequence

import msgspec
from river import cluster

from schemas.messages import Label
from stream.customers.segments import name_centres
from stream.errors import LayoutError
from stream.features.columns import MODEL_COLUMNS, SEGMENT_COLUMNS
from stream.features.layout import LAYOUT
from stream.learning.logistic import ScalerState, Standardiser
from stream.learning.recent_ids import RecentIds
from stream.scoring.documents import SegmentDocument

SAMPLED_OUTCOME = "purchase_7d"
"""Each snapshot has a label per outcome; the one that matures first is the sample."""

CLUSTERS = 8  # of 6 to 12 the fewest that fill all six names; more change segments oftener
STEP = 0.005  # of the way to each new member: a centre remembers some 200 members, weeks of a small shop
FIRST_STEP = 0.1
SPREAD = 0.5  # standard deviations between the first centres and the average customer
SEED = 7
SILENCE_WEIGHT = 0.6
"""Every purchase sets silence to zero. At full weight it would decide alone, and each purchase be a change of segment."""

SAMPLES_BEFORE_FIRST = 500
REFRESH_DAYS = 28  # each new document moves customers who did nothing; four weeks measured as current enough

_WEIGHTS = (SILENCE_WEIGHT, 1.0, 1.0, 1.0)
_PLACES = range(len(SEGMENT_COLUMNS))


class SegmentState(msgspec.Struct, frozen=True, kw_only=True):
    """A learner of segments as numbers and names."""

    layout: str
    columns: tuple[str, ...]
    samples: int
    published_day: int
    scaler: ScalerState
    centres: list[list[float]]
    recent: bytes


class SegmentLearner:
    """Online clustering of the sampled customers.

    Args:
        columns: the columns that labels carry, in their order.
        layout: the layout that labels must have.
    """

    def __init__(self, columns: tuple[str, ...] = MODEL_COLUMNS, layout: str = LAYOUT) -> None:
        self._columns = columns
        self._layout = layout
        self._read = segment_reader(columns)
        self._samples = 0
        self._published_day = 0
        self._standardiser = _Weighted()
        self._clusters = _first_clusters()
        self._recent = RecentIds()
