"""Money: decimal strings on the wire, whole minor units everywhere else, exact in between.

An amount is read into whole billionths of a major unit, so a line is integer arithmetic without any rounding until its
one rounding, half to even, to minor units. Prices repeat, so reading them is remembered.
"""

import re
from decimal import Decimal
from functools import lru_cache

from schemas.events import NOTHING, OrderLine, RefundLine

BILLIONTHS = 9  # decimals of the smallest part of a major unit an amount may name
MINOR_UNITS: tuple[int, ...] = tuple(10 ** (BILLIONTHS - exponent) for exponent in range(BILLIONTHS + 1))
"""Billionths in a minor unit, by the exponent of the currency."""
AMOUNT = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?")
AMOUNTS_REMEMBERED = 16_384  # prices of a large shop; about 2 MB

EXPONENTS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
"""Decimals of the minor unit by ISO 4217 code, where they are not two."""


def exponent_of(currency: str) -> int:
    """Decimals of a currency's minor unit.

    >>> exponent_of("GBP"), exponent_of("JPY"), exponent_of("KWD")
    (2, 0, 3)
    """
    return EXPONENTS.get(currency, 2)


def amount_format(currency: str) -> str:
    """How screens and pages show an amount of major units: with hundredths at most, and none of a currency without any.

    >>> [format(1234.5, amount_format(currency)) for currency in ("GBP", "JPY", "KWD")]
    ['1,234.50', '1,234', '1,234.50']
    """
    return f",.{min(exponent_of(currency), 2)}f"


@lru_cache(AMOUNTS_REMEMBERED)
def billionths(amount: str | Decimal) -> int:
    """Whole billionths of a major unit in a decimal string, or in a Decimal that prints as one.

    Raises:
        ValueError: not 1 to 15 digits with at most 9 decimals.

    >>> billionths("12.50")
    12500000000
    """
    match = AMOUNT.fullmatch(str(amount))
    if match is None:
        raise ValueError("not a decimal string of at most 15 digits and 9 decimals")
    whole, decimals = match.groups("")
    return int(whole + decimals.ljust(BILLIONTHS, "0"))


def half_even(exact: int, unit: int) -> int:
    """`exact` / `unit` rounded to a whole number, a half to the even one.

    >>> [half_even(parts, 10) for parts in (5, 15, 25, 26, -15)]
    [0, 2, 2, 3, -2]
    """
    whole, rest = divmod(exact, unit)
    if rest and (2 * rest > unit or (2 * rest == unit and whole % 2)):
        return whole + 1
    return whole


def line_minor(line: OrderLine | RefundLine, exponent: int = 2) -> int:
    """What a line costs in minor units: quantity × unit price − discount, rounded once. A refund's sign is ignored.

    >>> line_minor(OrderLine(product_id="85048", quantity=3, unit_price="0.335", discount="0.10"))
    90
    """
    exact = billionths(line.unit_price) * abs(line.quantity)
    if line.discount != NOTHING:
        exact -= billionths(line.discount)
    whole, rest = divmod(exact, MINOR_UNITS[exponent])
    return whole if not rest else half_even(exact, MINOR_UNITS[exponent])


def minor_units(amount: str | Decimal, exponent: int = 2) -> int:
    """An amount of major units in whole minor units, half to even. A Decimal may be negative and of any size.

    >>> minor_units("12.505"), minor_units(Decimal("-1.5"), exponent=0)
    (1250, -2)
    """
    if isinstance(amount, str):
        return half_even(billionths(amount), MINOR_UNITS[exponent])
    numerator, denominator = amount.as_integer_ratio()
    return half_even(numerator * 10**exponent, denominator)


_MINOR_IN_MAJOR = tuple(10**exponent for exponent in range(BILLIONTHS + 1))
_MAJOR_TEXT = tuple(f"%d.%0{exponent}d" for exponent in range(BILLIONTHS + 1))  # whole and rest


def major_units(minor: int, exponent: int = 2) -> str:
    """Minor units as the decimal string of the wire.

    >>> major_units(1250), major_units(-5), major_units(7, exponent=0)
    ('12.50', '-0.05', '7')
    """
    if minor < 0:
        return "-" + major_units(-minor, exponent)
    return _MAJOR_TEXT[exponent] % divmod(minor, _MINOR_IN_MAJOR[exponent]) if exponent else str(minor)
