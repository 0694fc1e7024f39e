"""Words and numbers as screens show them."""

import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from decimal import Decimal

SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}
INDENT = "    "  # before what a broken line goes on with
WHOLE_FROM = 100  # amounts from here on are shown without minor units


def percent(share: float | None) -> str:
    """A share in per cent; below one, with a digit.

    >>> percent(0.183), percent(0.004), percent(0.0), percent(None)
    ('18 %', '0.4 %', '0 %', '–')
    """
    if share is None:
        return "–"
    return f"{share:.1%}".replace("%", " %") if 0 < share < 0.01 else f"{share * 100:.0f} %"


def money(amount: str | None, currency: str) -> str:
    """An amount in major units with its currency.

    >>> money("1214.50", "GBP"), money("12.50", "CHF"), money(None, "GBP")
    ('£ 1,214', '12.50 CHF', '–')
    """
    if amount is None:
        return "–"
    value = Decimal(amount)
    text = f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:,f}"
    return f"{SYMBOLS[currency]} {text}" if currency in SYMBOLS else f"{text} {currency}"


def printable(text: str) -> str:
    r"""Text that cannot move the cursor or pretend to be another line.

    >>> print(printable("two\nlines \x1b[2J Zoë"))
    two\nlines \x1b[2J Zoë
    """
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def typed(customer_id: str) -> str:
    """A customer id as one types it in a shell.

    >>> typed("17850"), typed("two words")
    ('17850', "'two words'")
    """
    quoted = shlex.quote(customer_id)
    return quoted if customer_id.isprintable() else printable(f"${quoted}")


def lookup_of(customer_id: str, *options: str) -> str:
    """The command that looks a customer up, as one types it in a shell.

    >>> lookup_of("17850", "--json"), lookup_of("-17850", "--json")
    ('ebb lookup 17850 --json', 'ebb lookup --json -- -17850')
    """
    customer = typed(customer_id)
    words = [*options, "--", customer] if customer_id.startswith("-") else [customer, *options]
    return " ".join(["ebb lookup", *words])


def terminal_columns() -> int | None:
    """How wide the terminal is that is written to; None if it is something else."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(text: str, columns: int | None) -> str:
    """The text with lines broken between words where a terminal of so many columns is too narrow.

    >>> print(fitted("your own data: docs/your-own-data.md", 30))
    your own data:
        docs/your-own-data.md
    """
    if columns is None:
        return text
    breaking = textwrap.TextWrapper(columns, subsequent_indent=INDENT, break_on_hyphens=False, break_long_words=False)
    return "\n".join(breaking.fill(line) if len(line) > columns else line for line in text.split("\n"))


def aligned(rows: Sequence[Sequence[str]], sides: str, indent: str = "", gap: int = 3) -> list[str]:
    """Rows as lines with columns of equal width, each to the left (<) or to the right (>), `gap` blanks apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    lines = (
        (gap * " ").join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True))
        for row in rows
    )
    return [f"{indent}{line}".rstrip() for line in lines]
