"""What is trained for: a declared outcome, or how much a customer spends within some days."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stream.errors import SettingError
from stream.outcomes.declaration import HORIZON_DAYS_MAX, Outcome

_SPEND = re.compile(r"spend_([1-9]\d{0,2})d")


@dataclass(frozen=True)
class Target:
    """A question and the kind of its answer.

    Attributes:
        outcome: which events count, how long, and of whom it is asked.
        is_amount: whether what they come to is asked, in major units, and not whether they come.
    """

    outcome: Outcome
    is_amount: bool = False


def target_of(name: str, declared: Sequence[Outcome]) -> Target:
    """The target of a name; a declared outcome goes before what the name may mean otherwise.

    Args:
        name: a declared outcome's, or `spend_<days>d`: what purchases come to within so many days.
        declared: by the settings.

    Raises:
        SettingError: it is neither.

    >>> target_of("spend_44d", []).outcome.horizon_days
    44
    """
    found = [outcome for outcome in declared if outcome.name == name]
    if found:
        return Target(found[0])
    spend = _SPEND.fullmatch(name)
    if spend is None or int(spend[1]) > HORIZON_DAYS_MAX:
        raise SettingError(
            f"--outcome {name!r} is not declared. Declared are {', '.join(outcome.name for outcome in declared)}; "
            f"spend_<days>d, such as spend_44d, is what customers spend within up to {HORIZON_DAYS_MAX} days."
        )
    return Target(Outcome(name=name, horizon_days=int(spend[1]), true_when="any"), is_amount=True)
