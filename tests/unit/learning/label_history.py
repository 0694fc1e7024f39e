"""Labels of made-up customers on the product's own columns."""

import numpy as np

from schemas.messages import Label
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.learning.outcome import COUNT_90D_COLUMN, SILENCE_COLUMN


def labels(count, seed=0, outcome="churn_30d", scores=None, layout=LAYOUT):
    """Silent customers churn, frequent ones do not; two columns never vary and one is wild."""
    random = np.random.default_rng(seed)
    matrix = np.abs(random.normal(1.0, 1.0, (count, len(MODEL_COLUMNS)))).astype(np.float32)
    matrix[:, 20] = 0.0
    matrix[:, 21] = 3.5
    matrix[:, 22] = random.exponential(1.0, count) ** 6
    silence, count_90d = (matrix[:, MODEL_COLUMNS.index(name)] for name in (SILENCE_COLUMN, COUNT_90D_COLUMN))
    chance = 1.0 / (1.0 + np.exp(-(2.0 * silence - 1.5 * count_90d)))
    values = (random.random(count) < chance).astype(float)
    return [
        Label(
            message_id=f"{outcome}:{seed}:{row}",
            partition=row % 4,
            sequence=row,
            customer_id=f"customer-{row % 97}",
            outcome=outcome,
            snapshot_ms=row * DAY_MS,
            matured_ms=(row + 31) * DAY_MS,
            value=float(values[row]),
            columns=[float(x) for x in matrix[row]],
            scores={} if scores is None else dict(scores),
            layout=layout,
        )
        for row in range(count)
    ]
