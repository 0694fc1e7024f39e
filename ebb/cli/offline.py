"""`ebb offline`: what analysts ask of a history. A new command is a file and its line here."""

import click

from ebb.cli import Commands

OFFLINE = {
    "backtest": "ebb.cli.backtest",
    "features": "ebb.cli.features",
    "train": "ebb.cli.train",
    "publish": "ebb.cli.publish",
    "segments": "ebb.cli.offline_segments",
    "retrain": "ebb.cli.retrain",
}


@click.group(cls=Commands, modules=OFFLINE)
def offline() -> None:
    """Judge and train models, find segments and compute features over a history, without Kafka and Redis."""
