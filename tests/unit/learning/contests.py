"""Labels whose candidates are made better or worse at will, a person's decisions, and challengers from outside."""

import msgspec
import numpy as np

from schemas.messages import ModelDecision
from schemas.units import DAY_MS
from stream.features.layout import LAYOUT
from stream.features.model_columns import MODEL_COLUMNS
from stream.learning.contest import Contest
from stream.learning.label_rows import LabelRows
from stream.scoring.challengers import ChallengerDocument
from stream.scoring.documents import CALIBRATED, CANDIDATES, schema_of
from stream.scoring.linear import LinearModel
from tests.unit.learning.label_history import labels

HORIZON_DAYS = 7
BLOCK_DAYS = 14
PER_DAY = 4
BETTER, WORSE = 0.9, 0.6  # the probability given to what came true, 9 times of 10


def labels_of(days, shares=None, seed=0, first_day=0):
    """Labels of consecutive days; `shares` says what each candidate gave to what came true, most of the time."""
    dice = np.random.default_rng(seed)
    made = labels(len(range(days)) * PER_DAY, seed=seed)
    for row, label in enumerate(made):
        snapshot_ms = (first_day + row // PER_DAY) * DAY_MS
        right = dice.random() < 0.9
        said = {
            name: share if (label.value == 1.0) == right else 1 - share
            for name, share in (dict.fromkeys((*CANDIDATES, CALIBRATED), WORSE) | (shares or {})).items()
        }
        yield msgspec.structs.replace(
            label,
            message_id=f"{seed}:{first_day}:{row}",
            snapshot_ms=snapshot_ms,
            matured_ms=snapshot_ms + (HORIZON_DAYS + 1) * DAY_MS,
            scores=said,
        )


def shown(*histories, decisions=()):
    contest = Contest(HORIZON_DAYS)
    for decision in decisions:
        contest.decide(decision)
    for history in histories:
        contest.judge(LabelRows.of(list(history)))
    return contest


def told(action, candidate="", number=0, outcome="churn_30d"):
    return ModelDecision(
        message_id=f"{action}-{candidate}-{number}",
        outcome=outcome,
        action=action,
        candidate=candidate,
        decided_ms=0,
        decided_by="ada",
    )


def until_closed(blocks):
    """Days of labels after which so many blocks are closed."""
    return blocks * BLOCK_DAYS + 4


BY_NEWTON = {"newton_logistic": BETTER}

LINEAR = LinearModel((), (), (), (), bias=0.5)


def published(trained_until_day=0, name="outsider", model=LINEAR):
    return ChallengerDocument(
        outcome="churn_30d",
        name=name,
        layout=LAYOUT,
        schema=schema_of(MODEL_COLUMNS),
        model=model,
        trained_until_ms=trained_until_day * DAY_MS,
        published_ms=0,
    )
