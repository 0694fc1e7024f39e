"""`ebb offline retrain`: from a history to a challenger that takes part, in one command that may be scheduled."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from ebb.cli.errors import told
from ebb.cli.histories import any_history_options, refuse_unclear
from ebb.cli.model_decisions import deciding, who_decides
from ebb.cli.offline_segments import segments_run
from ebb.cli.replay import quiet_kafka
from ebb.cli.runs import begin_run
from ebb.cli.train import training_options, training_run
from ebb.models.deciding import taken, write_decision
from ebb.models.of_runs import challenger_of_run
from ebb.models.publishing import publish, refuse_full
from ebb.models.reading import known
from ebb.models.retraining import (
    Retrained,
    RetrainingRunsError,
    alone,
    chosen_model,
    making_room,
    name_of,
    run_before,
)
from ebb.models.stored import asking
from offline.segments import checks as of_segments
from offline.training import checks as of_models
from offline.training.recipes import RECIPES
from stream.ports import CHALLENGERS_AT_MOST
from stream.scoring.challengers import check_challenger_name
from stream.scoring.documents import SEGMENTS_NAME
from stream.settings.load import load_worker_settings
from stream.settings.worker import WorkerSettings

NOT_GOOD_ENOUGH, BUSY = 3, 4
"""Exit codes beside 0 (it takes part), 1 (it could not be done) and 2 (the command was not understood)."""


@click.command()
@any_history_options
@click.option("--outcome", required=True, help="What is predicted: one of EBB_OUTCOMES, or segments.")
@click.option(
    "--model",
    type=click.Choice([*RECIPES, "all"]),
    default="boosting",
    show_default=True,
    help="The kind of model; of all the best in cross-validation that workers may score with.",
)
@training_options
@click.option("--refit/--no-refit", default=True, show_default=True, help="Publish what knows the judged rows as well.")
@click.option("--runs", type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Runs are kept here.")
@click.option("--prefix", default="retrained", show_default=True, help="Challengers are called this and the date.")
@click.option(
    "--keep",
    type=click.IntRange(1, CHALLENGERS_AT_MOST),
    default=2,
    show_default=True,
    help="So many of them take part at once; the one that does worst makes room for the next.",
)
@deciding
@told
def retrain(**options: Any) -> None:
    """Train on a history, check the model on its latest rows, and let it take part as a challenger.

    HISTORY is files of a --source, a folder of `ebb archive`, or one of `ebb simulate --parquet`. On one day (UTC)
    there is one challenger of an outcome: run again the command does what is left to do. Exits with 0 when the
    challenger takes part, 1 when it could not be done, 3 when the model did not pass its checks and nothing was
    published, 4 when another one is at work in --runs.
    """
    refuse_unclear(options)
    quiet_kafka()
    settings = load_worker_settings()
    try:
        with alone(options["runs"]):
            done = _retrain(settings, options)
    except RetrainingRunsError as error:
        click.echo(f"ebb: {error}", err=True)
        sys.exit(BUSY)
    click.echo(json.dumps(done.as_object()) if options["as_json"] else "\n".join(done.screen()))
    if not done.takes_part:
        sys.exit(NOT_GOOD_ENOUGH)


@dataclass(frozen=True)
class Done:
    """What a retraining has come to.

    Attributes:
        outcome: what is predicted.
        name: of the challenger.
        run: its folder.
        retrained: what was made of it; None where the challenger took part before, and nothing was looked at.
        takes_part: whether the challenger does.
        withdrawn: who has made room.
        written: where the decision is in the labels log; empty where nothing was written.
    """

    outcome: str
    name: str
    run: Path
    retrained: Retrained | None
    takes_part: bool
    withdrawn: Sequence[str] = ()
    written: Mapping[str, Any] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        """For a script."""
        return {
            "outcome": self.outcome,
            "name": self.name,
            "run": str(self.run),
            "takes_part": self.takes_part,
            "published": bool(self.written),
            "model": self.retrained.model if self.retrained else None,
            "checks": msgspec.to_builtins(self.retrained.checks) if self.retrained else [],
            "withdrawn": list(self.withdrawn),
            **self.written,
        }

    def screen(self) -> Iterator[str]:
        """For a reader."""
        if self.retrained is None:
            yield f"{self.outcome} · {self.name} takes part already: nothing to do"
        else:
            model = self.retrained.model
            done = (
                f"{self.name} takes part, {model}" if self.takes_part else f"{model} is not good enough: not published"
            )
            yield f"{self.outcome} · {done}"
            yield from (f"  {'passed' if each.passed else 'FAILED'}  {each.said}" for each in self.retrained.checks)
        yield from (f"  {name} was withdrawn" for name in self.withdrawn)
        yield f"next: ebb models show {self.outcome}" if self.takes_part else f"next: open {self.run / 'report.html'}"


def _retrain(settings: WorkerSettings, options: Mapping[str, Any]) -> Done:
    outcome = options["outcome"]
    name = name_of(options["prefix"], datetime.now(UTC).date())
    check_challenger_name(name)
    run = options["runs"] / outcome / name
    now = known(settings, outcome)
    if name in now.contest.candidates:
        return Done(outcome, name, run, None, takes_part=True)
    leaving = making_room(now, options["prefix"], options["keep"])
    refuse_full(outcome, name, now.contest.challengers.keys() - set(leaving))  # before it trains for an hour
    retrained = run_before(run) or _made(settings, run, options)
    if not retrained.passed:
        return Done(outcome, name, run, retrained, takes_part=False)
    gone = making_room(known(settings, outcome), options["prefix"], options["keep"])
    for each in gone:
        _withdraw(settings, outcome, each, options)
    challenger = challenger_of_run(run, retrained.model, name)
    written = publish(settings, challenger, by=who_decides(options["by"]))
    if not options["no_wait"]:
        taken(settings, written, options["timeout"])
    where = {"message_id": written.decision.message_id, "offset": written.offset}
    return Done(outcome, name, run, retrained, takes_part=True, withdrawn=gone, written=where)


def _withdraw(settings: WorkerSettings, outcome: str, name: str, options: Mapping[str, Any]) -> None:
    """Waits in any case: without its leaving there may be no place."""
    asking(settings.redis_url, lambda store: store.withdraw_challenger(outcome, name))
    written = write_decision(settings, outcome, "withdraw", name, by=who_decides(options["by"]))
    taken(settings, written, options["timeout"])


def _made(settings: WorkerSettings, run: Path, options: Mapping[str, Any]) -> Retrained:
    """A run with what it is for."""
    begin_run(run)
    if options["outcome"] == SEGMENTS_NAME:
        found = segments_run(settings, {**options, "at": None, "clusters": None})
        retrained = Retrained(model=SEGMENTS_NAME, checks=of_segments.checks_of(found.finding.found))
        found.write(run, retrained=retrained)
        return retrained
    made = training_run(settings, options)
    trained = made.trained
    model = chosen_model(trained.metrics, trained.documents, settings.score_budget_us)
    retrained = Retrained(model=model, checks=of_models.checks_of(trained.metrics, model))
    made.write(run, retrained=retrained)
    return retrained
