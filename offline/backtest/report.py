"""The online model beside batch models and rules, on the same customer-weeks after a split in time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np

from offline.backtest import batch
from offline.backtest.figures import Differences, Figures, compare, judge
from offline.backtest.labels import judged_by, known, settled
from offline.backtest.rows import WEEK_DAYS, BoolArray, FloatArray, Rows
from schemas.units import DAY_MS
from stream.errors import OfflineError
from stream.outcomes.declaration import GRACE_MS, Outcome
from stream.scoring.documents import FLOORS

REFIT_DAYS = 28
BATCH = ("batch_logistic", "batch_gradient_boosting", "batch_refit_4w")

LOG_LOSS_MARGIN, AUC_MARGIN, EARLY_AUC_MARGIN = 0.003, 0.005, 0.010
ECE_LIMIT, ECE_MARGIN = 0.05, 0.01
NOT_EVERYBODY = (
    "The history ends before the longest of the customers' own windows are over: judged are those whose windows are, "
    "more of them frequent customers. A longer history, or an earlier --from, judges everybody."
)
EARLY_HORIZONS = 3  # a split before so many horizons of history is early: online has learned from few labels


@dataclass(frozen=True)
class Span:
    """When the history begins and ends, and where it is split. Times in ms since 1970, UTC; the split is a midnight."""

    first_ms: int
    last_ms: int
    split_ms: int

    def __post_init__(self) -> None:
        """Refuse a split that leaves nothing on one of its sides.

        Raises:
            OfflineError: it is outside of the history.
        """
        if not self.first_ms < self.split_ms < self.last_ms:
            has_midnight = (self.first_ms // DAY_MS + 1) * DAY_MS < self.last_ms
            raise OfflineError(
                f"--from {day_text(self.split_ms)} is outside of the history, which goes from "
                f"{day_text(self.first_ms)} to {day_text(self.last_ms)}. "
                f"{'Choose a day between them' if has_midnight else 'Give a longer history'}."
            )

    @property
    def split_day(self) -> int:
        """Days since 1970."""
        return self.split_ms // DAY_MS


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest has found out about one outcome; `--json` prints it.

    Attributes:
        outcome: what was predicted.
        split: the day from which on models are judged, as YYYY-MM-DD.
        rows: customer-weeks that were judged.
        customers: how many customers they are of.
        unscored: customer-weeks left out because no online model served yet.
        is_everybody: whether nobody who was asked on the judged days is missing. Windows that are customers' own
            are over first where they are short; if hardly any day is long enough ago for all, only these are judged.
        base_rate: the share of them for which the outcome came true.
        trained_on: customer-weeks known before the split, which the batch models were fitted on.
        online: the score that the online model gave at each moment.
        online_frozen_at_split: the online model of the split on all rows; nan, null in JSON, where none served yet.
        differences: batch model -> figures of `online` minus its own.
        floors: the simple rules, fitted before the split.
        behind: sentences that say where the online model does not keep up with the best batch one.
        events_per_s: how fast the history was lived through.
        left_out: a sentence about what of the history does not count; empty if all does.
    """

    outcome: str
    split: str
    rows: int
    customers: int
    unscored: int
    is_everybody: bool
    base_rate: float
    trained_on: int
    online: Figures
    online_frozen_at_split: Figures
    batch_logistic: Figures
    batch_gradient_boosting: Figures
    batch_refit_4w: Figures
    floors: Mapping[str, Figures]
    differences: Mapping[str, Differences]
    behind: Sequence[str]
    events_per_s: float
    left_out: str = ""

    @property
    def batch(self) -> dict[str, Figures]:
        """The batch models by name."""
        return {name: getattr(self, name) for name in BATCH}


