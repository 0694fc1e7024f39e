"""The obvious way: a Faust agent that, for each event, reads the customer from Redis, asks River, and writes it back.

What a competent engineer writes first: the tutorial's agent, one JSON record a customer, one model a process that
learns whether the next event is a purchase. Faust, redis-py and River with their defaults.
"""

from typing import Any

import faust
import redis.asyncio
from river import linear_model, preprocessing

from benchmarks.peers.features import updated
from benchmarks.peers.started import TOPIC, Arguments, arguments, report


def columns(record: dict[str, Any]) -> dict[str, float]:
    """What the model sees of a customer."""
    return {
        "purchases": record["purchases"],
        "spend": record["spend_minor"] / 100,
        "decayed_30d": record["decayed_30d"],
        **record["engagement"],
    }


def application(given: Arguments) -> faust.App:
    """The agent's application."""
    app = faust.App(
        given.group,
        broker=f"kafka://{given.servers}",
        value_serializer="json",
        consumer_auto_offset_reset="earliest",
        topic_partitions=given.partitions,
        web_enabled=False,
    )
    store = redis.asyncio.from_url(given.redis)
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    decode, encode = faust.serializers.codecs.loads, faust.serializers.codecs.dumps
    done = 0
    report(given.progress, lambda: done)

    @app.agent(app.topic(TOPIC, key_type=bytes))  # type: ignore[untyped-decorator]
    async def score(events: Any) -> None:
        nonlocal done
        async for event in events:
            key = f"customer:{event['customer_id']}"
            stored = await store.get(key)
            record = decode("json", stored) if stored else None
            if record is not None:
                model.learn_one(columns(record), event["type"] == "purchase")
            record = updated(record, event)
            record["buys_next"] = model.predict_proba_one(columns(record))[True]
            await store.set(key, encode("json", record))
            done += 1

    return app


if __name__ == "__main__":
    faust.Worker(application(arguments()), loglevel="warn").execute_from_commandline()
