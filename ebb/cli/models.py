"""`ebb models`: which model serves, how the candidates do, and a person's word in it."""

import click

from ebb.cli import Commands

LOOKS, DECISIONS = "ebb.cli.model_looks", "ebb.cli.model_decisions"

COMMANDS = {
    "list": LOOKS,
    "show": LOOKS,
    "compare": LOOKS,
    "promote": DECISIONS,
    "pin": DECISIONS,
    "unpin": DECISIONS,
    "rollback": DECISIONS,
    "withdraw": DECISIONS,
    "export": LOOKS,
    "sign": "ebb.cli.model_signing",
}


@click.group(cls=Commands, modules=COMMANDS)
def models() -> None:
    """Models and their challengers: how they do, which serves, and who decides."""
