"""A Redis that lost commits under a running worker: nobody may pass that over unseen, and least of all an empty one."""

import structlog

from stream.errors import StoreEmptiedError
from stream.metrics import worker as metrics

log = structlog.get_logger()


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


def tell_older(partition: int, version: int, reached: int) -> None:
    """Count and say that a partition which is claimed anew is older than what this process had applied to it.

    A lane that Redis is behind seeks back and says so itself. Where the loss goes back before its claim, Redis names
    the owner before, and the lane only knows that it is fenced.
    """
    if version < reached:
        metrics.SEEK_BACKS.labels(partition).inc()
        log.warning(
            "redis came back older than what was applied", partition=partition, version=version, applied=reached
        )
