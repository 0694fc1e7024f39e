"""What a hazard counts for beside the regressions: a half, or less where its stored scores have shown to be worse.

Where customers come when they like, the hazard knows the last weeks and the regressions know months, and the mean of
both is better than either. Where they come by the week or the month, or leave at another rate than before, silence that
is rolled forward says too much, and a half of it spoils the mean.
"""

import math

import numpy as np

from stream.learning.judge import add_losses
from stream.learning.label_rows import LabelRows
from stream.scoring.documents import HAZARD, MIX
from stream.scoring.kinds import HALF

ALIKE = 0.008  # nats a label: a hazard that is worse by no more is worth its half in the mean
FAR = 0.003  # nats: one that is worse by so much more counts .27, by twice as much .12
FEW = 500  # labels that agree, added to those there are: what few of them say may be luck

HazardLosses = tuple[int, float, float]
"""Labels that both have scored, and the sums of log losses, in nats, of the regressions' mean and of the hazard."""


class HazardShare:
    """Compares a hazard with the mean logit of regressions, on the scores stored with snapshots.

    >>> HazardShare((10_000, 5_000.0, 5_070.0)).share, round(HazardShare((10_000, 5_000.0, 5_200.0)).share, 3)
    (0.5, 0.025)
    """

    def __init__(self, losses: HazardLosses = (0, 0.0, 0.0)) -> None:
        self._labels, self._mix_loss, self._hazard_loss = losses

    def heed(self, labels: LabelRows) -> None:
        """Count labels that both have scored, one after another: it must not depend on how many come at once."""
        mix, hazard = labels.said(MIX), labels.said(HAZARD)
        both = ~np.isnan(mix) & ~np.isnan(hazard)
        if both.any():
            happened = labels.happened[both]
            self._labels += int(both.sum())
            self._mix_loss = add_losses(self._mix_loss, mix[both], happened)
            self._hazard_loss = add_losses(self._hazard_loss, hazard[both], happened)

    @property
    def share(self) -> float:
        """What the hazard's logit counts for, above 0 and at most a half; the regressions' mean has the rest."""
        worse = (self._hazard_loss - self._mix_loss) / (self._labels + FEW) - ALIKE
        return HALF if worse <= 0.0 else 1.0 / (1.0 + math.exp(min(worse / FAR, 30.0)))

    @property
    def losses(self) -> HazardLosses:
        """Everything to go on from."""
        return self._labels, self._mix_loss, self._hazard_loss
