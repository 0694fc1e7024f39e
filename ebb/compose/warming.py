"""Has everything compiled that a worker runs: reading, sorting out, a step, the commands of a commit, counting.

python -m ebb.compose.warming
"""

from stream.chunk import Rules
from stream.columns.warming import warm_columns
from stream.ports import Commit
from stream.redis_store.commit import transaction
from stream.warming import warm_trees, warm_up
from stream.worker.counting import outcomes
from stream.worker.log_records import NO_RECORDS
from stream.worker.sorting import sort_out


def warm_worker(rules: Rules) -> None:
    """Let somebody buy something, and forget it."""
    outcomes(NO_RECORDS, sort_out(NO_RECORDS, {}))
    warm_columns(rules.vocabulary)
    changes = warm_up(rules)
    transaction(0, 1, Commit({}, 0, 0, states=changes.states, views=changes.views))


if __name__ == "__main__":
    warm_worker(Rules())
    warm_trees()
