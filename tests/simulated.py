"""The simulated shop through Ebb's own engine and learners in process, a day at a time."""

import asyncio
from dataclasses import dataclass

import msgspec

from ebb.simulate import TOPICS, Shop, ShopSettings
from schemas.messages import Label
from schemas.topics import LABELS
from schemas.units import DAY_MS
from stream.learner.teaching import Teacher
from stream.memory_store import MemoryModelStore
from stream.signing import Keyring
from stream.worker.model_watch import ModelWatch
from tests.world import World

KEYS = Keyring.from_text("k:" + "5e" * 32)


@dataclass
class TaughtShop:
    """A shop that Ebb has followed to its end, with models learned on the way."""

    shop: Shop
    world: World
    customers: list[str]


def followed(settings: ShopSettings) -> TaughtShop:
    """Apply each day in one chunk, fire the next midnight's deadlines, and learn its labels before the next day."""
    shop, registry = Shop(settings), MemoryModelStore()
    world = World()
    teacher, watch = Teacher(registry, KEYS), ModelWatch(registry, KEYS)
    seen = 0
    for sent in shop.slices():
        records = [
            world.record(TOPICS[topic], value, timestamp_ms=at)
            for topic, value, at in zip(sent.topic.tolist(), sent.values, sent.sent_ms.tolist(), strict=True)
        ]
        world.models = watch.models
        world.apply(records, sent.sent_ms.tolist(), sent.end_ms)
        messages = world.outbox.outgoing(seen)
        labels = [msgspec.json.decode(m.value, type=Label) for m in messages if m.topic == LABELS and m.value]
        seen += len(messages)
        day = sent.end_ms // DAY_MS
        teacher.learn(sorted(labels, key=lambda label: (label.matured_ms, label.customer_id, label.outcome)), day)
        asyncio.run(_publish(teacher, watch, day))
    return TaughtShop(shop, world, list(world.stored.views))


async def _publish(teacher: Teacher, watch: ModelWatch, day: int) -> None:
    await teacher.publish(day)
    await watch.refresh()
