"""`ebb offline publish`: a model of a run takes part as a challenger."""

from pathlib import Path
from typing import Any

import click

from ebb.cli.errors import told
from ebb.cli.model_decisions import conclude, deciding, who_decides
from ebb.cli.replay import quiet_kafka
from ebb.models.of_runs import challenger_of_run
from ebb.models.publishing import publish as publish_challenger
from stream.settings.load import load_worker_settings


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN")
@click.option("--model", help="Which model of the run. [default: the one that was chosen]")
@click.option("--name", help="What it is called among the candidates. [default: offline_<model>]")
@deciding
@told
def publish(run: Path, model: str | None, name: str | None, **how: Any) -> None:
    """Let a model of `ebb offline train` take part as a challenger of its outcome.

    It is signed, put into Redis and judged beside the others on snapshots from now on; the rule or `ebb models promote`
    may make it champion. Logistic regressions only.
    """
    quiet_kafka()
    settings = load_worker_settings()
    written = publish_challenger(settings, challenger_of_run(run, model, name), by=who_decides(how["by"]))
    conclude(settings, written, how["timeout"], no_wait=how["no_wait"], as_json=how["as_json"])
