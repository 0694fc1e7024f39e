"""`ebb models sign`: a person's word for learners that are not signed yet."""

import json
from collections.abc import Iterator, Sequence

import click

from ebb.cli.errors import told
from ebb.models.vouching import Vouched, vouch
from stream.settings.load import load_worker_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@told
def sign(as_json: bool) -> None:
    """Sign once what learners have left unsigned, or signed with a key that is lost.

    Only if nobody else could write to Redis: it vouches for what is there. The learner waits for it.
    """
    found = vouch(load_worker_settings())
    click.echo(json.dumps([each._asdict() for each in found]) if as_json else "\n".join(_lines(found)))


def _lines(found: Sequence[Vouched]) -> Iterator[str]:
    width = max((len(each.name) for each in found), default=0)
    for each in found:
        what = "signed" if each.is_signed_now else "was signed already"
        yield f"{each.name:<{width}}  {each.labels:>9,} labels, up to offset {each.next_offset:,}: {what}"
    if not found:
        yield "there is no learner in this Redis"
    elif any(each.is_signed_now for each in found):
        yield "a learner that waits for it goes on; next: ebb models list"
