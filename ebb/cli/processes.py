"""`ebb worker` and `ebb learner`: the two processes of a deployment."""

import click

from ebb.cli.errors import told


@click.command()
@told
def worker() -> None:
    """Fold events into live features, scores and alerts, until stopped."""
    from ebb.compose.worker import run_worker
    from stream.settings.load import load_worker_settings
    from stream.settings.logs import configure_logging

    settings = load_worker_settings()
    configure_logging("worker", settings)
    run_worker(settings)


@click.command()
@told
def learner() -> None:
    """Learn from matured outcomes and publish signed models, until stopped. One per deployment."""
    from ebb.compose.learner import run_learner
    from stream.settings.load import load_learner_settings
    from stream.settings.logs import configure_logging

    settings = load_learner_settings()
    configure_logging("learner", settings)
    run_learner(settings)
