"""`ebb worker`: one of the two processes of a deployment."""

import click

from ebb.cli.errors import told
from ebb.compose.worker import run_worker
from stream.settings.load import load_worker_settings
from stream.settings.logs import configure_logging


@click.command()
@told
def worker() -> None:
    """Fold events into live features, scores and alerts, until stopped."""
    settings = load_worker_settings()
    configure_logging("worker", settings)
    run_worker(settings)