def report(rows: Rows, outcome: Outcome, value: FloatArray, span: Span, events_per_s: float = 0.0) -> Report:
    """Judge an outcome's models.

    Args:
        rows: all customer-weeks of the history.
        outcome: one whose scores `rows` has.
        value: what became of each row.
        span: of the history.
        events_per_s: told on.

    Raises:
        OfflineError: there is nothing to learn from, or nothing to judge by.
    """
    learned = known(rows, outcome, span.split_ms)
    judged = judged_by(rows, outcome, span.split_day, span.last_ms)
    scored = judged & ~np.isnan(rows.online[outcome.name])
    if len(rows.day) and not rows.windows_days[outcome.name].any():
        raise nobody_asked(outcome)
    _refuse(outcome, span, value, learned, judged, scored)
    said = _predictions(rows, outcome, value, learned, scored, span.split_day)
    happened, customer = value[scored], rows.customer[scored]
    figures = {name: judge(each, happened) for name, each in said.items()}
    differences = {name: compare(said["online"], said[name], happened, customer) for name in BATCH}
    early = span.split_ms - span.first_ms < EARLY_HORIZONS * outcome.horizon_days * DAY_MS
    return Report(
        outcome=outcome.name,
        split=day_text(span.split_ms),
        rows=int(scored.sum()),
        customers=len(np.unique(customer)),
        unscored=int((judged & ~scored).sum()),
        is_everybody=bool(settled(rows, outcome, span.last_ms)[judged].all()),
        base_rate=float(happened.mean()),
        trained_on=int(learned.sum()),
        online=figures["online"],
        online_frozen_at_split=figures["online_frozen_at_split"],
        batch_logistic=figures["batch_logistic"],
        batch_gradient_boosting=figures["batch_gradient_boosting"],
        batch_refit_4w=figures["batch_refit_4w"],
        floors={name: figures[name] for name in FLOORS},
        differences=differences,
        behind=behind(figures["online"], {name: figures[name] for name in BATCH}, early=early),
        events_per_s=round(events_per_s, 1),
    )


def _predictions(
    rows: Rows, outcome: Outcome, value: FloatArray, learned: BoolArray, asked: BoolArray, split_day: int
) -> dict[str, FloatArray]:
    """What each model says of the rows asked: online as it was, batch models fitted on the rows learned.

    Args:
        rows: all customer-weeks.
        outcome: which.
        value: what became of each row.
        learned: rows that were known at the split.
        asked: rows to predict.
        split_day: days since 1970.
    """
    columns, happened, wanted = rows.columns[learned], value[learned], rows.columns[asked]
    parts = [
        (known(rows, outcome, begin * DAY_MS), rows.columns[asked & (rows.day >= begin) & (rows.day < end)])
        for begin, end in _months(split_day, int(rows.day[asked].max()))
    ]
    return {
        "online": rows.online[outcome.name][asked],
        "online_frozen_at_split": rows.frozen[outcome.name][asked],
        "batch_logistic": batch.probability(batch.logistic(columns, happened), wanted),
        "batch_gradient_boosting": batch.probability(batch.gradient_boosting(columns, happened), wanted),
        "batch_refit_4w": batch.refitted(rows.columns, value, parts),
        **batch.rules(columns, happened, wanted),
    }


def _months(split_day: int, last_day: int) -> Iterator[tuple[int, int]]:
    for begin in range(split_day, last_day + 1, REFIT_DAYS):
        yield begin, begin + REFIT_DAYS


def behind(online: Figures, others: Mapping[str, Figures], *, early: bool) -> list[str]:
    """Where the online model does not keep up with the best of the batch models, as sentences.

    >>> good = Figures(auc=0.75, pr_auc=0.7, log_loss=0.5, brier=0.2, ece=0.02)
    >>> behind(good, {"batch_logistic": good}, early=False)
    []
    >>> behind(msgspec.structs.replace(good, auc=0.742), {"batch_logistic": good}, early=False)
    ['AUC .742 is more than .005 below .750 of batch_logistic.']
    """
    found = []
    least = min(others, key=lambda name: others[name].log_loss)
    if online.log_loss > others[least].log_loss + LOG_LOSS_MARGIN:
        found.append(_sentence("Log loss", online.log_loss, LOG_LOSS_MARGIN, "above", others[least].log_loss, least))
    best, margin = max(others, key=lambda name: others[name].auc), EARLY_AUC_MARGIN if early else AUC_MARGIN
    if online.auc < others[best].auc - margin:
        found.append(_sentence("AUC", online.auc, margin, "below", others[best].auc, best))
    truest = min(others, key=lambda name: others[name].ece)
    if online.ece > others[truest].ece + ECE_MARGIN:
        found.append(_sentence("Calibration error", online.ece, ECE_MARGIN, "above", others[truest].ece, truest))
    if online.ece > ECE_LIMIT:
        found.append(f"Calibration error {short(online.ece)} is above {short(ECE_LIMIT)}.")
    return found


def _sentence(what: str, ours: float, margin: float, side: str, theirs: float, name: str) -> str:
    return f"{what} {short(ours)} is more than {short(margin)} {side} {short(theirs)} of {name}."


