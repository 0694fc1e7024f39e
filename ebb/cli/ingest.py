"""`ebb ingest`: records of other topics become Ebb's events, as a map says."""

from pathlib import Path

import click

from ebb.cli.errors import FAILED, told
from ebb.ingest_check import check_samples, described
from stream.settings.load import load_ingest_settings
from stream.settings.logs import configure_logging


@click.command()
@click.option(
    "--map", "map_file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The map, a TOML file."
)
@click.option(
    "--check", "samples", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Show what becomes of the records in this file instead of reading Kafka; may be repeated.",
)  # fmt: skip
@click.option("--topic", help="The source that the samples are of; needed when the map has several.")
@click.option("--json", "as_json", is_flag=True, help="Print what --check finds as one JSON object a record.")
@told
def ingest(map_file: Path, samples: tuple[Path, ...], topic: str | None, as_json: bool) -> None:
    """Turn records of any topic into events, until stopped.

    With --check: read samples from files and exit with 1 if one is refused. A file holds one JSON value, an array of
    them, one a line, or the bytes of one record of an Avro topic.
    """
    settings = load_ingest_settings()
    if not samples:
        from ebb.compose.ingest import ingest as run  # noqa: PLC0415 - a check needs no Kafka client

        configure_logging("ingest", settings)
        run(settings, map_file)
        return
    results = check_samples(settings, map_file, samples, topic)
    for result in results:
        click.echo(result.as_json() if as_json else described(result))
    if any(result.refused for result in results):
        raise click.exceptions.Exit(FAILED)
