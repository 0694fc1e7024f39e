"""Bringing an archive up to date: what Redis remembers of its past, then the topics that it refers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from offline.archive.files import JOURNAL, ArchiveError, files, locked, write_durably
from offline.archive.from_kafka import OnProgress, Place, archive_topics
from offline.archive.reading import last_record, read_batches
from offline.archive.records import ArchivedRecord, records_of
from offline.archive.standing import (
    Era,
    SavedLearner,
    Standing,
    Waiting,
    load_standing,
    model_path,
    save_standing,
)
from offline.archive.writing import LogArchive
from stream.errors import EbbError, RebuildingError
from stream.outcomes.declaration import questions_of
from stream.ports import Deployment, ModelStore
from stream.redis_store.inspection import learner_metrics
from stream.redis_store.journal import JournalReader, PackedEntry
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import question_of
from stream.worker.journal_entry import decode_entry
from stream.worker.model_watch import model_names


@dataclass(frozen=True)
class ArchiveRun:
    """What a run has added.

    Attributes:
        records: of all topics.
        journal_entries: of all partitions.
        lost: topic-partition -> offsets (from, until before) that Kafka had dropped before they were archived.
        has_redis: whether there was a deployment in Redis; without one only topics were archived.
    """

    records: int
    journal_entries: int
    lost: Mapping[Place, tuple[int, int]]
    has_redis: bool


async def archive(
    servers: Sequence[str], redis_url: str, folder: Path, on_progress: OnProgress | None = None
) -> ArchiveRun:
    """Add whatever is new. Killed at any moment and run again, it leaves each record in the archive once.

    The journal comes first: the topics are then read at least as far as it goes.

    Raises:
        ArchiveError: another one runs, or the archive is damaged or of another deployment.
        RebuildingError: `ebb repartition` was interrupted while it made topics again.
        EbbError: Kafka or Redis is away, or a topic was made again.
    """
    with locked(folder):
        refuse_moving(folder, load_standing(folder))
        reader = JournalReader(redis_url)
        try:
            deployment = reader.deployment()
            entries = await _archive_redis(reader, redis_url, deployment, folder) if deployment else 0
        except EbbError:
            archive_topics(servers, folder, on_progress)  # whatever is wrong with Redis, Kafka forgets
            raise
        finally:
            reader.close()
        topics = archive_topics(servers, folder, on_progress)
    return ArchiveRun(topics.records, entries, topics.lost, deployment is not None)


def refuse_moving(folder: Path, standing: Standing | None) -> None:
    """See that topics are not on their way to another number of partitions.

    Raises:
        RebuildingError: they are.
    """
    if standing and standing.move:
        partitions = standing.move.partitions
        raise RebuildingError(
            f"Topics are on their way from {standing.partitions} partitions to {partitions}. Wait for the command that "
            f"does it; if it was interrupted, run it again: `ebb repartition --partitions {partitions} --archive "
            f"{folder}`."
        )


async def _archive_redis(reader: JournalReader, redis_url: str, deployment: Deployment, folder: Path) -> int:
    before = load_standing(folder)
    eras = before.eras if before else [Era(deployment.partitions)]
    if eras[-1].partitions != deployment.partitions:
        raise ArchiveError(
            f"Redis has {deployment.partitions} partitions, {folder} was archived from {eras[-1].partitions}. Archive "
            "into another folder (--to), or change the count with `ebb repartition`."
        )
    outboxes = {
        partition: Waiting(sequence, waiting)  # before the journal: what is committed after it counts as unsent
        for partition, (sequence, waiting) in reader.outboxes(deployment.partitions).items()
    }
    entries = sum(archive_journal(reader, folder, partition) for partition in range(deployment.partitions))
    remade = before.remade if before else {}
    standing = Standing(deployment.clock, deployment.layout, eras, outboxes, remade=remade)
    asked = questions_of(deployment.outcomes)
    save_standing(folder, await _with_models(RedisModelStore(redis_url), redis_url, folder, standing, asked))
    return entries


async def _with_models(
    store: RedisModelStore, redis_url: str, folder: Path, standing: Standing, asked: Mapping[str, int]
) -> Standing:
    """Save the models that are not there yet; what is in force, and what the learner has learned."""
    names = model_names(list(asked))
    try:
        for name in names:
            versions = await store.versions(name)
            await archive_model(store, versions, folder, standing.layout, name, asked.get(name, 0))
        champions = await store.champions(names)
        saved = {name: await store.load_learner(name) for name in names}
    finally:
        await store.close()
    learners = {
        name: SavedLearner(*learner, learner_metrics(redis_url, name) or b"")
        for name, learner in saved.items()
        if learner
    }
    return msgspec.structs.replace(standing, champions=champions, learners=learners)


async def archive_model(
    store: ModelStore, versions: Sequence[str], folder: Path, layout: str, name: str, question: int
) -> None:
    """Save the versions of a model that are not there yet, each under what it answers: what is asked now, if it does
    not say."""
    for version in versions:
        if not model_path(folder, layout, name, version, question).exists():
            sealed = await store.fetch(name, version)
            write_durably(model_path(folder, layout, name, version, question_of(sealed) or question), sealed)


def archive_journal(reader: JournalReader, folder: Path, partition: int) -> int:
    """Add the entries of one partition's journal that are new; how many there were.

    Raises:
        ArchiveError: Redis holds another history than the archive.
    """
    log = LogArchive(folder, JOURNAL, partition)
    known = last_record(folder, JOURNAL, partition)
    after = _going_on(reader, folder, log, known) if known else ""
    count = 0
    while entries := reader.entries(partition, after):
        log.add([_row(entry) for entry in entries])
        after = entries[-1].entry_id
        count += len(entries)
    log.flush()
    return count


def _going_on(reader: JournalReader, folder: Path, log: LogArchive, known: ArchivedRecord) -> str:
    """The entry of Redis after which to go on; empty for its first one.

    A Redis that came back older has written other entries since; those that it does not know any more are cut off.
    """
    partition, last_id = log.partition, (known.key or b"").decode()
    found = reader.entry(partition, last_id)
    if found is not None and found.packed == known.value:
        return last_id
    stored = _all(reader, partition)
    first_version = decode_entry(stored[0].packed).version if stored else reader.version(partition)
    if first_version > known.offset:
        return ""  # rebuilt from this archive, or what was between is not kept any more
    packed = {entry.entry_id: entry.packed for entry in stored}
    common: ArchivedRecord | None = None
    for record in records_of(read_batches(folder, JOURNAL, partition, begin=first_version)):
        if packed.get((record.key or b"").decode()) != record.value:
            break
        common = record
    if common is None:
        raise ArchiveError(
            f"Partition {partition} of this Redis has another past than the one in {folder}: it was emptied and "
            "has begun anew. Rebuild it (`ebb recover --from`), or archive into another folder (--to)."
        )
    log.cut(common.offset + 1)
    return (common.key or b"").decode()


def _all(reader: JournalReader, partition: int) -> list[PackedEntry]:
    found: list[PackedEntry] = []
    while page := reader.entries(partition, found[-1].entry_id if found else ""):
        found += page
    return found


def _row(entry: PackedEntry) -> ArchivedRecord:
    time_ms = int(entry.entry_id.partition("-")[0])
    return ArchivedRecord(decode_entry(entry.packed).version, time_ms, entry.entry_id.encode(), entry.packed)


def journal_ends(folder: Path, partitions: int) -> dict[int, int]:
    """The version of the last archived entry of each partition; 0 where there is none."""
    found = {partition: files(folder, JOURNAL, partition) for partition in range(partitions)}
    return {partition: some[-1].end - 1 if some else 0 for partition, some in found.items()}
