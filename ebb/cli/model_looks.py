"""`ebb models list`, `show`, `compare` and `export`: how the candidates do, and what serves."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from ebb.cli.errors import told
from ebb.models.as_json import compare_object, list_object, show_object
from ebb.models.deciding import check_candidate
from ebb.models.reading import ModelError, document_of, known_model, known_models, known_segments, versions_of
from ebb.models.screen import compare_screen, list_screen, show_screen
from ebb.models.segments import segments_object, segments_screen
from ebb.text import fitted, terminal_columns
from stream.scoring.documents import SEGMENTS_NAME, encode
from stream.settings.load import load_worker_settings

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def _fitted(lines: Sequence[str]) -> str:
    return fitted("\n".join(lines), terminal_columns())


@click.command("list")
@json_option
@told
def list(as_json: bool) -> None:
    """Show what serves for each outcome, and how well."""
    found = known_models(load_worker_settings())
    click.echo(json.dumps(list_object(found)) if as_json else "\n".join(list_screen(found)))


@click.command()
@click.argument("name")
@click.option("--candidate", help="Whose reliability is shown; by default the champion's.")
@json_option
@told
def show(name: str, candidate: str | None, as_json: bool) -> None:
    """Show the candidates of an outcome, or of segments: figures, evidence, reliability, lineage."""
    settings = load_worker_settings()
    if name == SEGMENTS_NAME:
        segments, stored = known_segments(settings), versions_of(settings, name)
        if as_json:
            click.echo(json.dumps(segments_object(segments, stored)))
        else:
            click.echo(_fitted(segments_screen(segments, stored)))
        return
    known = known_model(settings, name)
    shown = candidate or known.contest.championship.champion
    check_candidate(known, shown)
    versions, columns = versions_of(settings, name), terminal_columns()
    if as_json:
        click.echo(json.dumps(show_object(known, versions, shown)))
    else:
        click.echo(_fitted(show_screen(known, versions, shown, columns)))


@click.command()
@click.argument("name")
@click.argument("one")
@click.argument("other")
@json_option
@told
def compare(name: str, one: str, other: str, as_json: bool) -> None:
    """Compare two candidates of an outcome, block by block on the same labels."""
    if one == other:
        raise click.UsageError(f"{one} differs from itself in nothing. Name two candidates: `ebb models show {name}`.")
    known = known_model(load_worker_settings(), name)
    for each in (one, other):
        check_candidate(known, each)
    click.echo(json.dumps(compare_object(known, one, other)) if as_json else _fitted(compare_screen(known, one, other)))


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--version", help="A stored version; by default the one in force.")
@json_option
@told
def export(name: str, file: Path, version: str | None, as_json: bool) -> None:
    """Write a model, verified, as JSON: names and numbers (- is stdout)."""
    document = document_of(load_worker_settings(), name, version)
    text = encode(document)
    if str(file) == "-":
        click.echo(text)
        return
    try:
        file.write_bytes(text + b"\n")
    except OSError as error:
        raise ModelError(f"{file} cannot be written: {error.strerror}. Choose another FILE.") from error
    written = {"name": document.name, "version": document.version, "file": str(file), "bytes": len(text) + 1}
    click.echo(
        json.dumps(written)
        if as_json
        else f"{document.name} {document.version} is in {file}, {len(text) + 1:,} bytes of JSON"
    )
