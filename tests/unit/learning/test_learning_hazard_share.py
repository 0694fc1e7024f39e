"""What the hazard counts for beside the regressions goes by the scores that are stored of both."""

import msgspec
import numpy as np
import pytest

from stream.learning.hazard_share import ALIKE, FAR, FEW, HazardShare
from stream.learning.label_rows import LabelRows
from stream.scoring.documents import HAZARD, MIX
from stream.scoring.kinds import HALF

LABELS = 5_000


def rows(mix: float, hazard: float, count: int = LABELS) -> LabelRows:
    """Labels of which every second came true; what both said of what happened."""
    happened = np.arange(count) % 2 == 0
    scores = np.stack([np.where(happened, said, 1.0 - said) for said in (mix, hazard)], axis=1)
    zeros = np.zeros(count, np.int64)
    return LabelRows(zeros, zeros, happened, np.zeros((count, 0)), (MIX, HAZARD), scores)


def share_after(*parts: LabelRows) -> float:
    known = HazardShare()
    for part in parts:
        known.heed(part)
    return known.share


def test_it_is_a_half_before_there_are_labels_and_where_the_hazard_is_better() -> None:
    assert HazardShare().share == HALF
    assert share_after(rows(0.6, 0.7)) == HALF


def test_a_hazard_that_is_hardly_worse_keeps_its_half() -> None:
    hardly = 0.6 * np.exp(-0.9 * ALIKE)
    assert share_after(rows(0.6, hardly)) == HALF


def test_the_worse_the_hazard_the_less_it_counts() -> None:
    shares = [share_after(rows(0.6, 0.6 * np.exp(-worse))) for worse in (0.01, 0.012, 0.02, 0.05, 3.0)]
    assert all(less < more for more, less in zip([HALF, *shares], shares, strict=False))
    assert 0.0 < shares[-1] < 1e-9
    worse = (0.02 * LABELS) / (LABELS + FEW) - ALIKE
    assert shares[2] == pytest.approx(1 / (1 + np.exp(worse / FAR)))


def test_a_few_labels_say_little() -> None:
    few, many = (share_after(rows(0.6, 0.6 * np.exp(-0.02), count)) for count in (200, LABELS))
    assert few == HALF
    assert many < 0.1


def test_labels_without_one_of_the_two_scores_say_nothing() -> None:
    worse = rows(0.6, 0.3)
    alone = LabelRows(worse.snapshot_ms, worse.matured_ms, worse.happened, worse.columns, (MIX,), worse.scores[:, :1])
    halved = worse.scores.copy()
    halved[:, 1] = np.nan
    unknown = LabelRows(worse.snapshot_ms, worse.matured_ms, worse.happened, worse.columns, worse.candidates, halved)
    assert share_after(alone, unknown) == HALF


def test_it_does_not_depend_on_how_labels_are_cut_and_goes_on_from_what_is_saved() -> None:
    random, whole = np.random.default_rng(3), rows(0.6, 0.55)
    whole.scores[:] = random.uniform(0.01, 0.99, whole.scores.shape)
    together, saved = HazardShare(), HazardShare()
    together.heed(whole)
    for begin, end in ((0, 1), (1, 700), (700, LABELS)):
        saved = HazardShare(msgspec.msgpack.decode(msgspec.msgpack.encode(saved.losses), type=tuple[int, float, float]))
        saved.heed(whole.part(begin, end))
    assert saved.losses == together.losses
