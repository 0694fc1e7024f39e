"""A partition on the live clock that has lived through days of events, its archive, and what is rebuilt from it."""

import random
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from ebb.compose.worker import worker_plan
from ebb.history.archiving import journal_ends
from ebb.history.rebuilding import OWNER, Rebuilding
from ebb.history.recovering import VERSIONS_APART
from ebb.history.through_eras import Recovery
from offline.archive.files import JOURNAL, write_durably
from offline.archive.records import ArchivedRecord
from offline.archive.standing import Era, Standing, model_path
from offline.archive.writing import LogArchive
from schemas.units import DAY_MS
from stream.chunk import Models, Rules
from stream.features.layout import LAYOUT
from stream.memory_store import StoredPartition
from stream.ports import Head
from stream.scoring.documents import Document, OutcomeDocument, encode
from stream.scoring.linear import LinearModel
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring, seal
from stream.worker.journal_entry import decode_entry
from stream.worker.timing import EVENT_TOPICS
from tests.live_lane import LIMITS, LiveLane, Logged, Logs, event_topic, run
from tests.world import BEGIN_MS, CENTRES, PINNED, engagement, purchase, silence_document

KEYS = "test:" + "5e" * 32
SETTINGS = WorkerSettings(clock="live", model_keys=KEYS, partitions=1, alert_outcome="churn_30d")
RULES = worker_plan(SETTINGS).rules
LANE_LIMITS = replace(LIMITS, chunk_records=4, renewed_at_once=7)
DUE_AT_ONCE = 5


def models_saying(version: str, weight: float, bias: float) -> Models:
    """Of whoever is silent for long, weighed so."""
    by_silence = LinearModel(("log_since_last_purchase_days",), (2.0,), (1.0,), (weight,), bias)
    document = msgspec.structs.replace(
        silence_document(version=version), candidates={"since_last_purchase": by_silence}
    )
    return Models({"churn_30d": document}, CENTRES)


SURER = models_saying("v2", weight=1.5, bias=4.0)
CALMER = models_saying("v3", weight=0.0, bias=1.1)
"""Three in four of everybody: no alert opens, and none closes."""
DAYS, OTHER_MODELS_DAY = 70, 50
OF_ONE_PARTITION = Standing("live", LAYOUT, [Era(1)])
NOON, NIGHT = 92, 110  # places among the moments
FAIL, FAIL_AT, PUT_OFF_MS = [f"customer-{number}" for number in range(0, 60, 7)], (61, 100, 126), 9 * DAY_MS


@dataclass(frozen=True)
class Moment:
    """What arrives at a time of the wall, the models from then on, and whose decisions fail and are put off."""

    wall_ms: int
    events: Sequence[dict[str, Any]]
    models: Models
    fail: Sequence[str] = ()


def moments() -> list[Moment]:
    """Sixty customers, every third of whom falls silent; days without any event; in the end other models."""
    dice, number, found = random.Random(3), 0, []
    for half_day in range(2 * DAYS):
        day, events = half_day / 2, []
        for customer in range(60):
            comes = dice.random() < (0.25 if customer % 3 else 0.25 * (half_day < 60))
            if comes and half_day and half_day % 14:
                name, at, number = f"customer-{customer}", day - dice.random() / 3, number + 1
                if dice.random() < 0.5:
                    events.append(purchase(name, at, event_id=f"e{number}"))
                else:
                    events.append(engagement("page_view", name, at, event_id=f"e{number}"))
        events.sort(key=lambda event: event["event_time_ms"])
        models, fail = PINNED if day < OTHER_MODELS_DAY else SURER, FAIL if half_day in FAIL_AT else ()
        found.append(Moment(BEGIN_MS + round(day * DAY_MS), events, models, fail))
    return found


async def live(lane: LiveLane, some: Sequence[Moment]) -> None:
    """Records arrive while the deadlines before them are still firing."""
    for moment in some:
        lane.wall_ms, lane.models.models = moment.wall_ms, moment.models
        await lane.lane.step()
        if moment.fail:
            until_ms = lane.stored.head.stream_time_ms + PUT_OFF_MS
            await lane.applying.postpone(dict.fromkeys(moment.fail, until_ms), moment.models)
        for event in moment.events:
            log = lane.logs[event_topic(event["type"])]
            log.append(Logged("", len(log), msgspec.json.encode(event), moment.wall_ms))
        for topic in EVENT_TOPICS:
            await lane.fetch(topic)
        while await lane.lane.step() or await lane.lane._renew():
            pass


class Life:
    """A partition and its logs, as they were after some of the moments and as they are."""

    def __init__(self, partition: int = 0, partitions: int = 1) -> None:
        self.logs: Logs = {topic: [] for topic in EVENT_TOPICS}
        self.stored = StoredPartition()
        self.partition, self.partitions = partition, partitions

    async def go_on(self, *parts: Sequence[Moment], rules: Rules = RULES) -> list["Life"]:
        """What one worker makes of it; as it was after each part."""
        lane = LiveLane(
            self.logs,
            limits=LANE_LIMITS,
            due_at_once=DUE_AT_ONCE,
            partition=self.partition,
            partitions=self.partitions,
            rules=rules,
            stored=self.stored,
        )
        await lane.claim()
        then = []
        for some in parts:
            await live(lane, some)
            then.append(deepcopy(self))
        return then


def archive(
    folder: Path,
    life: Life,
    journal_until: int | None = None,
    others: Sequence[Document] = (),
    *,
    by_question: bool = True,
) -> None:
    """Add what is new, and these documents beside those of `moments`; an archive of before knew no questions."""
    for topic, log in life.logs.items():
        add(folder, topic, life.partition, [ArchivedRecord(r.offset, r.timestamp, r.key, r.value) for r in log])
    noted = [(decode_entry(packed).version, packed) for packed in life.stored.journal[:journal_until]]
    add(folder, JOURNAL, life.partition, [ArchivedRecord(version, 0, b"0-0", packed) for version, packed in noted])
    for document in (PINNED.outcomes["churn_30d"], SURER.outcomes["churn_30d"], CENTRES, *others):
        sealed = seal(encode(document), Keyring.from_text(KEYS))
        question = document.question if isinstance(document, OutcomeDocument) and by_question else 0
        write_durably(model_path(folder, LAYOUT, document.name, document.version, question), sealed)


def add(folder: Path, topic: str, partition: int, records: Sequence[ArchivedRecord]) -> None:
    log = LogArchive(folder, topic, partition)
    log.add([record for record in records if record.offset >= log.position])
    log.flush()


def rebuilt(
    folder: Path, standing: Standing = OF_ONE_PARTITION, settings: WorkerSettings = SETTINGS
) -> list[StoredPartition]:
    """Partitions as they are in Redis then, with the messages of which nobody knows that they were sent: here all."""
    settings = msgspec.structs.replace(settings, partitions=standing.partitions)
    recovery, ends = Recovery(settings, folder, standing), journal_ends(folder, standing.partitions)

    async def rebuild() -> list[StoredPartition]:
        return [written(part, ends[part.partition] + VERSIONS_APART) async for part in recovery.rebuilt()]

    return run(rebuild())


def written(part: Rebuilding, version: int) -> StoredPartition:
    stored = StoredPartition(Head(version, OWNER))
    for commit in part.commits(version):
        stored.apply(commit)
    return stored
