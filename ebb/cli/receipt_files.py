"""The file of a receipt: there before anything is erased, since what was erased cannot be counted again."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from ebb.receipts import Receipt, ReceiptError, encode_receipt


@contextmanager
def reserved(path: Path | None) -> Iterator[None]:
    """Make a file for a receipt; it goes again when no receipt comes about.

    Raises:
        ReceiptError: it cannot be made, or there is one.
    """
    if path is None:
        yield
        return
    _make(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _make(path: Path) -> None:
    try:
        path.touch(exist_ok=False)
    except FileExistsError as error:
        raise ReceiptError(
            f"{path} exists, and no receipt is written over a file. Name another one, or move it away. Nothing was "
            "erased."
        ) from error
    except OSError as error:
        raise ReceiptError(
            f"No receipt can be written to {path}: {error.strerror}. Name a file in a folder that is there and may be "
            "written to. Nothing was erased."
        ) from error


def keep(receipt: Receipt, path: Path) -> None:
    """Write a receipt to its file; to standard output, rather than lose it, if that fails.

    Raises:
        ReceiptError: it failed.
    """
    try:
        path.write_bytes(encode_receipt(receipt) + b"\n")
    except OSError as error:
        click.echo(encode_receipt(receipt))
        raise ReceiptError(
            f"{receipt.customer_id} is erased, and the receipt could not be written to {path}: {error.strerror}. It is "
            "what standard output got: keep that."
        ) from error
