"""What Redis remembers of how it came to be: the journal, and what waits to be published. For the archive."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stream.ports import Deployment
from stream.redis_store import keys
from stream.redis_store.client import explaining, sync_client
from stream.redis_store.deployment import deployment_of, refuse_rebuilding

PAGE = 1_000  # entries of some 200 bytes: Redis reads them in less than a millisecond


class PackedEntry(NamedTuple):
    """An entry of `journal:{p}`: its id in the stream, and what the lane wrote."""

    entry_id: str
    packed: bytes


class OutboxState(NamedTuple):
    """The last sequence a partition has given out, and those that Kafka had not acknowledged at that moment."""

    sequence: int
    waiting: Sequence[int]


class JournalReader:
    """Reads journals page by page. One at a time; close it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = sync_client(url)

    def deployment(self) -> Deployment | None:
        """Whose Redis this is; None of an empty one.

        Raises:
            StoreUnavailableError: Redis is away.
            SettingError: it is being rebuilt.
        """
        with explaining(self._url):
            fields: Any = self._redis.hgetall(keys.META)
        refuse_rebuilding(fields, self._url)
        return deployment_of(fields, self._url) if fields else None

    def outboxes(self, partitions: int) -> Mapping[int, OutboxState]:
        """The outbox of each partition, with the sequence of the same moment."""
        found = {}
        with explaining(self._url):
            for partition in range(partitions):
                with self._redis.pipeline(transaction=True) as pipeline:
                    pipeline.hget(keys.partition_head(partition), "sequence")
                    pipeline.hkeys(keys.outbox(partition))
                    sequence, waiting = pipeline.execute()
                found[partition] = OutboxState(int(sequence or 0), sorted(map(int, waiting)))
        return found

    def version(self, partition: int) -> int:
        """The version a partition has reached."""
        with explaining(self._url):
            found: Any = self._redis.hget(keys.partition_head(partition), "version")
        return int(found or 0)

    def entries(self, partition: int, after: str = "") -> Sequence[PackedEntry]:
        """The next entries after one, or the first that are left; at most `PAGE`."""
        with explaining(self._url):
            found: Any = self._redis.xrange(keys.journal(partition), min=f"({after}" if after else "-", count=PAGE)
        return [PackedEntry(entry_id.decode(), fields[b"entry"]) for entry_id, fields in found]

    def entry(self, partition: int, entry_id: str) -> PackedEntry | None:
        """One entry, None when it is gone."""
        with explaining(self._url):
            found: Any = self._redis.xrange(keys.journal(partition), min=entry_id, max=entry_id)
        return PackedEntry(entry_id, found[0][1][b"entry"]) if found else None

    def close(self) -> None:
        """Release the connections."""
        self._redis.close()
