"""Labels of weeks in which something changes: a column, what the champion says, or what happens."""

from collections.abc import Iterator

import numpy as np

from schemas.messages import Label
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learning.drift_watch import WEEK_MS
from stream.scoring.documents import MIX

FIRST_WEEK, CHANGE_WEEK, LAST_WEEK = 2_000, 2_040, 2_060
LABELS_A_WEEK = 150
MOVED_COLUMN = "log_decayed_count_30d"


def labels_of(
    week: int, random: np.random.Generator, *, column: float = 0.5, logit: float = 0.0, truth: float = 0.0
) -> Iterator[Label]:
    """A week of labels: `column` and `logit` move a column and what the champion says, `truth` what happens."""
    for at in range(LABELS_A_WEEK):
        said = random.normal()
        columns = np.abs(random.normal(size=len(MODEL_COLUMNS))) * 0.3
        columns[MODEL_COLUMNS.index(MOVED_COLUMN)] = abs(random.normal()) * column
        happened = random.random() < 1 / (1 + np.exp(-said - truth))
        yield Label(
            message_id=f"{week}:{at}",
            partition=0,
            sequence=0,
            customer_id=f"c{at}",
            outcome="purchase_7d",
            snapshot_ms=0,
            matured_ms=week * WEEK_MS + at * (7 * DAY_MS // LABELS_A_WEEK),
            value=float(happened),
            columns=columns.tolist(),
            scores={MIX: float(1 / (1 + np.exp(-said - logit)))},
            layout=LAYOUT,
        )


def history(seed: int = 1, **changed: float) -> list[Label]:
    """Forty weeks without a change, then twenty with one."""
    random = np.random.default_rng(seed)
    weeks = range(FIRST_WEEK, LAST_WEEK)
    return [label for week in weeks for label in labels_of(week, random, **(changed if week >= CHANGE_WEEK else {}))]
