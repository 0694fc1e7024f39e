"""A Redis that lost everything under a running worker: its customers are gone, which nobody may pass over unseen."""

from stream.errors import StoreEmptiedError


def refuse_emptied(partition: int, version: int, reached: int) -> None:
    """See that a partition which had been applied is still there.

    Args:
        partition: which.
        version: of its head in Redis, 0 of one that is not there.
        reached: the version up to which this process has applied something to it, 0 if it has not.

    Raises:
        StoreEmptiedError: there is nothing of it.
    """
    if reached and not version:
        raise StoreEmptiedError(
            f"Partition {partition} in Redis is empty, and this worker had applied version {reached:,} of it: its "
            "customers are lost. Stop all workers and the learner, then `ebb recover --from ARCHIVE` "
            '(docs/operations.md, "When Redis is lost"). Without an archive start the workers again: they begin anew '
            "with what Kafka still has."
        )
