"""A record that names its event, customer or time twice means nothing certain: readers differ in which one they take.

Elsewhere in a record the last of two equal keys counts, as for most readers of JSON.
"""

import json
import re

KEYS = ("event_id", "customer_id", "event_time_ms")
_QUOTED_KEYS = tuple(f'"{key}"'.encode() for key in KEYS)
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")  # a key can also be written with escapes


def repeated_key(value: bytes) -> str | None:
    """The first of `KEYS` that the outermost object has twice, or None.

    Looking for the key's text from both ends costs little and misses none. Whether it is the key that is there twice,
    and not the same word further inside, is worth reading the record again.

    Args:
        value: a JSON object in UTF-8.

    Raises:
        json.JSONDecodeError: the standard library reads the record more strictly than the decoder did.
        RecursionError: the record is nested too deeply.

    >>> repeated_key(b'{"event_id":"a","event_id":"b"}')
    'event_id'
    >>> repeated_key(b'{"event_id":"a","context":{"event_id":"b"}}')
    """
    for key in _QUOTED_KEYS:
        if value.find(key) != value.rfind(key):
            return _read_again(value)
    if b"\\u00" in value and _ESCAPED_LETTER.search(value):
        return _read_again(value)
    return None


def _read_again(value: bytes) -> str | None:
    pairs = json.loads(value, strict=False, parse_int=str, parse_float=str, object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    return next((key for key in KEYS if keys.count(key) > 1), None)


def names_keys_once(joined: bytes, events: int, customers: int) -> bool:
    """Whether none of many events can have one of `KEYS` twice, seen from how often the keys occur in all of them.

    Args:
        joined: the JSON of the events, in which no string is written with a backslash.
        events: how many they are; each has an id and a time.
        customers: how many of them have a customer.

    >>> names_keys_once(b'{"event_id":"a","event_time_ms":1} {"event_id":"b","event_time_ms":2}', 2, 0)
    True
    """
    return [joined.count(key) for key in _QUOTED_KEYS] == [events, customers, events]
