"""The limit: aiokafka's fetches and msgspec's typed decoding, and nothing done with the events."""

import asyncio
from functools import reduce
from operator import or_

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks.peers.started import TOPIC, Arguments, arguments, report
from schemas.topics import KINDS_OF, REROUTED

RECORDS_AT_ONCE = 5_000


async def run(given: Arguments) -> None:
    """Read and decode until killed."""
    decode = msgspec.json.Decoder(reduce(or_, KINDS_OF[REROUTED])).decode
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=given.servers, group_id=given.group, auto_offset_reset="earliest"
    )
    done = 0
    report(given.progress, lambda: done)
    await consumer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=RECORDS_AT_ONCE)
        for records in fetched.values():
            for record in records:
                decode(record.value)
            done += len(records)


if __name__ == "__main__":
    asyncio.run(run(arguments()))
