"""From the bytes of a Kafka record to an event, or to the reason why it is none. No bytes raise."""

from functools import reduce
from operator import or_

import msgspec

from schemas.events import Input
from schemas.misfits import MALFORMED, malformed, misfit
from schemas.rejection import REASONS, Rejection, reject
from schemas.repeated_keys import repeated_key
from schemas.rules import DecodeRules, broken_rule
from schemas.topics import KINDS_OF

__all__ = ["DECODERS", "REASONS", "DecodeRules", "Rejection", "decode"]

DECODERS: dict[str, msgspec.json.Decoder[Input]] = {
    topic: msgspec.json.Decoder(reduce(or_, kinds)) for topic, kinds in KINDS_OF.items()
}

_NO_VALUE = reject("tombstone", "the record has no value")
_NO_BYTES = reject("empty_value", "the value has no bytes")


def decode(topic: str, value: bytes | None, kafka_timestamp_ms: int, rules: DecodeRules) -> Input | Rejection:
    """Read one record of an input topic.

    Args:
        topic: one of `schemas.topics.KINDS_OF`; another one is a KeyError, since no record chooses its topic.
        value: the record's value; None is a tombstone.
        kafka_timestamp_ms: the record's timestamp, which bounds how far in the future an event may be.
        rules: what this deployment accepts.

    Returns:
        The event or clock record, or why there is none.

    >>> rules, view = DecodeRules(currency="GBP"), b'{"type":"page_view","event_id":"v1","event_time_ms":1291900000000}'
    >>> decode("events.engagement", view, 1291900000000, rules)
    PageView(event_id='v1', event_time_ms=1291900000000, customer_id=None, schema_version=1, compatible_with=None)
    >>> decode("events.engagement", b'{"type":"page_view","event_time_ms":1291900000000}', 1291900000000, rules)
    Rejection(reason='missing_field', detail='event_id: missing', field='event_id')
    """
    if not value:
        return _NO_VALUE if value is None else _NO_BYTES
    if len(value) > rules.max_bytes:
        return reject("too_large", f"{len(value)} bytes; at most {rules.max_bytes} are decoded")
    try:
        if not value.isascii():
            value.decode()  # the decoder does not look into what it skips
        record = DECODERS[topic].decode(value)
        key = repeated_key(value)
    except msgspec.ValidationError as error:
        return misfit(topic, value, error)
    except MALFORMED as error:
        return malformed(error)
    if key is not None:
        return reject("malformed_json", f"the key '{key}' is there twice", key)
    return broken_rule(record, value, kafka_timestamp_ms, rules) or record
