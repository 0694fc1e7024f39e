"""CDNOW, "buys again in six months": how well Ebb orders the customers of early 1997 at the end of that year.

    python -m benchmarks.cdnow CDNOW_master.txt

The published set-up: everybody who first bought in the first quarter of 1997, what is known by 1997-12-31, and any
purchase from 1998-01-01 to 1998-06-30. Fitted to the same year, Pareto/NBD reaches an AUROC of .7998 and a log loss of
.4208, BG/NBD .7882 and .4244. Ebb lives through the year as the stream would have, and learns from sampled
customer-days; nobody is left out of what is judged, however long it has been silent.
"""

import argparse
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from ebb.backtest.machine import Moment, live_through
from ebb.compose.offline import shop_of
from offline.backtest.figures import judge
from offline.history import History
from offline.sources import read_history
from offline.sources.cdnow import CURRENCY
from stream.features.columns import model_matrix
from stream.outcomes.declaration import PURCHASE_7D, Outcome
from stream.outcomes.declared import DeclaredOutcomes
from stream.scoring.serving import score_outcomes
from stream.settings.load import load_offline_settings

FROM_MS = int(datetime(1998, 1, 1, tzinfo=UTC).timestamp()) * 1000
SIX_MONTHS = Outcome(name="purchase_181d", horizon_days=181, true_when="any")  # 1998-01-01 to 1998-06-30
PUBLISHED = {"Pareto/NBD (published)": (0.7998, 0.4208), "BG/NBD (published)": (0.7882, 0.4244)}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("file", type=Path, help="CDNOW_master.txt")
    history = read_history([parser.parse_args().file], "cdnow", CURRENCY)
    known = [event for event in history.events if event.event_time_ms < FROM_MS]
    buyers = {event.customer_id for event in history.events if event.event_time_ms >= FROM_MS}
    last = _lived(replace(history, events=known))
    customers = last.customers
    bought = np.array([customer in buyers for customer in customers])
    matrix = model_matrix(last.states, FROM_MS)
    (scores,) = score_outcomes([last.models.outcomes.get(SIX_MONTHS.name)], matrix)
    print(f"{len(customers):,} customers, of whom {bought.sum():,} bought again; {scores.model} serves")
    print(f"{'':<28}{'AUROC':>7}{'log loss':>10}")
    for name, probabilities in {**scores.candidates, "serves": scores.served}.items():
        figures = judge(probabilities, bought.astype(np.float64))
        print(f"{name:<28}{figures.auc:>7.4f}{figures.log_loss:>10.4f}")
    for name, (auc, log_loss) in PUBLISHED.items():
        print(f"{name:<28}{auc:>7.4f}{log_loss:>10.4f}")


def _lived(history: History) -> Moment:
    """The last moment of the year."""
    shop = shop_of(msgspec.structs.replace(load_offline_settings(), currency=CURRENCY), received_ms=FROM_MS)
    outcomes = DeclaredOutcomes((PURCHASE_7D, SIX_MONTHS))
    rules = replace(shop.rules, outcomes=outcomes, alert_outcome=SIX_MONTHS.name)
    moments: deque[Moment] = deque(maxlen=1)
    live_through(history, replace(shop, rules=rules), moments.append)
    return moments.pop()


if __name__ == "__main__":
    main()
