"""`ebb learner`: one of the two processes of a deployment."""

import click

from ebb.cli.errors import told
from ebb.compose.learner import run_learner
from stream.settings.load import load_learner_settings
from stream.settings.logs import configure_logging


@click.command()
@told
def learner() -> None:
    """Learn from matured outcomes and publish signed models, until stopped. One per deployment."""
    settings = load_learner_settings()
    configure_logging("learner", settings)
    run_learner(settings)