def short(figure: float) -> str:
    """A figure below one, to three places; – for nan.

    >>> short(0.0421), short(-0.5), short(1.25), short(math.nan)
    ('.042', '-.500', '1.250', '–')
    """
    if math.isnan(figure):
        return "–"
    return f"{figure:.3f}".replace("0.", ".", 1) if abs(figure) < 1 else f"{figure:.3f}"


def _refuse(
    outcome: Outcome, span: Span, value: FloatArray, learned: BoolArray, judged: BoolArray, scored: BoolArray
) -> None:
    """Say what is missing.

    Raises:
        OfflineError: no rows, or rows of one class.
    """
    if not len(value):
        raise OfflineError(
            "On no weekly midnight of the history had a customer bought within 180 days: orders without a customer are "
            "of guests. Check the files, and --columns customer_id=MyColumn if they are files."
        )
    if not learned.any():
        raise _nothing_learned(outcome, span)
    if not judged.any():
        raise _nothing_judged(outcome, span)
    before, after = f"known before {day_text(span.split_ms)}", f"from {day_text(span.split_ms)} on"
    _refuse_one_class(outcome, before, value[learned])
    _refuse_one_class(outcome, after, value[judged])
    if not scored.any():
        raise OfflineError(
            f"No online model of {outcome.name} served {after}: one serves after 200 labels of both classes. "
            "Give a longer history, or more customers."
        )
    _refuse_one_class(outcome, f"{after} that an online model scored", value[scored])


def nobody_asked(outcome: Outcome) -> OfflineError:
    """What to say where no customer is one whom an outcome asks about, however long the history is.

    >>> from stream.outcomes.declaration import LAPSED
    >>> print(str(nobody_asked(LAPSED))[:98])
    Nobody is asked about lapsed: on no day of a row had a customer bought on 2 days or more, the last
    """
    days = outcome.purchase_days_at_least
    bought = f"on {days} days or more, the last time " if days > 1 else ""
    return OfflineError(
        f"Nobody is asked about {outcome.name}: on no day of a row had a customer bought {bought}within "
        f"{outcome.active_within_days} days. Choose another --outcome, or give a history in which one had."
    )


def _refuse_one_class(outcome: Outcome, when: str, value: FloatArray) -> None:
    if len(np.unique(value)) == 1:
        raise OfflineError(
            f"All {len(value):,} customer-weeks {when} have {outcome.name} = {value[0]:g}: with one class there is "
            "nothing to tell apart. Choose another --from, or give a longer history."
        )


def refuse_short(outcome: Outcome, span: Span) -> None:
    """See that the history is long enough on both sides of the split, before it is lived through.

    Raises:
        OfflineError: nothing of an outcome can be known by then.
    """
    if span.split_ms < span.first_ms + _wait_ms(outcome):
        raise _nothing_learned(outcome, span)
    if span.last_ms < span.split_ms + _wait_ms(outcome):
        raise _nothing_judged(outcome, span)


def _wait_ms(outcome: Outcome) -> int:
    return outcome.shortest_days * DAY_MS + GRACE_MS


def _nothing_learned(outcome: Outcome, span: Span) -> OfflineError:
    return OfflineError(
        f"No customer-week before --from {day_text(span.split_ms)} has a known {outcome.name}: {waits(outcome)}, and "
        f"the history begins on {day_text(span.first_ms)}. {_better(outcome, span)}"
    )


def _nothing_judged(outcome: Outcome, span: Span) -> OfflineError:
    return OfflineError(
        f"No customer-week from --from {day_text(span.split_ms)} on has a known {outcome.name}: {waits(outcome)}, and "
        f"the history ends on {day_text(span.last_ms)}. {_better(outcome, span)}"
    )


def _better(outcome: Outcome, span: Span) -> str:
    """Days that would do, if there are any."""
    wait_ms = _wait_ms(outcome)
    earliest_ms, latest_ms = span.first_ms + wait_ms + 2 * WEEK_DAYS * DAY_MS, span.last_ms - wait_ms
    if earliest_ms > latest_ms:
        return f"It ends on {day_text(span.last_ms)}: give a longer one, or an --outcome of fewer days."
    if span.split_ms < earliest_ms:
        return f"Choose {day_text(earliest_ms)} or later."
    return f"Choose {day_text(latest_ms)} or earlier."


def waits(outcome: Outcome) -> str:
    """When an outcome is known, as a part of a sentence."""
    return f"what becomes of a day is known {_wait_ms(outcome) // DAY_MS} days later"


def day_text(time_ms: int) -> str:
    """The day as YYYY-MM-DD."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
