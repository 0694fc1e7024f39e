"""What a learner of segments is saved as. Apart from who learns: whoever reads it need not wait for River to load."""

import msgspec

from stream.learning.segment_contest import SegmentContestState
from stream.scoring.documents import SegmentDocument

Moments = dict[str, float]


class ScalerState(msgspec.Struct, frozen=True, kw_only=True):
    """Moments of a scaler; all columns have seen `rows` rows."""

    rows: int
    means: Moments
    variances: Moments


class SegmentState(msgspec.Struct, frozen=True, kw_only=True):
    """A learner of segments as numbers and names.

    Attributes:
        own: the centres it gave out last, whether or not they are in force; None before the first, as of an older
            learner.
        contest: the same beside others; None of an older learner.
    """

    layout: str
    columns: tuple[str, ...]
    samples: int
    published_day: int
    scaler: ScalerState
    centres: list[list[float]]
    recent: bytes
    own: SegmentDocument | None = None
    contest: SegmentContestState | None = None
