"""The partition of every event: murmur2 of its key, or CRC-32 where the producer was set up wrongly."""

import zlib

import numpy as np

from ebb.simulate.delivery import Slice
from ebb.simulate.draws import IntArray
from schemas.partition import partition_of


def partitions_of(sent: Slice, partitions: int) -> IntArray:
    """Shape (events,): where each event is written.

    librdkafka's default partitioner, `consistent_random`, takes CRC-32 of the key modulo the partition count.
    """
    placed = [
        zlib.crc32(key) % partitions if misrouted else partition_of(key.decode(), partitions)
        for key, misrouted in zip(sent.keys, sent.misrouted.tolist(), strict=True)
    ]
    return np.array(placed, np.int64)
