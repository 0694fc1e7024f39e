"""What it costs to score a customer by a model, as far as the model itself tells.

An estimate in microseconds of one core, from what a model is made of: the same on every machine, so that a learner
decides alike wherever it runs. `python -m benchmarks.kinds` prints it beside what this machine takes.
"""

from functools import lru_cache

import numpy as np

from stream.scoring.hazard import STEPS_DAYS
from stream.scoring.kinds import Model, parts
from stream.scoring.trees import LEAF, TreeModel

COLUMN_US = 0.003  # a column of a regression
STEP_US = 0.13  # a step of a hazard ahead
VISIT_US = 0.004  # a node that a row visits: half of them are guessed wrongly by the processor
NODE_US = 0.000_08  # a node that may be visited: many do not fit into the processor's cache


def score_us(model: Model) -> float:
    """About what one score costs, at most, in microseconds of one core of a server.

    >>> from stream.scoring.linear import LinearModel
    >>> score_us(LinearModel(("spend",), (0.0,), (1.0,), (1.0,), bias=0.0))
    0.003
    """
    if isinstance(model, TreeModel):
        return round(_visits(model) * VISIT_US + len(model.reads) * NODE_US, 3)
    linear, hazard = parts(model)
    columns = len(linear.columns) if linear else 0
    steps = int(np.searchsorted(np.cumsum(STEPS_DAYS), hazard.horizon_days)) + 1 if hazard else 0
    return round(columns * COLUMN_US + steps * STEP_US, 3)


@lru_cache(maxsize=32)  # as many as there are challengers
def _visits(model: TreeModel) -> int:
    """How many nodes a row visits at most, the leaves not counted."""
    heights = [0] * len(model.reads)
    for node in range(len(heights) - 1, -1, -1):  # what follows a node comes after it
        if model.reads[node] != LEAF:
            heights[node] = 1 + max(heights[model.lefts[node]], heights[model.rights[node]])
    return sum(heights[root] for root in model.roots)
