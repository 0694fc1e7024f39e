"""What a trained model has to be before it may take part: better than rules of thumb, and right about its chances."""

import msgspec

from offline.backtest.figures import Figures
from offline.backtest.report import short
from offline.training.chances import Chances
from offline.training.metrics import Metrics
from stream.errors import OfflineError

ECE_AT_MOST = 0.05  # what is asked of online models too (docs/offline.md)
AUC_ABOVE = 0.5


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One condition: `figure` beside `limit`, and the same as a sentence."""

    name: str
    figure: float
    limit: float
    passed: bool
    said: str


def checks_of(metrics: Metrics, model: str) -> list[Check]:
    """What a model has to keep on the rows it was judged on, which came after all it had learned from.

    Args:
        metrics: of its training.
        model: its name among the models.

    Raises:
        OfflineError: it predicts an amount.
    """
    judgement = metrics.models[model].judgement
    if not isinstance(judgement, Chances):
        raise OfflineError(f"{metrics.outcome} is an amount: workers score probabilities alone.")
    figures, low = judgement.figures, judgement.intervals["auc"].low
    losses = {name: each.log_loss for name, each in metrics.floors.items() if isinstance(each, Figures)}
    floor = min(losses, key=lambda name: losses[name])
    return [
        Check(
            name="better_than_the_floors",
            figure=figures.log_loss,
            limit=losses[floor],
            passed=figures.log_loss < losses[floor],
            said=f"log loss {short(figures.log_loss)}, and the best rule ({floor}) has {short(losses[floor])}",
        ),
        Check(
            name="tells_customers_apart",
            figure=low,
            limit=AUC_ABOVE,
            passed=low > AUC_ABOVE,
            said=f"AUC {short(figures.auc)}, above {short(low)} in 97.5 % of resampled shops; by chance it is .500",
        ),
        Check(
            name="calibrated",
            figure=figures.ece,
            limit=ECE_AT_MOST,
            passed=figures.ece <= ECE_AT_MOST,
            said=f"calibration error {short(figures.ece)}, at most {short(ECE_AT_MOST)} is allowed",
        ),
    ]
