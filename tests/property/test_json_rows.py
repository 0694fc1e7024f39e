"""Many JSON objects written at once say what each written alone would say."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.money import major_units
from stream.json_rows import NULL, Choice, Fraction, JsonRows, Money, Values, Whole

INT64 = np.iinfo(np.int64)
TEXTS = st.text(max_size=20)
WHOLES = st.none() | st.integers(INT64.min + 1, INT64.max)
FRACTIONS = st.none() | st.floats(-1e9, 1e9)
MINOR = st.none() | st.integers(-(2**53), 2**53)
ROWS = st.lists(st.tuples(TEXTS, WHOLES, FRACTIONS, MINOR, st.integers(0, 2)), max_size=12)
OPTIONS = (None, True, 'say "no"\n')


def _or_nan(values):
    return np.array([np.nan if value is None else value for value in values], np.float64)


@settings(deadline=None)  # it is compiled at the first
@given(ROWS, st.integers(0, 4), st.integers(1, 6))
@example([('\u2028\r\n"\\', INT64.max, -0.00004, -5, 1)], 2, 4)
def test_objects_written_at_once_are_those_written_one_by_one(rows, exponent, decimals):
    texts, wholes, fractions, minor, places = zip(*rows, strict=True) if rows else ((),) * 5
    form = JsonRows(
        {
            "text": Values("text"),
            "same": {"partition": 3, "name": 'a "shop"'},
            "within": {"whole": Whole("whole")},
            "fraction": Fraction("fraction", decimals),
            "money": Money("money", exponent),
            "choice": Choice("choice", OPTIONS),
            "list": Values("list"),
        }
    )
    columns = {
        "text": texts,
        "whole": np.array([NULL if n is None else n for n in wholes], np.int64),
        "fraction": _or_nan(fractions),
        "money": _or_nan(minor),
        "choice": np.array(places, np.uint8),
        "list": [[text, text] for text in texts],
    }
    expected = [
        {
            "text": text,
            "same": {"partition": 3, "name": 'a "shop"'},
            "within": {"whole": whole},
            "fraction": None if fraction is None else float(np.round(fraction, decimals)),
            "money": None if units is None else major_units(units, exponent),
            "choice": OPTIONS[place],
            "list": [text, text],
        }
        for text, whole, fraction, units, place in rows
    ]
    assert [json.loads(row) for row in form.write(columns, len(rows)).listed()] == expected


@pytest.mark.parametrize(
    ("number", "written"),
    [(0.0, b"0.0"), (-0.00001, b"0.0"), (12.5, b"12.5"), (0.50004, b"0.5"), (0.00005, b"0.0"), (1e9, b"1000000000.0")],
)
def test_a_fraction_has_as_few_digits_as_say_it(number, written):
    written_rows = JsonRows({"n": Fraction("n", 4)}).write({"n": np.array([number])}, 1)
    assert written_rows.listed() == [b'{"n":' + written + b"}"]


@pytest.mark.parametrize("place", [-1, 2, 3])
def test_a_choice_of_none_of_its_options_is_refused(place):
    form = JsonRows({"open": Choice("open", (False, True)), "segment": Choice("segment", "abc")})
    with pytest.raises(IndexError, match="none of its options"):
        form.write({"open": np.array([place]), "segment": np.array([0])}, 1)


def test_fewer_values_than_objects_are_refused():
    with pytest.raises(IndexError, match="fewer values than objects"):
        JsonRows({"id": Values("id")}).write({"id": ["ada"]}, 2)
