"""Another number of partitions: Kafka's topics grow, and Redis is rebuilt with everybody where they belong then."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
from kafka.admin import KafkaAdminClient

from ebb.history.archiving import archive, journal_ends
from ebb.history.rebuilding import NO_LIMIT
from ebb.history.recovering import Rebuilt, Recovered, Recovery, refuse_running, write
from offline.archive.from_kafka import log_states
from offline.archive.standing import Era, Standing, Waiting, load_standing, save_standing
from offline.broker import CONNECT_WITHIN_MS, broker_errors, readable_ends
from schemas.topics import INPUT_TOPICS, TOPICS
from stream.errors import SettingError
from stream.redis_store.deployment import stored_deployment
from stream.redis_store.inspection import applied_positions, heads, outbox_depths
from stream.settings.worker import WorkerSettings

SHARED_TOPICS = tuple(topic.name for topic in TOPICS if topic.partitions is None)


@dataclass(frozen=True)
class Repartitioning:
    """What is to happen: from how many partitions to how many, and how many records are gone through."""

    before: int
    after: int
    records: int


async def plan(settings: WorkerSettings, folder: Path, partitions: int) -> Repartitioning:
    """Bring the archive up to date and see whether the number may be changed now. Changes nothing else.

    Raises:
        SettingError: it may not; the message says why and what to do.
        EbbError: Redis or Kafka is away, or the archive is not of this deployment.
    """
    before = stored_deployment(settings.redis_url).partitions
    if partitions <= before:
        raise SettingError(
            f"--partitions {partitions}, but there are {before}, and Kafka takes no partitions away from a topic. "
            "Choose more; or run fewer workers: each takes several partitions, down to one worker with all of them."
        )
    if settings.lockstep:
        raise SettingError("EBB_LOCKSTEP=true: in lockstep the number of partitions is part of the run. Replay anew.")
    refuse_running(settings)
    _refuse_unfinished(settings)
    await archive(settings.kafka_servers, settings.redis_url, folder)
    states = [state for state in log_states(folder) if state.topic in INPUT_TOPICS]
    missing = [state for state in states if state.gaps]
    if missing:
        state = missing[0]
        raise SettingError(
            f"The archive does not have offsets {state.gaps[0][0]:,} to {state.gaps[0][1] - 1:,} of {state.topic} "
            f"partition {state.partition}: customers rebuilt from it would lack them. Nothing was changed."
        )
    return Repartitioning(before, partitions, sum(state.end - state.first for state in states))


def _refuse_unfinished(settings: WorkerSettings) -> None:
    applied = applied_positions(settings.redis_url)
    left = sum(
        max(0, end - applied.get(place, 0))
        for place, end in readable_ends(settings.kafka_servers, INPUT_TOPICS).items()
    )
    if left:
        raise SettingError(f"{left:,} records are not applied. Stop producers, let `ebb worker` finish, then stop it.")
    unsent = sum(outbox_depths(settings.redis_url).values())
    if unsent:
        raise SettingError(f"{unsent:,} messages are not published. Let `ebb worker` finish, then stop it.")


async def repartition(
    settings: WorkerSettings, folder: Path, wanted: Repartitioning, told: Rebuilt | None = None
) -> Recovered:
    """Change the number of partitions. Interrupted, `ebb recover --replace` with the new number does the rest.

    Raises:
        EbbError: Redis or Kafka is away, or somebody writes meanwhile.
    """
    before = load_standing(folder)
    if before is None:
        raise SettingError(f"{folder} is no archive of this deployment. Run `ebb archive --to {folder}`.")
    sequences = {partition: head.sequence for partition, head in enumerate(heads(settings.redis_url))}
    ended = Era(wanted.before, journal_ends(folder, wanted.before), sequences)
    all_sent = dict.fromkeys(range(wanted.after), Waiting(NO_LIMIT))  # or `plan` would have refused
    standing: Standing = msgspec.structs.replace(
        before, eras=[*before.eras[:-1], ended, Era(wanted.after)], outboxes=all_sent
    )
    grow(settings.kafka_servers, SHARED_TOPICS, wanted.after)
    save_standing(folder, standing)
    settings = msgspec.structs.replace(settings, partitions=wanted.after)
    recovery = Recovery(settings, folder, standing, told=told)
    return await write(settings, recovery, folder, standing, replace=True)


def grow(servers: Sequence[str], topics: Sequence[str], partitions: int) -> None:
    """Add partitions to topics that have fewer.

    Raises:
        BrokerError: Kafka is away or refuses.
    """
    with (
        broker_errors(servers),
        closing(KafkaAdminClient(bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS)) as admin,
    ):
        counts = {found["name"]: len(found["partitions"]) for found in admin.describe_topics(list(topics))}
        wanted = {topic: partitions for topic, count in counts.items() if count < partitions}
        if wanted:
            admin.create_partitions(wanted)
