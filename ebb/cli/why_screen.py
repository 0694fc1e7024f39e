"""Why a customer has the probability it has, on a screen."""

from collections.abc import Sequence

from ebb.text import aligned, lookup_of, printable, typed
from ebb.why import Why

SAME = 1e-6  # a view is rounded to six decimals


def why_screen(why: Why, in_words: str, columns: int | None = None) -> list[str]:
    """A line a concept, the most first; `in_words` says what the outcome is.

    The customers' words are below it where a terminal of so many `columns` is too narrow.
    """
    rows = [
        ("", "this customer", "reference customer", "logit", "probability"),
        ("reference customer", "", "", _number(why.reference.logit), f"{why.reference.probability * 100:.1f} %"),
        *((s.concept, s.customer, s.reference, *_moved_by(s.logit, s.probability)) for s in why.shares),
        ("this customer", "", "", _number(why.logit), f"{why.probability * 100:.1f} %"),
    ]
    what = f"{in_words}, {why.probability * 100:.1f} %"
    return [
        f"{printable(why.customer_id)} · {what} · as of {why.as_of:%Y-%m-%d %H:%M} UTC",
        *_table(rows, columns),
        *_shown_otherwise(why),
        f"  by {printable(why.model)}, version {printable(why.version)} · reference: {why.reference.who}",
        f"  next: {lookup_of(why.customer_id, '--why', typed(why.outcome), '--json')}",
    ]


def _table(rows: Sequence[tuple[str, ...]], columns: int | None) -> list[str]:
    lines = aligned(rows, "<<<>>", indent="  ")
    if columns is None or max(map(len, lines)) <= columns:
        return lines
    heading, *numbers = aligned([(row[0], *row[3:]) for row in rows], "<>>", indent="  ")
    below = [[f"      {row[1]}", f"      reference: {row[2]}"] if row[1] else [] for row in rows[1:]]
    return [heading, *(line for number, words in zip(numbers, below, strict=True) for line in (number, *words))]


def _moved_by(logit: float, probability: float) -> tuple[str, str]:
    """What a concept adds to the logit, and to the probability in points."""
    return _number(logit, "+.2f"), _number(probability * 100, "+.1f") + "  "


def _number(number: float, form: str = ".2f") -> str:
    """With the sign that is printed for less than nothing everywhere.

    >>> _number(-0.174), _number(0.174, "+.2f")
    ('−0.17', '+0.17')
    """
    return format(number, form).replace("-", "−")


def _shown_otherwise(why: Why) -> list[str]:
    if abs(why.probability - why.shown_probability) <= SAME:
        return []
    return [f"  the view shows {why.shown_probability * 100:.1f} %: of another time, version or event"]
