"""The command line. Each command group is a file; a new command is a file and its line here."""

import gc
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from ebb.cli.errors import interrupted

COMMANDS = {
    "demo": "ebb.cli.demo",
    "up": "ebb.cli.services",
    "down": "ebb.cli.services",
    "kafka": "ebb.cli.services",
    "worker": "ebb.cli.worker",
    "learner": "ebb.cli.learner",
    "ingest": "ebb.cli.ingest",
    "replay": "ebb.cli.replay",
    "clock": "ebb.cli.clock",
    "verify": "ebb.cli.verify",
    "archive": "ebb.cli.archive",
    "recover": "ebb.cli.recover",
    "repartition": "ebb.cli.recover",
    "simulate": "ebb.cli.simulate",
    "offline": "ebb.cli.offline",
    "dead-letters": "ebb.cli.dead_letters",
    "lookup": "ebb.cli.lookup",
    "segments": "ebb.cli.lookup",
    "at-risk": "ebb.cli.lookup",
    "alerts": "ebb.cli.alerts",
    "models": "ebb.cli.models",
    "erase": "ebb.cli.identities",
    "merge-customers": "ebb.cli.identities",
}
"""Command -> the module that holds it, under its name with underscores. Modules load when their command is called."""


SENTENCE = 1_000  # characters; longer than any


class Spelled(click.Group):
    """Lists its commands with all of their first sentence, which click cuts where a line ends."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its sentence."""
        commands = [(name, command) for name in self.list_commands(ctx) if (command := self.get_command(ctx, name))]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(limit=SENTENCE)) for name, command in commands])


class Commands(Spelled):
    """Loads the module of a command when it is called: `ebb lookup` should not wait for River.

    Args:
        modules: command -> the module that holds it.
    """

    def __init__(self, *arguments: Any, modules: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a new user needs them."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        module = self._modules.get(cmd_name)
        if module is None:
            return None
        command = getattr(_imported(module), cmd_name.replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{cmd_name} is not a command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Import and call; Ctrl-C while modules load, the first seconds of a worker, ends it like any command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            interrupted()


def _imported(name: str) -> ModuleType:
    """A module. What modules make stays: to look for garbage among it takes a tenth of a start."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()


@click.command(cls=Commands, modules=COMMANDS)
@click.version_option(package_name="ebb")
def main() -> None:
    """Ebb scores customer behaviour while it happens."""
