"""`ebb offline publish`: a model of a run, or its centres of segments, take part as a challenger."""

from pathlib import Path
from typing import Any

import click

from ebb.cli.errors import told
from ebb.cli.model_decisions import conclude, deciding, who_decides
from ebb.cli.replay import quiet_kafka
from ebb.models.of_runs import challenger_of_run
from ebb.models.publishing import notes
from ebb.models.publishing import publish as publish_challenger
from stream.settings.load import load_worker_settings


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN")
@click.option("--model", help="Which model of the run. [default: the one that was chosen]")
@click.option("--name", help="What it is called among the candidates. [default: offline_<model>]")
@deciding
@told
def publish(run: Path, model: str | None, name: str | None, **how: Any) -> None:
    """Let a model of `ebb offline train`, or centres of `ebb offline segments`, take part as a challenger.

    It is signed, put into Redis and judged beside the others on snapshots from now on; the rule (not of segments) or
    `ebb models promote` may make it champion. A model of an amount cannot be published, nor trees of more than 25,600
    nodes.
    """
    quiet_kafka()
    settings = load_worker_settings()
    challenger = challenger_of_run(run, model, name)
    written = publish_challenger(settings, challenger, by=who_decides(how["by"]))
    for sentence in notes(challenger, settings.score_budget_us):
        click.echo(f"note: {sentence}", err=True)
    conclude(settings, written, how["timeout"], no_wait=how["no_wait"], as_json=how["as_json"])
