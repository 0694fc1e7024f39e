"""Everything a worker is made of, decided before it starts."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from schemas.decode import DecodeRules
from stream.chunk import Rules
from stream.ports import Figures, ModelStore, PartitionStore
from stream.signing import Keyring
from stream.worker.chunk_app import Membership
from stream.worker.timing import LaneLimits


def wall_ms() -> int:
    """The time of the wall, in ms since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class WorkerPlan:
    """What `ebb.compose.worker` puts together.

    Attributes:
        membership: the consumer group, and where Kafka is.
        owner: names this process among all that ever claim a partition.
        partitions: of each input topic.
        live: whether the wall may be read; else clock records say the time.
        lockstep: whether lanes wait for the models of each day.
        due_at_once: most deadlines in one commit.
        limits: of each lane.
        gather_ms: for how long at most the broker gathers records while they come.
        resident_bytes: what each lane may keep in memory of its customers.
        rules: of the engine.
        decoding: which records are events.
        store_of: partition -> its store.
        models: where they are published.
        figures: for the metrics.
        keyring: what they must be signed with.
        check_deployment: asked at each claim; raises SettingError once the clock mode is not this process's any more.
        check_instance: asked before partitions are claimed; raises ReplacedError once another worker runs under our
            instance id.
        note_replaced_log: told what was found out of a log that was replaced while it was read: from then on
            `check_deployment` refuses.
        quarantines: whether a record at which a bug strikes is set aside, instead of the process ending.
        wall_ms: the time of the wall, in ms since 1970; only the live clock asks for it.
    """

    membership: Membership
    owner: str
    partitions: int
    live: bool
    lockstep: bool
    due_at_once: int
    limits: LaneLimits
    gather_ms: float
    resident_bytes: int
    rules: Rules
    decoding: DecodeRules
    store_of: Callable[[int], PartitionStore]
    models: ModelStore
    figures: Figures
    keyring: Keyring
    check_deployment: Callable[[], None]
    check_instance: Callable[[], None] = lambda: None
    note_replaced_log: Callable[[str], None] = lambda _: None
    quarantines: bool = False
    wall_ms: Callable[[], int] = wall_ms
