"""`ebb demo`: the main job on a real retailer's history, on this machine."""

from importlib.resources import files as packaged
from pathlib import Path

import click

from ebb.cli.errors import told
from ebb.cli.replay import quiet_kafka
from ebb.demo.deployment import Ports
from ebb.demo.results import Results
from ebb.demo.results import as_json as encoded
from ebb.demo.run import DemoPlan, run_demo
from ebb.demo.screen import summary
from ebb.demo.simulated_screen import Screen
from ebb.demo.simulated_screen import summary as shown
from ebb.services.local import FOLDER
from ebb.text import fitted, terminal_columns
from offline.sources import SOURCES
from stream.errors import SourceError

EXAMPLE = Path("examples/online_retail/online_retail_2009-12_2010-12.parquet")
KAFKA_PORT, REDIS_PORT = 9092, 6379

COMMANDS = (
    ("ebb lookup {customer}", "one customer, and why"),
    ("ebb segments", "all segments"),
    ("ebb at-risk -n 20", "whom to call first"),
)
OWN_DATA = "your own data: ebb demo --history FILE --source online_retail   (docs/your-own-data.md)"


@click.command()
@click.option(
    "--history",
    "histories",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A history of your own; may be given several times.",
)
@click.option(
    "--source",
    type=click.Choice(list(SOURCES)),
    default="online_retail",
    show_default=True,
    help="What kind of files they are.",
)
@click.option("--columns", default="", metavar="OURS=THEIRS,…", help="Which column of the files is which of ours.")
@click.option("--currency", default="GBP", show_default=True, help="The one currency of all money.")
@click.option(
    "--kafka-port",
    type=click.IntRange(1, 65_535),
    default=KAFKA_PORT,
    show_default=True,
    help="Port of the embedded broker.",
)
@click.option(
    "--redis-port",
    type=click.IntRange(1, 65_535),
    default=REDIS_PORT,
    show_default=True,
    help="Port of the embedded Redis.",
)
@click.option("--keep", is_flag=True, help="Leave everything running on the live clock.")
@click.option("--no-simulated", is_flag=True, help="Leave out the simulated shop at the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object, the last line.")
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE…]")
@told
def demo(
    *,
    histories: tuple[Path, ...],
    source: str,
    columns: str,
    currency: str,
    kafka_port: int,
    redis_port: int,
    keep: bool,
    no_simulated: bool,
    as_json: bool,
    more: tuple[Path, ...],
) -> None:
    """Replay a year of a real retailer through broker, worker, learner and Redis, and show what it taught.

    Then a simulated shop is live for twenty seconds, a day passing in each. Exits with 1 if what Redis holds differs
    from the history.
    """
    quiet_kafka()
    files = (*histories, *more) or (example_history(),)
    ports = Ports(kafka_port, redis_port)
    plan = DemoPlan(files, source, columns, currency, Path(FOLDER), ports, keep, simulated=not no_simulated)
    found: list[Results] = []

    def show_results(results: Results) -> None:
        found.append(results)
        if not as_json:
            columns = terminal_columns()
            click.echo(fitted(summary(results, currency, columns), columns))

    with Screen(lines=not as_json) as screen:
        show = run_demo(plan, show_results, screen)
    results = found[0]
    if as_json:
        click.echo(encoded(results, show.figures if show else None))
    else:
        customer = results.at_risk[0].customer_id if results.at_risk else "CUSTOMER"
        last = "\n".join([*([shown(show)] if show else []), "", _next_steps(customer, keep)])
        click.echo(fitted(last, terminal_columns()))
    if results.parity.mismatches:
        raise click.exceptions.Exit(1)


def _next_steps(customer: str, kept: bool) -> str:
    """What to try next."""
    first = (
        "everything runs on the live clock now, until `ebb down`:"
        if kept
        else "next: ebb demo --keep leaves everything running on the live clock, until `ebb down`; then"
    )
    shown = [(command.format(customer=customer), what) for command, what in COMMANDS]
    width = max(len(command) for command, _ in shown)
    return "\n".join([first, *(f"  {command:<{width}}   {what}" for command, what in shown), OWN_DATA])


def example_history() -> Path:
    """The year of Online Retail II in the repository.

    Raises:
        SourceError: the package is installed without the repository.
    """
    path = Path(str(packaged("ebb"))).parent / EXAMPLE
    if not path.exists():
        raise SourceError(
            f"{path} is not there: the example is part of the repository. Give a history with --history FILE."
        )
    return path
