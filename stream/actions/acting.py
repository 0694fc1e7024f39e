"""What an action is given: what is in force, and where to write what it does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stream.announcing import Announcer
from stream.changes import Changes
from stream.chunk import Models, Rules
from stream.decisions import Asked, Decisions


@dataclass(frozen=True)
class Acting:
    """The step's surroundings of an action.

    Attributes:
        customers: ids by row.
        models: the documents in force.
        rules: currency and thresholds.
        announcer: takes messages.
        changes: takes indexes and totals.
    """

    customers: Sequence[str]
    models: Models
    rules: Rules
    announcer: Announcer
    changes: Changes


Action = Callable[[Asked, Decisions, Acting], None]
"""Acts on decisions: writes the decision blocks of `Asked`, drafts messages, moves indexes."""
