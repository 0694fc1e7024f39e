"""A backtest for a reader."""

import math
from collections.abc import Iterator

from offline.backtest.figures import Figures, Interval
from offline.backtest.report import BATCH, NOT_EVERYBODY, Report, short

_NAMES = {
    "online": "online",
    "online_frozen_at_split": "online, frozen at the split",
    "batch_logistic": "batch logistic",
    "batch_gradient_boosting": "batch gradient boosting",
    "batch_refit_4w": "batch logistic, refitted every 4 weeks",
    "since_last_purchase": "rule: days since last purchase",
    "count_90d": "rule: decayed 90-day count",
    "base_rate": "rule: base rate",
}


def screen(found: Report) -> str:
    """A table of figures, the differences with their intervals, and whether the online model keeps up."""
    head = (
        f"{found.outcome} · {found.rows:,} customer-weeks of {found.customers:,} customers from {found.split} on · "
        f"true for {100 * found.base_rate:.1f} %"
    )
    models = {"online": found.online, "online_frozen_at_split": found.online_frozen_at_split, **found.batch}
    lines = [head, "", *_table({**models, **found.floors}), "", *_differences(found), ""]
    lines += [f"behind: {sentence}" for sentence in found.behind] or ["The online model keeps up with the batch ones."]
    if math.isnan(found.online_frozen_at_split.log_loss):
        lines.append(f"No online model served on {found.split} yet: there is none to be frozen.")
    if not found.is_everybody:
        lines.append(NOT_EVERYBODY)
    if found.unscored:
        lines.append(f"{found.unscored:,} customer-weeks are left out: no online model served yet.")
    if found.left_out:
        lines.append(found.left_out)
    learned = f"batch models were fitted on {found.trained_on:,} customer-weeks known before {found.split}"
    return "\n".join([*lines, f"{learned} · {found.events_per_s:,.0f} events/s"])


def _table(models: dict[str, Figures]) -> Iterator[str]:
    yield f"{'':<40}{'AUC':>7}{'PR AUC':>9}{'log loss':>10}{'Brier':>8}{'ECE':>7}"
    for name, judged in models.items():
        cells = (judged.auc, judged.pr_auc, judged.log_loss, judged.brier, judged.ece)
        widths = (7, 9, 10, 8, 7)
        row = "".join(f"{short(cell):>{width}}" for cell, width in zip(cells, widths, strict=True))
        yield f"{_NAMES[name]:<40}{row}"


def _differences(found: Report) -> Iterator[str]:
    yield "online less batch (95 % of resampled customers)"
    for name in BATCH:
        each = found.differences[name]
        yield f"  {_NAMES[name]:<40}AUC {_interval(each.auc)}   log loss {_interval(each.log_loss)}"


def _interval(each: Interval) -> str:
    return f"{_signed(each.difference)} ({_signed(each.low)} to {_signed(each.high)})"


def _signed(figure: float) -> str:
    return f"{'−' if figure < 0 else '+'}{short(abs(figure))}"
