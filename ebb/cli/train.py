"""`ebb offline train`: batch models of an outcome or an amount, judged on what came later; a run is a folder."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from ebb.cli.bar import counting_bar
from ebb.cli.errors import told
from ebb.cli.histories import DAY, any_history_options, days_in, history_given, named
from ebb.cli.number_options import ABOVE_ZERO
from ebb.cli.runs import begin_run, versions
from ebb.compose.rules import rules_of
from ebb.text import aligned
from offline.backtest.report import short
from offline.days import midnight_ms
from offline.features.at_instants import midnights_ms
from offline.rejections import Rejections, rejected_first
from offline.report.folder import write_run
from offline.training.chances import Chances
from offline.training.metrics import BY_CROSS_VALIDATION, Metrics
from offline.training.recipes import RECIPES
from offline.training.report import html
from offline.training.search import SEED, Budget
from offline.training.splits import split_at, split_day
from offline.training.table import ROWS_AT_MOST, Asking, Table, table_of
from offline.training.target import Target, target_of
from offline.training.train import Plan, Training
from offline.training.train import train as fit_and_judge
from schemas.money import amount_format
from schemas.units import DAY_MS
from stream.features.columns import MODEL_COLUMNS
from stream.features.layout import LAYOUT
from stream.settings.load import load_offline_settings
from stream.settings.worker import WorkerSettings

TRIES, TRIES_IN_TIME = 6, 1_000


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is trained, on which rows, and how long is searched; --outcome and --model are the command's own."""
    decorators = (
        click.option(
            "--from",
            "split",
            type=DAY,
            metavar="YYYY-MM-DD",
            help="Models are judged from here on, and learn what was known then. By default about a third is judged.",
        ),
        click.option("--every", default="7d", show_default=True, help="A row of each customer every so many days."),
        click.option(
            "--search-tries", type=click.IntRange(1), help=f"Settings to try of each kind. [default: {TRIES}]"
        ),
        click.option("--search-seconds", type=ABOVE_ZERO, help="Or for how long, for each kind."),
        click.option(
            "--rows", type=click.IntRange(1_000), default=ROWS_AT_MOST, show_default=True, help="Kept at most."
        ),
    )
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


