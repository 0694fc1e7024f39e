"""`ebb erase` and `ebb merge-customers`: who a customer is, put right."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from ebb.cli.errors import told
from ebb.cli.number_options import timeout_option
from ebb.cli.receipt_files import keep, reserved
from ebb.cli.replay import quiet_kafka
from ebb.identities import IdentityCommands, Written, held, naming, without_archived
from ebb.receipts import Receipt, ReceiptError, encode_receipt, signed, verified
from ebb.text import lookup_of
from stream.settings.load import load_common_settings, load_worker_settings
from stream.signing import Keyring

TIMEOUT = timeout_option("the worker has applied it")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@click.argument("customer", required=False)
@click.option(
    "--archive",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Erase from this archive of `ebb archive`, too.",
)
@click.option("--receipt", "to", type=click.Path(path_type=Path), help="Write the receipt to this new file.")
@click.option("--verify", "receipt", metavar="FILE", type=click.File("rb"), help="Check a receipt (- is stdin).")
@TIMEOUT
@click.option("--no-wait", is_flag=True, help="Write the record and say where; no receipt.")
@AS_JSON
@told
def erase(
    customer: str | None,
    folder: Path | None,
    to: Path | None,
    receipt: Any,
    timeout: float,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Erase a customer, with everybody merged into it, and print a signed receipt.

    Events of it up to now count no more, also when they are replayed later; newer ones begin a new customer. What
    remains where is in docs/operations.md.
    """
    quiet_kafka()
    if (customer is None) == (receipt is None):
        raise click.UsageError("Name a customer, or a receipt with --verify.")
    if receipt is not None:
        _verify(receipt.read(), as_json=as_json)
        return
    if no_wait and (folder or to):
        raise click.UsageError("With --no-wait nothing is known to be erased yet: leave out --archive and --receipt.")
    settings = load_common_settings() if no_wait else load_worker_settings()
    with reserved(to), _waiting() as tell, held(folder, timeout):
        commands = IdentityCommands(settings, timeout, tell)
        everybody = commands.one_person(str(customer))
        written = commands.write_erasure(str(customer))
        if no_wait:
            click.echo(_place(written, as_json=as_json))
            return
        with naming(everybody):
            done = commands.erased(written, everybody, time.time_ns() // 1_000_000)
            if folder is not None:
                tell("the archive is rewritten")
                done = without_archived(done, folder)
        made = signed(done, Keyring.from_text(load_worker_settings().model_keys))
        if to is not None:
            keep(made, to)
    click.echo(encode_receipt(made) if as_json else describe(made, to))


@click.command()
@click.argument("customer")
@click.argument("into")
@TIMEOUT
@click.option("--no-wait", is_flag=True, help="Write the record and say where.")
@AS_JSON
@told
def merge_customers(customer: str, into: str, timeout: float, no_wait: bool, as_json: bool) -> None:
    """Let all that CUSTOMER did, and will do, count for INTO: a visitor has become known.

    CUSTOMER is an alias of INTO from then on. There is no way back.
    """
    quiet_kafka()
    with _waiting() as tell:
        commands = IdentityCommands(load_common_settings(), timeout, tell)
        written = commands.write_merge(customer, into)
        if no_wait:
            click.echo(_place(written, as_json=as_json))
            return
        home = commands.merged(written, into)
    if as_json:
        click.echo(msgspec.json.encode({"customer_id": customer, "into": home} | _place_of(written)))
        return
    click.echo(f"{customer} is {home} now\n  by {_words(written)}\n  next: {lookup_of(home)}")


def describe(receipt: Receipt, to: Path | None) -> str:
    """A receipt for a reader; the receipt itself, too, unless it is in a file."""
    until = datetime.fromtimestamp(receipt.erased_ms / 1000, UTC)
    also = f", with {', '.join(receipt.also)}" if receipt.also else ""
    counts = ", ".join(_counted(name, count) for name, count in receipt.removed.items() if count)
    lines = [
        f"{receipt.customer_id} is erased{also}",
        f"  removed  {counts or 'nothing: nobody was there'}",
        f"  until    {until:%Y-%m-%d %H:%M:%S} UTC; older events of it count no more",
        f"  by       {receipt.topic} partition {receipt.partition} offset {receipt.offset:,}",
        f"  signed   with key {receipt.key_id}",
    ]
    if to is None:
        return "\n".join([*lines, encode_receipt(receipt).decode()])
    return "\n".join([*lines, f"  next: ebb erase --verify {to}"])


def _counted(name: str, count: int) -> str:
    """A count in words.

    >>> _counted("open_labels", 1), _counted("snapshots", 2)
    ('1 open label', '2 snapshots')
    """
    words = name.replace("_", " ")
    return f"{count:,} {words.removesuffix('s') if count == 1 else words}"


def _verify(text: bytes, *, as_json: bool) -> None:
    keyring = Keyring.from_text(load_worker_settings().model_keys)
    try:
        receipt = verified(text, keyring)
    except ReceiptError as error:
        if not as_json:
            raise
        click.echo(msgspec.json.encode({"valid": False, "why": str(error)}))
        sys.exit(1)
    if as_json:
        click.echo(msgspec.json.encode({"valid": True, "customer_id": receipt.customer_id, "key_id": receipt.key_id}))
        return
    click.echo(f"the receipt of {receipt.customer_id} is as key {receipt.key_id} signed it")


def _place_of(written: Written) -> dict[str, Any]:
    return {"topic": written.topic, "partition": written.partition, "offset": written.offset}


def _words(written: Written) -> str:
    return f"{written.topic} partition {written.partition} offset {written.offset:,}"


def _place(written: Written, *, as_json: bool) -> str:
    """Where a record was written."""
    place = _place_of(written) | {"event_id": written.record.event_id}
    return msgspec.json.encode(place).decode() if as_json else f"written to {_words(written)}"


@contextmanager
def _waiting() -> Iterator[Callable[[str], None]]:
    """Says on standard error what is waited for, if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield lambda what: status.update(f"waiting until {what.translate(_PLAIN)}")


_PLAIN = str.maketrans({"[": "(", "]": ")"})  # rich reads square brackets as its own
