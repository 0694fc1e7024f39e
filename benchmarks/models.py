"""Models for a benchmark: learned on a small history as a learner would, so that scoring does its real work."""

import asyncio
from functools import lru_cache

import msgspec
import numpy as np
from msgspec.structs import replace

from benchmarks.in_process import InProcess
from benchmarks.loads import Record, written
from schemas.messages import Label
from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.drafts import unpack_outgoing
from stream.features.layout import LAYOUT
from stream.learner.teaching import Teacher
from stream.memory_store import MemoryModelStore
from stream.redis_store.registry import RedisModelStore
from stream.scoring.documents import decode, encode
from stream.signing import Keyring, open_sealed, seal
from stream.worker.model_watch import ModelWatch

KEYS = "benchmark:" + "5e" * 32
KEYRING = Keyring.from_text(KEYS)
CUSTOMERS, DAYS, LEARN_EVERY_DAYS, SEED = 900, 330, 10, 11
BEGIN_MS = 18_262 * DAY_MS  # 2020-01-01


@lru_cache(maxsize=1)
def learned() -> MemoryModelStore:
    """A model store after 330 days of 900 customers, a third of whom stop buying on the way."""
    return asyncio.run(_learned())


def in_force(store: MemoryModelStore) -> ModelWatch:
    """What a worker has of a store."""
    watch = ModelWatch(store, KEYRING)
    asyncio.run(watch.refresh())
    return watch


def publish_to(redis_url: str, version: str | None = None) -> None:
    """Put the models in force on a Redis, as a learner does; under another version if one is given."""
    asyncio.run(_publish(learned(), RedisModelStore(redis_url), version))


async def _publish(store: MemoryModelStore, to: RedisModelStore, another: str | None) -> None:
    for name, saved in store.learners.items():
        await to.save_learner(name, *saved)
    for name, (version, epoch_day) in store.champion.items():
        sealed = store.documents[name, version]
        document = decode(open_sealed(sealed, KEYRING), LAYOUT)
        if another is not None:
            sealed = seal(encode(replace(document, version=another)), KEYRING)
        await to.publish(name, another or version, sealed, epoch_day)
    await to.close()


async def _learned() -> MemoryModelStore:
    store = MemoryModelStore()
    teacher, watch = Teacher(store, KEYRING), ModelWatch(store, KEYRING)
    world = InProcess(wall_ms=BEGIN_MS)
    await world.claim()
    days = _history()
    for day, records in enumerate(days):
        world.models = watch.models
        await world.run(records)
        await world.silence_until(BEGIN_MS + (day + 1) * DAY_MS)
        if day % LEARN_EVERY_DAYS == LEARN_EVERY_DAYS - 1:
            teacher.learn(_labels(world), None)
            await teacher.publish(0)
            await watch.refresh()
    return store


def _labels(world: InProcess) -> list[Label]:
    """The labels said since the last call."""
    said = [unpack_outgoing(packed) for _, packed in world.outbox.messages]
    world.outbox.messages.clear()
    return [msgspec.json.decode(message.value or b"", type=Label) for message in said if message.topic == LABELS]


def _history() -> list[list[Record]]:
    """Records of each day. Customers buy every 4 to 40 days; a third of them stop for good some day."""
    random = np.random.default_rng(SEED)
    gaps_days = random.uniform(1, 10, CUSTOMERS)  # between two events of any kind; every fourth is a purchase
    stop_day = np.where(random.random(CUSTOMERS) < 1 / 3, random.uniform(20, DAYS, CUSTOMERS), DAYS)
    who = np.repeat(np.arange(CUSTOMERS), DAYS)
    days = np.cumsum(random.exponential(1.0, (CUSTOMERS, DAYS)) * gaps_days[:, None], axis=1).ravel()
    kept = days < stop_day[who]
    order = np.argsort(days[kept], kind="stable")
    who, days = who[kept][order], days[kept][order]
    records = written(who, (BEGIN_MS + days * DAY_MS).astype(np.int64), random)
    cuts = np.searchsorted(days, np.arange(1, DAYS))
    return [records[a:b] for a, b in zip([0, *cuts.tolist()], [*cuts.tolist(), len(records)], strict=True)]
