"""Money as sources write it, as the decimal string of the wire; no amount goes through a binary fraction."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from schemas.money import AMOUNT, BILLIONTHS, half_even
from schemas.rejection import quoted
from stream.ingest.mapping.unfit import UnfitError

DIGITS_MAX = 15  # before the decimal point, as `schemas.money` reads

_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,100})?(E[+-]?[0-9]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class AmountForm:
    """How a source writes an amount.

    Attributes:
        scale: it counts parts of a major unit, 10 to the power of so many: 2 for cents; 0 for major units.
        decimals: it is rounded to so many, half to even; None: it must be exact.
        absolute: whether its sign means nothing.
    """

    scale: int = 0
    decimals: int | None = None
    absolute: bool = False


def amount_reader(form: AmountForm) -> Callable[[object], str]:
    """What reads amounts of one form: whole numbers, decimals, and either as a string.

    >>> amount_reader(AmountForm())(Decimal("12.50")), amount_reader(AmountForm(scale=2, absolute=True))(-1250)
    ('12.50', '12.50')
    >>> amount_reader(AmountForm(decimals=2))(Decimal("12.299999999999999"))
    '12.30'
    """
    is_plain = form == AmountForm()

    def read(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, str, Decimal, float)):
            raise UnfitError(f"{quoted(value)} is not an amount")
        text = repr(value) if isinstance(value, float) else str(value)
        if is_plain and AMOUNT.fullmatch(text):
            return text
        return _exact(_parts(text), form)

    return read


def _parts(text: str) -> tuple[int, int]:
    """The number as (whole number, power of ten it is to be multiplied by)."""
    if _NUMBER.fullmatch(text) is None:
        raise UnfitError(f"{quoted(text)} is not an amount")
    sign, digits, exponent = Decimal(text).as_tuple()
    whole = int("".join(map(str, digits)))
    return -whole if sign else whole, int(exponent)


def _exact(parts: tuple[int, int], form: AmountForm) -> str:
    whole, exponent = parts
    exponent -= form.scale
    if whole < 0 and not form.absolute:
        raise UnfitError("is negative; where the sign means nothing, write absolute = true")
    whole = abs(whole)
    while whole and exponent < -BILLIONTHS and whole % 10 == 0:
        whole, exponent = whole // 10, exponent + 1
    if whole and len(str(whole)) + exponent > DIGITS_MAX:
        raise UnfitError(f"has more than {DIGITS_MAX} digits before the point")
    if form.decimals is not None and -exponent > form.decimals:
        whole, exponent = half_even(whole, 10 ** (-exponent - form.decimals)), -form.decimals
    if exponent < -BILLIONTHS and whole:
        raise UnfitError(f"has more than {BILLIONTHS} decimals; to round it, write decimals = 2")
    if exponent >= 0:
        return str(whole * 10**exponent) if whole else "0"
    decimals = min(-exponent, BILLIONTHS)
    return f"{whole // 10**decimals}.{whole % 10**decimals:0{decimals}d}"
