"""Which partition a customer lives on: Kafka's default partitioner, so that any client finds the same one."""

from functools import lru_cache
from struct import unpack_from

SEED = 0x9747B28C
MULTIPLIER = 0x5BD1E995
UINT32 = 0xFFFFFFFF
CUSTOMERS_REMEMBERED = 65_536  # about 10 MB; a partition is asked for with every event of a customer


def murmur2(key: bytes) -> int:
    """Kafka's 32-bit MurmurHash2, unsigned.

    >>> murmur2(b"17850")
    2146000735
    """
    length = len(key)
    mixed = SEED ^ length
    for word in unpack_from(f"<{length // 4}I", key):
        scrambled = word * MULTIPLIER & UINT32
        scrambled = (scrambled ^ scrambled >> 24) * MULTIPLIER & UINT32
        mixed = mixed * MULTIPLIER & UINT32 ^ scrambled
    if length % 4:
        mixed = (mixed ^ int.from_bytes(key[length & ~3 :], "little")) * MULTIPLIER & UINT32
    mixed = (mixed ^ mixed >> 13) * MULTIPLIER & UINT32
    return mixed ^ mixed >> 15


@lru_cache(CUSTOMERS_REMEMBERED)
def partition_of(customer_id: str, partitions: int) -> int:
    """The partition of a customer's records when the key is the customer id in UTF-8.

    >>> partition_of("17850", partitions=4)
    3
    """
    return (murmur2(customer_id.encode()) & 0x7FFFFFFF) % partitions
