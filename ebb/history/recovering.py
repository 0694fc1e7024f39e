"""Redis made again from an archive, so that workers go on in Kafka where it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ebb.history.another_layout import begin_anew, ended_with_its_layout
from ebb.history.archiving import journal_ends
from ebb.history.rebuilding import OWNER, Rebuilding
from ebb.history.recoverable import refuse_running, standing_of
from ebb.history.through_eras import Rebuilt, Recovery
from offline.archive.log_states import log_states
from offline.archive.standing import Standing, archived_model
from schemas.topics import INPUT_TOPICS
from stream.errors import ModelRefusedError, SettingError
from stream.features.layout import LAYOUT
from stream.outcomes.declaration import questions_of
from stream.ports import Deployment
from stream.redis_store.deployment import check_deployment_policies
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from stream.redis_store.restoring import begin_rebuilding, end_rebuilding
from stream.settings.worker import WorkerSettings

VERSIONS_APART = 1_000  # what Redis lost may have gone on: no version means two things


@dataclass(frozen=True)
class Recovered:
    """What was rebuilt.

    Attributes:
        partitions: how many.
        customers: in all of them.
        records: of the input topics that were applied again.
        unjournaled: those of them whose times no journal entry told.
        models_missing: versions that were in force and are not in the archive; the one before them was used.
        to_publish: messages put back into the outbox, because nobody knows that they were sent.
        positions: (topic, partition) -> where workers go on.
        gaps: (topic, partition, from, until before): offsets that neither the archive nor Kafka has.
        learns_anew: whether the archive is of another layout, so that models begin anew with what is published.
    """

    partitions: int
    customers: int
    records: int
    unjournaled: int
    models_missing: Sequence[str]
    to_publish: int
    positions: dict[tuple[str, int], int]
    gaps: Sequence[tuple[str, int, int, int]]
    learns_anew: bool = False


async def recover(
    settings: WorkerSettings,
    folder: Path,
    *,
    replace: bool = False,
    publish_again: bool = False,
    told: Rebuilt | None = None,
) -> Recovered:
    """Fill Redis from an archive.

    Raises:
        SettingError: workers run, Redis holds something that may not be replaced, or settings contradict the archive.
        ArchiveError: the archive is damaged or empty.
        EbbError: Redis or Kafka is away.
    """
    standing = standing_of(folder, settings)
    refuse_running(settings)
    check_deployment_policies(settings.redis_url)
    if standing.layout != LAYOUT:
        standing = ended_with_its_layout(settings, folder, standing)
    recovery = Recovery(settings, folder, standing, publish_again=publish_again, told=told)
    return await write(settings, recovery, folder, standing, replace=replace)


async def write(
    settings: WorkerSettings, recovery: Recovery, folder: Path, standing: Standing, *, replace: bool
) -> Recovered:
    """Put what a recovery rebuilds into Redis, partition by partition."""
    count = standing.partitions
    deployment = Deployment(count, standing.clock, LAYOUT, settings.vocabulary, settings.predicted.outcomes)
    ends = journal_ends(folder, count)
    versions = {partition: ends[partition] + VERSIONS_APART for partition in range(count)}
    begin_rebuilding(settings.redis_url, deployment, OWNER, versions, replace=replace)
    if standing.layout != LAYOUT:
        await begin_anew(settings.redis_url, folder, standing)
    customers = to_publish = 0
    positions: dict[tuple[str, int], int] = {}
    async for part in recovery.rebuilt():
        await _store(settings.redis_url, part, versions[part.partition])
        customers += len(part.stored.states)
        to_publish += len(part.stored.outbox)
        positions |= {(topic, part.partition): at.next_offset for topic, at in part.stored.head.positions.items()}
    await _restore_models(settings, folder, standing)
    end_rebuilding(settings.redis_url)
    missing = [f"{name} {version}" for name, version in sorted(recovery.models_missing)]
    return Recovered(
        partitions=count,
        customers=customers,
        records=recovery.records,
        unjournaled=recovery.unjournaled,
        models_missing=missing,
        to_publish=to_publish,
        positions=positions,
        gaps=_gaps(settings, folder, positions),
        learns_anew=standing.layout != LAYOUT,
    )


def _gaps(
    settings: WorkerSettings, folder: Path, positions: Mapping[tuple[str, int], int]
) -> list[tuple[str, int, int, int]]:
    """What nobody has any more: in the archive, and between where it ends and where Kafka begins."""
    found = []
    for state in log_states(folder, settings.kafka_servers):
        if state.topic in INPUT_TOPICS:
            position, begins = positions.get((state.topic, state.partition), 0), state.log_start or 0
            found += [(state.topic, state.partition, *gap) for gap in state.gaps]
            found += [(state.topic, state.partition, position, begins)] if position < begins else []
    return found


async def _store(redis_url: str, part: Rebuilding, version: int) -> None:
    store = RedisPartitionStore(redis_url, part.partition)
    try:
        for commit in part.commits(version):
            head, _ = await store.begin(0, 0)
            if head.owner != OWNER or not await store.commit(head, commit):
                raise SettingError(
                    f"{head.owner or 'Somebody'} has written partition {part.partition} while it was rebuilt. Stop "
                    "all workers of this Redis and run the same command again."
                )
    finally:
        await store.close()


async def _restore_models(settings: WorkerSettings, folder: Path, standing: Standing) -> None:
    """Put models and learners back where there are none; of another layout they mean nothing."""
    if standing.layout != LAYOUT:
        return
    store, asked = RedisModelStore(settings.redis_url), questions_of(settings.predicted.outcomes)
    try:
        for name, (version, epoch_day) in standing.champions.items():
            sealed = archived_model(folder, LAYOUT, name, version, asked.get(name, 0))
            if sealed is not None and not await _has_champion(store, name):
                await store.publish(name, version, sealed, epoch_day)
        for name, learner in standing.learners.items():
            if await store.load_learner(name) is None:
                await store.save_learner(name, learner.next_offset, learner.state, learner.metrics)
    finally:
        await store.close()


async def _has_champion(store: RedisModelStore, name: str) -> bool:
    """Whether a model is in force; one of which nobody can read it is not."""
    try:
        return name in await store.champions([name])
    except ModelRefusedError:
        return False
