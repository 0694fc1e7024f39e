"""Another number of partitions: Kafka's topics get it, and Redis is rebuilt with everybody where they belong then."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ebb.history.archiving import archive, journal_ends
from ebb.history.kafka_topics import admin_of, known_topics, partition_counts, require_capable
from ebb.history.rebuilding import OWNER
from ebb.history.recoverable import refuse_running
from ebb.history.recovering import Recovered, write
from ebb.history.stretches import NO_LIMIT
from ebb.history.through_eras import Rebuilt, Recovery
from ebb.history.topics_anew import OUTPUT_TOPICS, NothingChangedError, Told, TopicsAnew
from offline.archive.files import locked
from offline.archive.log_states import LogState, log_states
from offline.archive.standing import Era, KnownTopic, Move, Standing, Waiting, load_standing, save_standing
from offline.broker import broker_errors, readable_ends
from schemas.topics import INPUT_TOPICS
from stream.errors import SettingError
from stream.redis_store.deployment import is_rebuilding, stored_deployment
from stream.redis_store.inspection import applied_positions, heads, outbox_depths
from stream.redis_store.restoring import close_deployment, end_rebuilding
from stream.settings.worker import WorkerSettings

PATIENCE_S = 60.0  # an `ebb archive --follow` is at work


@dataclass(frozen=True)
class Repartitioning:
    """What is to happen.

    Attributes:
        before: from how many partitions.
        after: to how many.
        records: that are gone through.
        made_again: topics that are deleted first.
        kept: topics that keep more partitions.
        goes_on: whether it was begun, and interrupted.
    """

    before: int
    after: int
    records: int
    made_again: Sequence[str] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    goes_on: bool = False


async def plan(settings: WorkerSettings, folder: Path, partitions: int) -> Repartitioning:
    """Bring the archive up to date and see whether the number may be changed now. Changes nothing else.

    Raises:
        SettingError: it may not; the message says why and what to do.
        EbbError: Redis or Kafka is away, or the archive is not of this deployment.
    """
    if settings.lockstep:
        raise SettingError("EBB_LOCKSTEP=true: in lockstep the number of partitions is part of the run. Replay anew.")
    refuse_running(settings)
    begun = _begun(settings, folder, partitions)
    if begun:
        return begun
    before = stored_deployment(settings.redis_url).partitions
    if partitions == before:
        raise SettingError(f"There are {before} partitions already. Nothing was changed.")
    require_capable(settings.kafka_servers)
    if partitions < before:
        _refuse_without_ids(known_topics(settings.kafka_servers, INPUT_TOPICS))
    await archive(settings.kafka_servers, settings.redis_url, folder)
    _refuse_unfinished(settings)
    states = _input_states(folder)
    _refuse_missing(settings, states)
    counts = partition_counts(settings.kafka_servers, OUTPUT_TOPICS)
    return Repartitioning(
        before,
        partitions,
        sum(state.end - state.first for state in states),
        INPUT_TOPICS if partitions < before else (),
        {topic: count for topic, count in counts.items() if count > partitions},
    )


def _begun(settings: WorkerSettings, folder: Path, partitions: int) -> Repartitioning | None:
    """What an interrupted run has left to be done.

    Raises:
        SettingError: that was to another number.
    """
    standing = load_standing(folder)
    if standing is None:
        return None
    records = sum(state.end - state.first for state in _input_states(folder))
    if (move := standing.move) is not None:
        if move.partitions != partitions:
            raise SettingError(
                f"--partitions {partitions}, but topics are on their way from {standing.partitions} to "
                f"{move.partitions}: that was interrupted. Run it again with --partitions {move.partitions} first."
            )
        made_again = tuple(move.topics) if move.is_to_fewer else ()
        return Repartitioning(standing.partitions, partitions, records, made_again, goes_on=True)
    before = standing.eras[-2].partitions if len(standing.eras) > 1 else partitions
    if before == partitions or standing.partitions != partitions or not is_rebuilding(settings.redis_url):
        return None
    return Repartitioning(before, partitions, records, goes_on=True)


def _input_states(folder: Path) -> list[LogState]:
    return [state for state in log_states(folder) if state.topic in INPUT_TOPICS]


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


def _refuse_missing(settings: WorkerSettings, states: Sequence[LogState]) -> None:
    """See that the archive has everything that was applied."""
    missing = {(state.topic, state.partition): state.gaps[0] for state in states if state.gaps}
    ends = {(state.topic, state.partition): state.end for state in states}
    for place, applied in applied_positions(settings.redis_url).items():
        if place[0] in INPUT_TOPICS and applied > ends.get(place, 0):
            missing.setdefault(place, (ends.get(place, 0), applied))
    if missing:
        (topic, partition), (first, end) = min(missing.items())
        raise SettingError(
            f"The archive does not have offsets {first:,} to {end - 1:,} of {topic} partition {partition}: customers "
            "rebuilt from it would lack them. Nothing was changed."
        )


async def repartition(
    settings: WorkerSettings, folder: Path, wanted: Repartitioning, told: Rebuilt | None, step: Told
) -> Recovered:
    """Change the number of partitions. Interrupted at any point, the same again does the rest.

    Args:
        settings: of the deployment, with either number.
        folder: the archive.
        wanted: what `plan` has found.
        told: of records that are applied anew.
        step: told of what has been done to topics.

    Raises:
        EbbError: Redis or Kafka is away, or somebody writes meanwhile.
    """
    standing = _standing_of(folder)
    if standing.partitions != wanted.after:
        standing = await _with_topics(settings, folder, standing, wanted, step)
    settings = msgspec.structs.replace(settings, partitions=wanted.after)
    recovery = Recovery(settings, folder, standing, told=told)
    return await write(settings, recovery, folder, standing, replace=True)


async def _with_topics(
    settings: WorkerSettings, folder: Path, standing: Standing, wanted: Repartitioning, step: Told
) -> Standing:
    """How the archive stands once the topics have their new partitions."""
    servers, move = settings.kafka_servers, standing.move or _settled(settings, folder, wanted)

    def keep(move: Move | None) -> None:
        _kept(folder, lambda known: msgspec.structs.replace(known, move=move))

    keep(move)
    close_deployment(settings.redis_url, OWNER)
    try:
        with broker_errors(servers), closing(admin_of(servers)) as admin:
            move = await TopicsAnew(admin, servers, move, keep, step).run()
    except NothingChangedError:
        keep(None)
        end_rebuilding(settings.redis_url)
        raise
    return _kept(folder, lambda known: _moved(known, move))


def _settled(settings: WorkerSettings, folder: Path, wanted: Repartitioning) -> Move:
    """What the topics have to become, while Redis and the archive still say so."""
    ends = {(state.topic, state.partition): state.end for state in _input_states(folder)}
    sequences = {partition: head.sequence for partition, head in enumerate(heads(settings.redis_url))}
    ended = Era(
        wanted.before,
        journal_ends(folder, wanted.before),
        sequences,
        ends={topic: [ends.get((topic, p), 0) for p in range(wanted.before)] for topic in INPUT_TOPICS},
    )
    starts = {topic: [ends.get((topic, p), 0) for p in range(wanted.after)] for topic in INPUT_TOPICS}
    topics = known_topics(settings.kafka_servers, INPUT_TOPICS)
    return Move(ended, wanted.after, starts, topics)


def _refuse_without_ids(topics: Mapping[str, KnownTopic]) -> None:
    """See that a topic made again can be told from the one before."""
    if not all(topic.topic_id for topic in topics.values()):
        raise SettingError(
            "This Kafka gives its topics no ids, so nobody could tell one that is made again from one that was lost. "
            "Fewer partitions need Apache Kafka 2.8 or newer. Nothing was changed."
        )


def _moved(standing: Standing, move: Move) -> Standing:
    all_sent = dict.fromkeys(range(move.partitions), Waiting(NO_LIMIT))  # or `plan` would have refused
    return msgspec.structs.replace(
        standing,
        eras=[*standing.eras[:-1], move.ended, Era(move.partitions)],
        outboxes=all_sent,
        remade={**standing.remade, **move.made},
        move=None,
    )


def _kept(folder: Path, change: Callable[[Standing], Standing]) -> Standing:
    """Change what the archive says of how the deployment stands."""
    with locked(folder, PATIENCE_S):
        changed = change(_standing_of(folder))
        save_standing(folder, changed)
    return changed


def _standing_of(folder: Path) -> Standing:
    """How the archived deployment stands.

    Raises:
        SettingError: nobody has archived one there.
    """
    standing = load_standing(folder)
    if standing is None:
        raise SettingError(f"{folder} is no archive of this deployment. Run `ebb archive --to {folder}`.")
    return standing
