"""Redis made again from an archive, so that workers go on in Kafka where it ends."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ebb.clock_mode import members
from ebb.compose.worker import worker_plan
from ebb.history.another_layout import begin_anew, ended_with_its_layout, of_this_layout
from ebb.history.archiving import journal_ends, refuse_moving
from ebb.history.past import PartitionPast, Stretch, coalesced
from ebb.history.rebuilding import NO_LIMIT, OWNER, Again, NoModels, PastModels, Rebuilding
from ebb.history.sharing_out import SharingOut
from offline.archive.files import JOURNAL, ArchiveError, partitions
from offline.archive.from_kafka import log_states
from offline.archive.standing import MODELS, STANDING, Era, Standing, Waiting, load_standing, model_path
from schemas.decode_many import decode_many
from schemas.topics import INPUT_TOPICS, REROUTED
from stream.errors import ModelRefusedError, SettingError
from stream.features.layout import LAYOUT
from stream.ports import Deployment
from stream.redis_store.deployment import check_deployment_policies
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from stream.redis_store.restoring import begin_rebuilding, end_rebuilding
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring
from stream.warming import warm_up

VERSIONS_APART = 1_000  # what Redis lost may have gone on: no version means two things

Rebuilt = Callable[[int, int], None]
"""Is told how many records have been applied again, of how many."""


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


class Recovery:
    """Rebuilds partitions in memory, one after another where their number has never changed.

    Args:
        settings: of the deployment.
        folder: the archive.
        standing: what is to be rebuilt: its last era is the one of now.
        publish_again: keep for publication what others read; under another layout there is nothing of it.
        told: of progress.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        folder: Path,
        standing: Standing,
        *,
        publish_again: bool = False,
        told: Rebuilt | None = None,
    ) -> None:
        self._plan, self._folder, self._standing = worker_plan(settings), folder, standing
        self._again = Again.WHAT_OTHERS_READ if publish_again else Again.UNSENT
        if standing.layout != LAYOUT:
            self._again = Again.WHAT_HAS_A_LAYOUT
        self._told, self._lockstep = told, settings.lockstep
        self._keyring = Keyring.from_text(settings.model_keys)
        self._total = sum(state.end - state.first for state in log_states(folder) if state.topic in INPUT_TOPICS)
        self.models_missing: set[tuple[str, str]] = set()
        self.records = self.unjournaled = 0

    async def rebuilt(self) -> AsyncIterator[Rebuilding]:
        """Each partition, whole."""
        warm_up(self._plan.rules)
        eras = self._standing.eras
        if len({era.partitions for era in eras}) == 1:
            for partition in range(self._standing.partitions):
                past, part, models = self._past(partition), await self._part(partition), self._models()
                for era in eras:
                    stretches = coalesced(self._of_era(past, era, is_last=era is eras[-1]))
                    await self._apply(part, stretches, _of_layout(era, models))
                    self._placed(part, past, era, 0)
                yield part
            return
        for part in await self._through(eras):
            yield part

    async def _through(self, eras: Sequence[Era]) -> list[Rebuilding]:
        """All partitions at once, through eras of different counts."""
        pasts = [self._past(number) for number in range(max(era.partitions for era in eras))]
        parts = [await self._part(number) for number in range(self._standing.partitions)]
        models = [self._models() for _ in parts]
        for era in eras:
            here, is_last, reached_ms = pasts[: era.partitions], era is eras[-1], 0
            if era.partitions == len(parts):
                for part, past in zip(parts, here, strict=True):
                    stretches = coalesced(self._of_era(past, era, is_last=is_last))
                    await self._apply(part, stretches, _of_layout(era, models[part.partition]))
            else:
                journals = [coalesced(self._of_era(past, era, is_last=is_last)) for past in here]
                for number, stretch in SharingOut(here, len(parts)).stretches(journals):
                    await self._step(parts[number], stretch, _of_layout(era, models[number]))
                    reached_ms = max(reached_ms, stretch.end_ms)
            for part in parts:
                self._placed(part, pasts[part.partition], era, reached_ms)
        return parts

    def _past(self, partition: int) -> PartitionPast:
        return PartitionPast(self._folder, partition, self._decode, self._standing.clock)

    def _decode(self, topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
        decoded = decode_many(topic, values, timestamps_ms, self._plan.decoding)
        return decoded if topic != REROUTED else list(map(of_this_layout, decoded))

    async def _part(self, partition: int) -> Rebuilding:
        waiting = self._standing.outboxes.get(partition, Waiting())
        count = self._standing.partitions
        part = Rebuilding(partition, count, self._plan, waiting, self._again)
        await part.begin()
        return part

    def _of_era(self, past: PartitionPast, era: Era, *, is_last: bool) -> Iterator[Stretch]:
        """What an era brought a partition; at its end also what no journal entry speaks of.

        In lockstep that is left to a worker, which waits for the models of each day.
        """
        journaled = past.journaled(None if is_last else era.last_versions.get(past.partition, 0))
        if self._lockstep or not (is_last or era.ends):
            return journaled
        ends = None if is_last else {topic: some[past.partition] for topic, some in era.ends.items()}
        return chain(journaled, past.unnoted(ends))

    async def _apply(self, part: Rebuilding, stretches: Iterator[Stretch], models: PastModels | NoModels) -> None:
        for stretch in stretches:
            await self._step(part, stretch, models)

    def _given_out(self, partition: int) -> int:
        """The last number of a message that is known to have been given out."""
        sequence = self._standing.outboxes.get(partition, Waiting()).sequence
        return sequence if sequence < NO_LIMIT else 0

    def _models(self) -> PastModels:
        """For one way through the past, which begins without any."""
        return PastModels(self._folder, self._keyring, self._plan.rules.outcomes.names)

    async def _step(self, part: Rebuilding, stretch: Stretch, models: PastModels | NoModels) -> None:
        await part.apply(stretch, await models.of(stretch.versions))
        self.models_missing |= models.missing
        self.records += len(stretch.records)
        if stretch.versions is None:
            self.unjournaled += len(stretch.records)
        if self._told:
            self._told(min(self.records, self._total), self._total)

    def _placed(self, part: Rebuilding, past: PartitionPast, era: Era, reached_ms: int) -> None:
        sequence = era.last_sequences.get(part.partition, 0)
        if era is self._standing.eras[-1]:  # what is erased says nothing again, and no number means two messages
            sequence = max(sequence, self._given_out(part.partition))
            if past.has_gone:  # numbers of now are lower than those of what is on its way, which was sent all the same
                part.stored.timelines.update(dict.fromkeys(part.stored.timelines, sequence))
        part.place(past.positions, sequence, max(past.stream_time_ms, reached_ms))


def _of_layout(era: Era, models: PastModels) -> PastModels | NoModels:
    """The models of an era; those of another layout mean nothing."""
    return models if era.layout in ("", LAYOUT) else NoModels()


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
    await _restore_models(settings.redis_url, folder, standing)
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


async def _restore_models(redis_url: str, folder: Path, standing: Standing) -> None:
    """Put models and learners back where there are none; of another layout they mean nothing."""
    if standing.layout != LAYOUT:
        return
    store = RedisModelStore(redis_url)
    try:
        for name, (version, epoch_day) in standing.champions.items():
            path = model_path(folder, LAYOUT, name, version)
            if path.exists() and not await _has_champion(store, name):
                await store.publish(name, version, path.read_bytes(), epoch_day)
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


def standing_of(folder: Path, settings: WorkerSettings) -> Standing:
    """How the archived deployment stood; of an archive of topics alone, what the settings say.

    Raises:
        SettingError: the settings are those of another deployment, or `ebb repartition` was interrupted.
        ArchiveError: there is no archive, or how the deployment stood is missing.
    """
    if not any(state.files for state in log_states(folder)):
        raise ArchiveError(f"{folder} holds no archive. `ebb archive --to {folder}` makes one.")
    standing = load_standing(folder) or _unknown(folder, settings)
    refuse_moving(folder, standing)
    if standing.partitions != settings.partitions:
        raise SettingError(
            f"EBB_PARTITIONS={settings.partitions}, but {folder} is of a deployment with {standing.partitions}. Set "
            f"EBB_PARTITIONS={standing.partitions}; `ebb repartition` changes the number."
        )
    if standing.clock != settings.clock:
        raise SettingError(
            f"EBB_CLOCK={settings.clock}, but {folder} is of a deployment on the {standing.clock} clock. "
            f"Set EBB_CLOCK={standing.clock}."
        )
    return standing


def _unknown(folder: Path, settings: WorkerSettings) -> Standing:
    """Of a deployment that nobody has looked at: its past is not sent to anybody who may have got it.

    Raises:
        ArchiveError: somebody has looked, and what was saved is missing.
        SettingError: its topics have more partitions.
    """
    if any((folder / beside).is_dir() for beside in (JOURNAL, MODELS)):
        raise ArchiveError(
            f"{folder / STANDING} is missing: without it nobody knows the clock, the partitions and the models of what "
            f"{JOURNAL} and {MODELS} beside it are of. Bring it back from a copy of the archive, or run `ebb archive` "
            "while Redis is there."
        )
    count = max((number + 1 for topic in INPUT_TOPICS for number in partitions(folder, topic)), default=0)
    if count > settings.partitions:
        raise SettingError(
            f"EBB_PARTITIONS={settings.partitions}, but topics in {folder} have {count} partitions. Set EBB_PARTITIONS "
            f"to what they had, {count} or more."
        )
    outboxes = dict.fromkeys(range(settings.partitions), Waiting(NO_LIMIT))
    return Standing(settings.clock, LAYOUT, [Era(settings.partitions)], outboxes)


def refuse_running(settings: WorkerSettings) -> None:
    """See that no worker is in the consumer group.

    Raises:
        SettingError: there is one.
    """
    running = members(settings.kafka_servers, settings.worker_group)
    if running:
        raise SettingError(
            f"{running} workers of group {settings.worker_group} are running. Stop them and the learner, then try "
            "again."
        )
