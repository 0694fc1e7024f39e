"""Money by hand."""

from decimal import Decimal

import pytest

from schemas.events import OrderLine, RefundLine
from schemas.money import exponent_of, line_minor, major_units, minor_units


@pytest.mark.parametrize(
    ("quantity", "unit_price", "discount", "minor"),
    [
        (12, "6.95", "0", 8340),
        (12, "6.75", "8.10", 7290),
        (1, "0.005", "0", 0),
        (1, "0.015", "0", 2),
        (1, "0.025", "0", 2),
        (3, "0.335", "0", 100),  # 1.005: the line is rounded, not the unit price
        (1, "0.025000001", "0", 3),
        (3, "1.115", "0.840", 250),  # 2.505
        (10**9, "0.000000001", "0", 100),
        (1, "2.00", "2", 0),
    ],
)
def test_a_line_in_pence(quantity, unit_price, discount, minor):
    line = OrderLine(product_id="85048", quantity=quantity, unit_price=unit_price, discount=discount)
    assert line_minor(line) == minor


@pytest.mark.parametrize("quantity", [2, -2])
def test_the_sign_of_a_refund_says_nothing(quantity):
    assert line_minor(RefundLine(product_id="85048", quantity=quantity, unit_price="6.95", discount="0.90")) == 1300


def test_a_line_in_yen_and_in_dinars():
    line = OrderLine(product_id="85048", quantity=1, unit_price="1.5005")
    assert (line_minor(line, exponent_of("JPY")), line_minor(line, exponent_of("KWD"))) == (2, 1500)


def test_a_decimal_of_any_size_is_rounded_once():
    assert minor_units(Decimal("0.0249999999999999999999999999999999999")) == 2
    assert minor_units(Decimal("0.0250000000000000000000000000000000001")) == 3
    assert minor_units(Decimal("-0.025")) == -2
    assert minor_units(Decimal("1E+20")) == 10**22


def test_minor_units_as_a_decimal_string():
    assert [major_units(minor) for minor in (0, 5, 99, 100, -150)] == ["0.00", "0.05", "0.99", "1.00", "-1.50"]
    assert major_units(1500, exponent=3) == "1.500"
