"""`ebb alerts plan`: what each threshold of churn alerts would come to."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from ebb.cli.errors import told
from ebb.cli.number_options import ABOVE_ZERO
from ebb.cli.replay import quiet_kafka
from ebb.models.stored import outcome_in_force
from ebb.text import aligned, fitted, money, percent, printable, terminal_columns
from ebb.views import utc
from offline.alert_plan.snapshots import Snapshots, snapshots_of
from offline.alert_plan.thresholds import THRESHOLDS, Threshold, at_once, suggested
from offline.alert_plan.thresholds import plan as judged
from offline.archive.reading import read_batches
from offline.dead_letters import records_of
from schemas.messages import Label
from schemas.misfits import MALFORMED
from schemas.money import exponent_of, major_units
from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.errors import OfflineError
from stream.learner.reading import read_label_record
from stream.outcomes.declaration import Outcome, is_same_question
from stream.settings.load import load_worker_settings
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring

ENOUGH = 200  # snapshots; fewer say little of a list that holds a few customers in a hundred


@click.command()
@click.option("--per-week", type=ABOVE_ZERO, help="How many alerts a week you can act on.")
@click.option(
    "--archive",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Read labels from this archive of `ebb archive` and not from Kafka, which keeps them for 30 days.",
)
@click.option("--model", help="Whose stored probabilities count. [default: the one that serves]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@told
def plan(per_week: float | None, folder: Path | None, model: str | None, as_json: bool) -> None:
    """Show what churn alerts at each threshold would have been, from stored scores and what became of them.

    Nothing is scored again: each probability is what was said at that time. EBB_ALERT_PROBABILITY sets the threshold.
    Exits with 1 while there are too few labels.
    """
    quiet_kafka()
    settings = load_worker_settings()
    chosen = model or _serving(settings)
    labels = _archived(folder) if folder else _in_kafka(settings.kafka_servers)
    models: set[str] = set()
    snapshots = snapshots_of(_heard(labels, settings.alerted, models), settings.alerted, chosen)
    _refuse_unknown(models, settings.alerted, chosen, folder)
    _refuse_few(snapshots, settings.alerted, chosen, folder)
    thresholds = judged(snapshots, sorted({*THRESHOLDS, settings.alert_probability}))
    found = Planned(settings, chosen, snapshots, thresholds, per_week)
    click.echo(
        msgspec.json.encode(found.as_object()) if as_json else fitted("\n".join(found.screen()), terminal_columns())
    )


def _serving(settings: WorkerSettings) -> str:
    name = settings.alerted.name
    document = outcome_in_force(settings.redis_url, Keyring.from_text(settings.model_keys), name)
    if document is None or document.serving is None:
        raise OfflineError(f"No model serves {name} yet: it needs 200 labels of both classes. --model names one.")
    return document.serving


def _in_kafka(servers: Sequence[str]) -> Iterator[Label]:
    return _labels(record.value for record in records_of(servers, LABELS))


def _archived(folder: Path) -> Iterator[Label]:
    batches = read_batches(folder, LABELS, 0)
    return _labels(value.as_py() for batch in batches for value in batch.column("value"))


def _labels(values: Iterable[bytes | None]) -> Iterator[Label]:
    """What is a label; the learner counts what cannot be read."""
    for value in values:
        try:
            record = read_label_record(value)
        except MALFORMED:
            continue
        if isinstance(record, Label):
            yield record


def _heard(labels: Iterable[Label], outcome: Outcome, models: set[str]) -> Iterator[Label]:
    """The same labels; `models` gets the names of those whose probabilities they carry."""
    for label in labels:
        if label.outcome == outcome.name and is_same_question(label.question, outcome.code):
            models.update(label.scores)
        yield label


def _refuse_unknown(models: set[str], outcome: Outcome, model: str, folder: Path | None) -> None:
    if not models:
        raise OfflineError(
            f"{folder or 'Kafka'} has no label of {outcome.name} with a probability: they come a window after the "
            "first model serves. Wait, or name a folder of `ebb archive` with --archive."
        )
    if model not in models:
        raise OfflineError(
            f"No label of {outcome.name} carries a probability by {model!a}. Those there are carry "
            f"{', '.join(printable(name) for name in sorted(models))}: name one with --model."
        )


def _refuse_few(snapshots: Snapshots, outcome: Outcome, model: str, folder: Path | None) -> None:
    if len(snapshots) >= ENOUGH:
        return
    old_enough = f"old enough for everybody's window of up to {outcome.horizon_days} days to be over"
    if folder is None and outcome.within_own_gap:
        raise OfflineError(
            f"{len(snapshots)} snapshots in Kafka carry a probability of {outcome.name} by {model}, are {old_enough}, "
            f"and young enough for windows of {outcome.shortest_days} days to be there still; {ENOUGH} are needed. "
            "Unless told otherwise Kafka keeps labels for 30 days: read an archive of `ebb archive` with --archive."
        )
    raise OfflineError(
        f"{len(snapshots)} snapshots carry a probability of {outcome.name} by {model} and are {old_enough}; {ENOUGH} "
        "are needed. Wait, or read a longer history with --archive."
    )


@dataclass(frozen=True)
class Planned:
    """A plan for a script or a reader; `per_week` alerts can be acted on, if that was said."""

    settings: WorkerSettings
    model: str
    snapshots: Snapshots
    thresholds: Sequence[Threshold]
    per_week: float | None

    @property
    def suggested(self) -> Threshold | None:
        """The threshold for `per_week`, if there is one."""
        return suggested(self.thresholds, self.per_week) if self.per_week else None

    @property
    def at_once(self) -> float:
        """How many alerts come at once with the suggested threshold, besides those of every week."""
        now = next(each for each in self.thresholds if each.probability == self.settings.alert_probability)
        return at_once(now, self.suggested) if self.suggested else 0.0

    def as_object(self) -> dict[str, Any]:
        """One JSON object; amounts are decimal strings in major units."""
        first, last = self._days()
        return {
            "outcome": self.settings.alert_outcome,
            "model": self.model,
            "snapshots": len(self.snapshots),
            "from_ms": first * DAY_MS,
            "until_ms": last * DAY_MS,
            "base_rate": float(self.snapshots.left.mean()),
            "now": self.settings.alert_probability,
            "per_week": self.per_week,
            "suggested": self.suggested.probability if self.suggested else None,
            "at_once": self.at_once if self.suggested else None,
            "currency": self.settings.currency,
            "thresholds": [
                {name: value for name, value in msgspec.structs.asdict(each).items() if name != "value_at_risk_minor"}
                | {"value_at_risk": self._amount(each)}
                for each in self.thresholds
            ],
        }

    def screen(self) -> list[str]:
        """A line a threshold, and which to take."""
        first, last = (f"{utc(day * DAY_MS):%Y-%m-%d}" for day in self._days())
        rows = [("threshold", "on the list", "alerts a week", "right", "missed", "value at risk", "")]
        rows += [
            (
                f"{each.probability:g}",
                f"{each.list_size:,.0f}",
                f"{each.alerts_per_week:,.1f}",
                percent(each.precision),
                percent(each.missed),
                money(self._amount(each), self.settings.currency),
                "now" if each.probability == self.settings.alert_probability else "",
            )
            for each in self.thresholds
        ]
        true = f"{percent(float(self.snapshots.left.mean()))} left"
        return [
            f"{self.settings.alerted.in_words(self.settings.currency)}, by {printable(self.model)}",
            f"  {len(self.snapshots):,} customer-days from {first} to {last} · {true}",
            *aligned(rows, ">>>>>><"),
            "  on the list, value at risk: on a day, of those who bought within 180 days",
            "  alerts a week: who joins the list; who is on it when a model begins to serve comes first, within days",
            "  right: share of the list who did leave",
            "  missed: share of those leaving on a day who are not on the list",
            self._next(),
        ]

    def _next(self) -> str:
        if self.per_week is None:
            return "next: ebb alerts plan --per-week N"
        at_most = f"{self.per_week:g} {'alert' if self.per_week == 1 else 'alerts'} a week"
        if self.suggested is None:
            return f"each of these thresholds has more than {at_most}: act on those with the most value at risk"
        opens, closes = self.suggested.probability, self.settings.alert_close_probability
        besides = f", and EBB_ALERT_CLOSE_PROBABILITY, {closes:g} now, not above it" if closes > opens else ""
        first = f"; {self.at_once:,.0f} more come at once" if self.at_once >= 1 else ""
        return f"at most {at_most}: EBB_ALERT_PROBABILITY={opens:g}{besides}{first}"

    def _days(self) -> tuple[int, int]:
        return int(self.snapshots.day.min()), int(self.snapshots.day.max())

    def _amount(self, each: Threshold) -> str:
        return major_units(round(each.value_at_risk_minor), exponent_of(self.settings.currency))
