"""Before anything is timed: all contestants must come to the same numbers on the same records."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

RELATIVE_TOLERANCE = 1e-9  # of the decayed count: a sum of floats that everybody rescales in another way
DIFFERENCES_SHOWN = 5


@dataclass(frozen=True)
class Small:
    """What everybody computes of a customer. The decayed count is as of the last purchase."""

    purchases: int
    spend_minor: int
    last_purchase_ms: int
    decayed_30d: float
    engagement: Mapping[str, int]


States = dict[str, Small]


class DisagreementError(Exception):
    """Two contestants do not compute the same."""


def require_agreement(states: Mapping[str, States]) -> int:
    """Compare everybody with the first one; how many customers they agree on.

    Raises:
        DisagreementError: customers or numbers differ; the message names some.

    >>> ada = {"ada": Small(1, 250, 5, 1.0, {})}
    >>> require_agreement({"ebb": ada, "quix": {"ada": Small(1, 250, 5, 1.0 + 1e-12, {})}})
    1
    >>> require_agreement({"ebb": ada, "quix": {}})
    Traceback (most recent call last):
    benchmarks.agreement.DisagreementError: quix and ebb differ: customer ada is known to ebb alone
    """
    (first, expected), *others = states.items()
    for name, actual in others:
        found = list(differences(first, expected, name, actual))
        if found:
            shown = "; ".join(found[:DIFFERENCES_SHOWN])
            more = f"; and {len(found) - DIFFERENCES_SHOWN} more" if len(found) > DIFFERENCES_SHOWN else ""
            raise DisagreementError(f"{name} and {first} differ: {shown}{more}")
    return len(expected)


def differences(first: str, expected: States, name: str, actual: States) -> Iterator[str]:
    """Every difference in words."""
    for customer in sorted(expected.keys() ^ actual.keys()):
        yield f"customer {customer} is known to {first if customer in expected else name} alone"
    for customer in sorted(expected.keys() & actual.keys()):
        ours, theirs = asdict(expected[customer]), asdict(actual[customer])
        for field, value in ours.items():
            if not _same(value, theirs[field]):
                yield f"{field} of {customer} is {value} for {first}, {theirs[field]} for {name}"


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE)
    return bool(one == other)
