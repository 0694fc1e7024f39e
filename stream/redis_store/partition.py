"""A partition of the store on Redis: one round trip to begin a chunk, one to load it, one to commit it.

The answer to a commit begins the next chunk as well: of a lane whose customers are in memory it is the only one.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from stream.ports import Commit, Head, Page
from stream.redis_store import keys
from stream.redis_store.client import ANSWER_WITHIN_S, is_cluster
from stream.redis_store.codec import head_of, pairs
from stream.redis_store.commit import forget_messages, transaction
from stream.redis_store.connection import PinnedConnection
from stream.redis_store.wire import Command

HASH_PAGE = b"1000"  # messages of about 500 bytes: a page holds Redis for less than a millisecond
DUE_AHEAD = 32  # of the next deadlines, with the answer to a commit; who has more of them due asks


class _Following(NamedTuple):
    """What is known of the chunk behind a commit: the connection that watches the head, the head, what is due next."""

    number: int
    head: Head
    next_due: list[tuple[str, int]]


class RedisPartitionStore:
    """`PartitionStore` on Redis, for one lane. Laws: tests/laws/.

    A chunk is fenced by WATCH on `partition:{p}`, which every claim and commit writes. WATCH with MULTI/EXEC takes half
    the time of a Lua script from some hundred customers a chunk on; it holds only on the connection it was given on,
    which is why `PinnedConnection` never replaces one unseen. In a cluster all keys of a partition are in one slot, and
    a transaction is done by the node that has all of its keys, or by none: while a slot is on its way it is refused.
    """

    def __init__(self, url: str, partition: int, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        self._partition = partition
        self._head_key = keys.partition_head(partition)
        self._connection = PinnedConnection(url, f"ebb:partition:{partition}", answer_within_s, self._head_key)
        self._is_cluster = is_cluster(url)
        self._begun: tuple[int, int] | None = None  # connection number and version that WATCH guards
        self._following: _Following | None = None
        self._run_of = 0, ""  # connection number, and which run of Redis answers there

    async def claim(self, owner: str) -> Head:
        """Make `owner` the partition's owner, one version up. Needs no WATCH: the transaction alone is atomic."""
        self._begun = self._following = None
        replies = await self._exchange(
            (b"MULTI",),
            (b"HINCRBY", self._head_key, b"version", b"1"),
            (b"HSET", self._head_key, b"owner", owner.encode()),
            (b"HGETALL", self._head_key),
            (b"EXEC",),
        )
        return head_of(dict(pairs(replies[-1][-1])))

    async def begin(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]]:
        """Watch the partition, then read its head and what is due."""
        self._begun = self._following = None
        number = await self._connection.open()
        _, _, fields, entries = await self._connection.exchange(
            [
                (b"UNWATCH",),  # of a chunk that was abandoned
                (b"WATCH", self._head_key),
                (b"HGETALL", self._head_key),
                self._ask_what_is_due(b"%d" % due_until_ms, due_limit),
            ],
            number,
        )
        head = head_of(dict(pairs(fields)))
        self._begun = number, head.version
        return head, _deadlines(entries)

    def follow(self, due_until_ms: int, due_limit: int) -> tuple[Head, list[tuple[str, int]]] | None:
        """By the WATCH, the version and the next deadlines that came behind the last commit."""
        following, self._following = self._following, None
        if following is None or not self._connection.is_open(following.number):
            return None
        due = [entry for entry in following.next_due if entry[1] <= due_until_ms]
        if len(due) == DUE_AHEAD < due_limit:  # there may be more
            return None
        self._begun = following.number, following.head.version
        return following.head, due[:due_limit]

    def _ask_what_is_due(self, until_ms: bytes, limit: int) -> Command:
        bounds = (keys.due(self._partition), b"-inf", until_ms)
        return (b"ZRANGEBYSCORE", *bounds, b"WITHSCORES", b"LIMIT", b"0", b"%d" % limit)

    async def load(self, customers: Sequence[str]) -> tuple[list[bytes | None], list[bytes | None]]:
        """States and open accumulators, by one MGET and one HMGET in one round trip."""
        if not customers:
            return [], []
        ids = [customer.encode() for customer in customers]
        prefix = keys.state(self._partition, "")
        states, labels = await self._within_chunk(
            [b"MGET", *(prefix + customer for customer in ids)],
            [b"HMGET", keys.labels(self._partition), *ids],
        )
        return states, labels

    async def load_snapshots(self, wanted: Sequence[tuple[str, int]]) -> list[bytes | None]:
        """Snapshots by (customer, day)."""
        if not wanted:
            return []
        names = (keys.snapshot(self._partition, customer, day) for customer, day in wanted)
        snapshots: list[bytes | None] = (await self._within_chunk([b"MGET", *names]))[0]
        return snapshots

    async def page(self, cursor: str, limit: int) -> Page:
        """By ZSCAN, whose cursors mean nothing to another run of Redis: they carry the run they are of."""
        run_before, _, place = cursor.rpartition(":")
        run, due = await self._run(), keys.due(self._partition)
        begin = place.encode() if place and run == run_before else b"0"
        members, (following, entries) = await self._within_chunk(
            (b"ZCARD", due), (b"ZSCAN", due, begin, b"COUNT", b"%d" % limit)
        )
        customers = [customer.decode() for customer, _ in pairs(entries)]
        return Page(customers, "" if following == b"0" else f"{run}:{following.decode()}", members)

    async def _run(self) -> str:
        """Which run of Redis answers: on one connection always the same."""
        number = self._chunk()[0]
        if self._run_of[0] != number:
            self._run_of = number, _run_id((await self._within_chunk((b"INFO", b"server")))[0])
        return self._run_of[1]

    async def commit(self, head: Head, changes: Commit) -> bool:
        """One transaction; Redis answers it with nothing if the partition was written since `begin`."""
        number, version = self._chunk()
        commands = transaction(self._partition, head.version + 1, changes)
        self._begun = None
        if version != head.version:
            return False
        begins_next: list[Command] = [
            (b"WATCH", self._head_key),
            (b"HMGET", self._head_key, b"version", b"owner"),
            self._ask_what_is_due(b"+inf", DUE_AHEAD),
        ]
        *_, done, _, (version_now, owner), entries = await self._connection.exchange([*commands, *begins_next], number)
        if done is None:
            return False
        following = head.after(changes)
        ours = b"%d" % following.version, following.owner.encode()
        if (version_now, owner or b"") == ours:  # else another was faster than the WATCH
            self._following = _Following(number, following, _deadlines(entries))
        return True

    async def abandon(self) -> None:
        """Forget the chunk. The next `begin` takes the WATCH off."""
        self._begun = self._following = None

    async def last_sent(self, timelines: Sequence[tuple[int, str]]) -> list[int | None]:
        """In a cluster of this partition alone: other nodes have others, and come back older each by itself."""
        asked = [each for each in dict.fromkeys(timelines) if not self._is_cluster or each[0] == self._partition]
        commands = [(b"HGET", keys.timelines(partition), timeline.encode()) for partition, timeline in asked]
        replies = dict(zip(asked, await self._within_chunk(*commands) if commands else [], strict=True))
        return [int(replies[each] or 0) if each in replies else None for each in timelines]

    async def seen_blocks(self, topic: str) -> list[bytes]:
        """All blocks at once: 8 MB at most, a few milliseconds of Redis at an assignment."""
        blocks: list[bytes] = (await self._exchange((b"LRANGE", keys.seen(self._partition, topic), b"0", b"-1")))[0]
        return blocks

    async def identities(self) -> dict[str, bytes]:
        """Some 150 bytes for each id that was ever erased or merged."""
        return {name.decode(): packed for name, packed in (await self._hash(keys.identity(self._partition))).items()}

    async def outbox(self) -> list[tuple[int, bytes]]:
        """Nothing bounds how much waited while Kafka was away."""
        waiting = await self._hash(keys.outbox(self._partition))
        return sorted((int(sequence), packed) for sequence, packed in waiting.items())

    async def _hash(self, key: bytes) -> dict[bytes, bytes]:
        """A whole hash, page by page."""
        found: dict[bytes, bytes] = {}
        cursor = b"0"
        while True:
            cursor, entries = (await self._exchange((b"HSCAN", key, cursor, b"COUNT", HASH_PAGE)))[0]
            found.update(pairs(entries))
            if cursor == b"0":
                return found

    async def forget_outbox(self, sequences: Iterable[int]) -> None:
        """Remove messages outside a commit. May be called while a chunk is open."""
        for command in forget_messages(self._partition, sequences):
            await self._exchange(command)

    async def close(self) -> None:
        """Close the connection; a chunk that was begun is abandoned."""
        self._begun = self._following = None
        await self._connection.close()

    async def _exchange(self, *commands: Command) -> list[Any]:
        return await self._connection.exchange(commands, await self._connection.open())

    async def _within_chunk(self, *commands: Command) -> list[Any]:
        return await self._connection.exchange(commands, self._chunk()[0])

    def _chunk(self) -> tuple[int, int]:
        if self._begun is None:
            raise RuntimeError(
                f"Partition {self._partition}: no chunk is open. `begin` or `follow` comes before `load` and `commit`."
            )
        return self._begun


def _deadlines(entries: Sequence[bytes]) -> list[tuple[str, int]]:
    """Customers and their deadlines, as ZRANGEBYSCORE answers.

    >>> _deadlines([b"ada", b"1700000000000"])
    [('ada', 1700000000000)]
    """
    return [(customer.decode(), int(float(score))) for customer, score in pairs(entries)]


def _run_id(info: bytes) -> str:
    """Which run of Redis answered.

    >>> _run_id(b"# Server\\r\\nredis_version:7.0.15\\r\\nrun_id:5f\\r\\n")
    '5f'
    """
    fields = dict(line.split(b":", 1) for line in info.splitlines() if b":" in line)
    return fields[b"run_id"].decode()