@click.command()
@any_history_options
@click.option("--outcome", required=True, help="What is predicted: one of EBB_OUTCOMES, or an amount, spend_<days>d.")
@click.option(
    "--model", type=click.Choice([*RECIPES, "all"]), default="all", show_default=True, help="The kind of model."
)
@training_options
@click.option("--refit", is_flag=True, help="Once judged, fit the models that are written on all that is known.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="A new folder.")
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json.")
@told
def train(*, out: Path, as_json: bool, **options: Any) -> None:
    """Train logistic regression, random forest and gradient boosting, and write a run with a report page.

    HISTORY is files of a --source, a folder of `ebb archive`, or one of `ebb simulate --parquet`. Needs scikit-learn
    and matplotlib: pip install 'ebb[offline]'.
    """
    begin_run(out)
    made = training_run(load_offline_settings(), options)
    made.write(out)
    metrics = made.trained.metrics
    click.echo(msgspec.json.encode(metrics) if as_json else "\n".join(_screen(metrics, made.rejected, out)))


@dataclass(frozen=True)
class TrainingRun:
    """Models that were trained and judged, and how that came about."""

    trained: Training
    configuration: dict[str, Any]
    rejected: Rejections

    def write(self, out: Path, **more: Any) -> None:
        """Write the run; `more` is kept with its configuration."""
        write_run(out, self.configuration | more, self.trained.metrics, self.trained.documents, html(self.trained))


def training_run(settings: WorkerSettings, options: Mapping[str, Any]) -> TrainingRun:
    """Train what the options of `ebb offline train` say.

    Raises:
        EbbError: there is not enough to learn from, or to judge by; see `offline.training.train.train`.
    """
    target = target_of(options["outcome"], settings.predicted.outcomes)
    every_days = days_in(options["every"])
    if every_days is None:
        raise click.UsageError(f"--every {options['every']}: write a number of days such as 7d.")
    asked_day = midnight_ms(options["split"].date()) // DAY_MS if options["split"] else None
    with history_given(settings, options) as given:
        instants = midnights_ms(settings.earliest_event_ms, given.reading.received_ms, every_days, asked_day or 0)
        asking = Asking(target, rules_of(settings), instants, given.memory_bytes, options["rows"])
        rejected = given.reading.rejected
        with rejected_first(rejected):
            table = table_of(given.batches, asking, given.folder, given.told)
    day = split_day(table.rows, target.outcome, table.last_ms) if asked_day is None else asked_day
    split = None if day is None or not len(table.rows) else split_at(table.rows, target.outcome, day, table.last_ms)
    names = list(RECIPES) if options["model"] == "all" else [options["model"]]
    plan = Plan(names, _budget(options), settings.currency, options["refit"])
    with rejected_first(rejected), counting_bar("steps") as show:
        trained = fit_and_judge(table, target, split, plan, _Counted(show))
    return TrainingRun(trained, _configuration(options, target, table, trained), rejected)


class _Counted:
    """Counts the steps of a training for a bar; how many there will be depends on the rows."""

    def __init__(self, show: Any) -> None:
        self._show, self._steps = show, 0

    def __call__(self) -> None:
        """One more."""
        self._steps += 1
        if self._show:
            self._show(self._steps, None)


def _budget(options: Mapping[str, Any]) -> Budget:
    seconds, tries = options["search_seconds"], options["search_tries"]
    return Budget(tries or (TRIES if seconds is None else TRIES_IN_TIME), seconds)


def _configuration(options: Mapping[str, Any], target: Target, table: Table, trained: Training) -> dict[str, Any]:
    """How a run came about: enough to repeat it."""
    metrics = trained.metrics
    return {
        **named(options),
        "outcome": msgspec.to_builtins(target.outcome),
        "is_amount": target.is_amount,
        "model": options["model"],
        "from": metrics.split,
        "every": options["every"],
        "search_tries": {name: max(len(judged.search.tries), 1) for name, judged in metrics.models.items()},
        "search_seconds": options["search_seconds"],
        "rows": options["rows"],
        "refit": options["refit"],
        "one_customer_in": table.one_in,
        "seed": SEED,
        "chosen": metrics.chosen,
        "data_hash": table.data_hash,
        "layout": LAYOUT,
        "model_columns": MODEL_COLUMNS,
        "versions": versions(),
    }


def _screen(metrics: Metrics, rejected: Rejections, out: Path) -> Iterator[str]:
    """What was found, for a reader."""
    judged, learned = metrics.judged, metrics.learned
    amount = f"mean {judged.mean:{amount_format(metrics.currency)}} {metrics.currency}"
    mean = amount if metrics.is_amount else f"true for {100 * judged.mean:.1f} %"
    yield (
        f"{metrics.outcome} · judged on {judged.rows:,} rows of {judged.customers:,} customers from {metrics.split} "
        f"on, {mean} · learned from {learned.rows:,} known before"
    )
    yield ""
    yield from _amounts(metrics) if metrics.is_amount else _chances(metrics)
    yield ""
    title, how = metrics.models[metrics.chosen].title, metrics.how_chosen
    yield f"chosen by cross-validation: {title}" if how == BY_CROSS_VALIDATION else f"chosen: {title}, {how}"
    yield from (f"note: {sentence}" for sentence in metrics.notes)
    if rejected:
        yield f"note: {rejected.said()}"
    yield f"next: open {out / 'report.html'}"


def _chances(metrics: Metrics) -> Iterator[str]:
    yield f"{'':<32}{'AUC':>7}{'PR AUC':>9}{'log loss':>10}{'Brier':>8}{'ECE':>7}{'lift 10 %':>11}"
    for judged in metrics.models.values():
        if isinstance(judged.judgement, Chances):
            figures, lift = judged.judgement.figures, judged.judgement.gain[0].lift
            yield f"{judged.title:<32}{_cells(figures)}{lift:>11.2f}"
    for name, floor in metrics.floors.items():
        yield f"{'rule: ' + name.replace('_', ' '):<32}{_cells(floor)}"


def _cells(figures: Any) -> str:
    widths = {"auc": 7, "pr_auc": 9, "log_loss": 10, "brier": 8, "ece": 7}
    return "".join(f"{short(getattr(figures, name)):>{width}}" for name, width in widths.items())


def _amounts(metrics: Metrics) -> list[str]:
    amount = amount_format(metrics.currency)
    rows = [["", "MAE", "RMSE", "Gini", "bias", "decile error"]]
    models = {judged.title: judged.judgement.figures for judged in metrics.models.values()}
    for title, figures in {**models, **{f"rule: {k.replace('_', ' ')}": v for k, v in metrics.floors.items()}}.items():
        f: Any = figures
        amounts = [format(f.mae, amount), format(f.rmse, amount)]
        rows.append([title, *amounts, f"{f.gini:z.3f}", f"{f.bias:+.1%}", f"{f.decile_error:.1%}"])
    return aligned(rows, "<>>>>>")
