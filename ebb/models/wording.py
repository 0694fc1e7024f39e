"""How figures, days and reigns of models are said."""

from collections.abc import Sequence

from ebb.lookup import utc
from ebb.text import printable
from schemas.units import DAY_MS
from stream.learning.championship import Championship
from stream.scoring.documents import Reign

VERSIONS_SHOWN = 6


def reign(of: Reign) -> str:
    """Who was champion, since when and why."""
    if of.by == "start" and not of.why:
        return f"{of.candidate} from the start"
    if of.by == "start":  # it is champion again, because the one after it has gone
        return f"{of.candidate} since {time(of.since_ms)}: {printable(of.why)}"
    by = f"by {printable(of.who) or 'a person'} ({of.why})" if of.by == "person" else f"by the rule: {of.why}"
    since = f"since {time(of.since_ms)}" if of.since_ms else "since before the first label"
    return f"{of.candidate} {since} {by}"


def present_reign(of: Championship) -> str:
    """Who is champion, since when and why, and whether a person has pinned it."""
    return reign(of.reigns[-1]) + (", pinned" if of.is_pinned else "")


def digits(number: float | None, count: int = 4) -> str:
    """A figure without its leading zero.

    >>> digits(0.7151), digits(1.25, 2), digits(None)
    ('.7151', '1.25', '–')
    """
    if number is None:
        return "–"
    text = f"{number:.{count}f}"
    return text[1:] if text.startswith("0.") else text


def signed(number: float | None) -> str:
    """A difference with its sign.

    >>> signed(0.0021), signed(-0.0004), signed(None)
    ('+.0021', '−.0004', '–')
    """
    if number is None:
        return "–"
    return ("+" if number >= 0 else "−") + digits(abs(number))


def day(number: int) -> str:
    """A day since 1970."""
    return f"{utc(number * DAY_MS):%Y-%m-%d}"


def time(time_ms: int) -> str:
    """The day of a time."""
    return f"{utc(time_ms):%Y-%m-%d}"


def newest(versions: Sequence[str]) -> str:
    """The first few of a model's versions, the newest first, and how many there are.

    >>> newest(["900", "899"]), newest([str(number) for number in range(9)])
    ('900 899', '0 1 2 3 4 5 … 9 in all')
    """
    shown = printable(" ".join(versions[:VERSIONS_SHOWN]))
    return f"{shown} … {len(versions)} in all" if len(versions) > VERSIONS_SHOWN else shown
