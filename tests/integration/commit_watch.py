"""When each partition was committed, and by whom, as Redis shows it from outside."""

import itertools
import time
from contextlib import suppress
from dataclasses import dataclass

import redis

from stream.redis_store import keys
from stream.redis_store.codec import head_of
from tests.background import InBackground
from tests.integration.processes import PARTITIONS

LOOK_EVERY_S = 0.005


@dataclass(frozen=True)
class Seen:
    """A partition as it was first seen: by the clock of `time.monotonic`."""

    at_s: float
    partition: int
    owner: str
    applied: int


class CommitWatch(InBackground):
    """A thread that looks at the heads of all partitions every 5 ms and keeps every change."""

    def __init__(self, redis_url: str, partitions: int = PARTITIONS) -> None:
        super().__init__()
        self._url, self._partitions = redis_url, range(partitions)
        self.seen: list[Seen] = []

    def _run(self) -> None:
        last: dict[int, tuple[str, int]] = {}
        with redis.Redis.from_url(self._url, socket_timeout=1) as client:
            while not self._closing.wait(LOOK_EVERY_S):
                for partition in self._partitions:
                    with suppress(redis.RedisError):
                        head = head_of(client.hgetall(keys.partition_head(partition)))
                        now = head.owner, sum(position.next_offset for position in head.positions.values())
                        if last.get(partition) != now:
                            last[partition] = now
                            self.seen.append(Seen(time.monotonic(), partition, *now))

    def commits(self, partition: int) -> list[Seen]:
        """The changes of a partition that moved a position."""
        of_it = [seen for seen in list(self.seen) if seen.partition == partition]
        return [now for before, now in itertools.pairwise(of_it) if now.applied != before.applied]

    def longest_pause_s(self, since_s: float = 0.0) -> float:
        """The longest time between two commits of the same partition, the first of them after `since_s`."""
        pauses = [0.0]
        for partition in self._partitions:
            times = [seen.at_s for seen in self.commits(partition) if seen.at_s >= since_s]
            pauses += [after - before for before, after in itertools.pairwise(times)]
        return max(pauses)

    def owner_of_process(self, pid: int) -> str:
        """The name under which a process owns what it has last committed to."""
        return next(seen.owner for seen in reversed(self.seen) if f":{pid}:" in seen.owner)

    def first_commit_by_another_s(self, owner: str, since_s: float) -> float | None:
        """When another than `owner` had committed to all its partitions, after `since_s`; None while one waits."""
        firsts = []
        for partition in self._partitions:
            before = [seen.owner for seen in self.commits(partition) if seen.at_s <= since_s]
            if before[-1:] == [owner]:
                later = (seen for seen in self.commits(partition) if seen.at_s > since_s)
                firsts.append(next((seen.at_s for seen in later if seen.owner != owner), None))
        return None if None in firsts else max(firsts)

    def first_commits_s(self, pid: int) -> list[float]:
        """When a process first committed to each partition that it has committed to."""
        firsts: dict[int, float] = {}
        for seen in (seen for partition in self._partitions for seen in self.commits(partition)):
            if f":{pid}:" in seen.owner:
                firsts.setdefault(seen.partition, seen.at_s)
        return sorted(firsts.values())

    def partitions_of(self, pid: int) -> int:
        """How many partitions a process owns, as far as has been seen."""
        last = {seen.partition: seen.owner for seen in list(self.seen)}
        return sum(f":{pid}:" in owner for owner in last.values())
