"""The block rule: when one candidate is better than another, and not only luckier.

Labels of some weeks hang together, so they are one observation: the difference of two candidates' mean log losses over
the snapshots of a block. A block is longer than the horizon, so that what one block waits for is over in the next but
one. Tests over single labels, one after another, took luck for evidence 20 times of 20.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from stream.learning.judge import Judge

BLOCKS_TO_DECIDE = 8
BLOCKS_TO_PROPOSE = 2  # the fewest that have a spread
LABELS_OF_A_BLOCK = 30  # fewer say nothing, and would count as much as a full block
BETTER_BY = 0.002  # nats of log loss; less is not worth a change
_T_95 = (
    6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782,
    1.771, 1.761, 1.753, 1.746, 1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711,
)  # fmt: skip
"""Student's t that 95 % are below, by degrees of freedom from 1."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What blocks say of a candidate beside the champion.

    Attributes:
        blocks: how many both have scored wholly.
        gain: by how much the candidate's log loss is lower, in nats, mean of the blocks; None without any.
        bound: the gain is larger than this with a confidence of 95 %; None below two blocks.
    """

    blocks: int
    gain: float | None = None
    bound: float | None = None

    @property
    def is_better(self) -> bool:
        """Whether the bound is beyond `BETTER_BY`."""
        return self.bound is not None and self.bound > BETTER_BY


def weigh(gains: Sequence[float]) -> Evidence:
    """Evidence from the gains of blocks: a one-sided 95 % bound by Student's t.

    >>> weigh([0.01, 0.02, 0.03]).bound
    0.0031...
    >>> weigh([0.01]).bound is None, weigh([]).gain is None
    (True, True)
    """
    count = len(gains)
    if not count:
        return Evidence(blocks=0)
    mean = math.fsum(gains) / count
    if count < BLOCKS_TO_PROPOSE:
        return Evidence(blocks=count, gain=mean)
    variance = math.fsum((gain - mean) ** 2 for gain in gains) / (count - 1)
    quantile = _T_95[min(count - 1, len(_T_95)) - 1]
    return Evidence(blocks=count, gain=mean, bound=mean - quantile * math.sqrt(variance / count))


def gains(blocks: Mapping[int, Mapping[str, Judge]], candidate: str, champion: str) -> dict[int, float]:
    """By how much the candidate's mean log loss is lower than the champion's, of each block both have scored wholly.

    A block has been scored wholly by who has as many labels in it as anybody: all are judged on the same labels.

    Args:
        blocks: number of the block -> candidate -> its judge.
        candidate: who might be better.
        champion: than whom.
    """
    found = {}
    for number, judges in blocks.items():
        labels = max(judge.rows for judge in judges.values())
        pair = [judges[name] for name in (candidate, champion) if name in judges]
        if labels >= LABELS_OF_A_BLOCK and len(pair) == 2 and pair[0].rows == pair[1].rows == labels:
            found[number] = (pair[1].loss - pair[0].loss) / labels
    return found
