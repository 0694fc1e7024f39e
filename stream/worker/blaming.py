"""Whose decision fails, where nothing but time has come: of customers that have nothing to do with each other."""

from collections.abc import Callable, Mapping, Sequence

from schemas.rejection import quoted
from stream.bugs import told

SET_ASIDE_AT_MOST = 100  # of a partition, by one process: a bug that meets more is no odd one's
NAMED_AT_MOST = 3


class DecisionError(Exception):
    """A deadline or a sweep fails for some customers, by a bug of Ebb. `customers` are they, each with its failure."""

    def __init__(self, customers: Mapping[str, Exception]) -> None:
        self.customers = customers
        super().__init__(
            f"{_named(list(customers))} cannot be decided, though nothing but time has come: "
            f"{told(next(iter(customers.values())))}. Nothing of it is committed. Mend Ebb and start again; with "
            "EBB_ON_BUG=quarantine the customer is decided a day later, and everybody else in time."
        )


def failing(customers: Sequence[str], attempt: Callable[[Sequence[str]], object], at_most: int) -> dict[str, Exception]:
    """The customers for whom alone `attempt` fails, found by halving; no more are looked for than one above `at_most`.

    >>> failing(["ada", "bob", "cy", "dan"], lambda some: 1 / ("cy" not in some), at_most=9)
    {'cy': ZeroDivisionError('division by zero')}
    """
    found: dict[str, Exception] = {}
    waiting = [customers]
    while waiting and len(found) <= at_most:
        some = waiting.pop()
        try:
            attempt(some)
        except Exception as error:  # noqa: BLE001 - it is told, and raised with the customers' names
            if len(some) == 1:
                found[some[0]] = error
            else:
                half = len(some) // 2
                waiting += [some[half:], some[:half]]
    return found


def _named(customers: Sequence[str]) -> str:
    """Some of them.

    >>> _named(["ada"]), _named(["ada", "bob", "cy", "dan"])
    ("Customer 'ada'", "Customers 'ada', 'bob', 'cy' and others")
    """
    names = ", ".join(map(quoted, customers[:NAMED_AT_MOST]))
    more = " and others" if len(customers) > NAMED_AT_MOST else ""
    return f"Customer{'s' if len(customers) > 1 else ''} {names}{more}"
