"""Has everything compiled that a worker runs: reading, a step, what is read of customers, and the commands of a commit.

python -m ebb.compose.warming
"""

from stream.chunk import Rules
from stream.columns.warming import warm_columns
from stream.ports import Commit
from stream.redis_store.commit import transaction
from stream.warming import warm_trees, warm_up


def warm_worker(rules: Rules) -> None:
    """Let somebody buy something, and forget it."""
    warm_columns(rules.vocabulary)
    changes = warm_up(rules)
    transaction(0, 1, Commit({}, 0, 0, states=changes.states, views=changes.views))


if __name__ == "__main__":
    warm_worker(Rules())
    warm_trees()
