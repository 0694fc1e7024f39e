"""What a record may be called by: identifiers and names, bounded in bytes and free of control characters.

They become Redis keys, log lines and terminal output, so whatever could end a line, move a cursor or reverse the
direction of writing is refused.
"""

import re
from functools import cache
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import fields

from schemas.envelope import ID_BYTES_MAX, Id, Name
from schemas.rejection import Rejection, quoted, reject

HOSTILE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line and paragraph separators, reversals of writing, surrogates."""


def is_plain(value: bytes) -> bool:
    """Whether no string of a JSON document can be longer in bytes than in characters or hold a control character.

    True for nearly every record, which then needs no look at its identifiers: the decoder has bounded their characters,
    and JSON writes control characters below 0x20 with a backslash.

    >>> is_plain(b'{"event_id":"a"}'), is_plain(b'{"event_id":"\\\\u0000"}')
    (True, False)
    """
    return value.isascii() and b"\\" not in value and b"\x7f" not in value


def identifier_fault(record: Struct) -> Rejection | None:
    """The first identifier or name of a decoded record, or of its lines, that may not be one."""
    fault = _text_fault(record)
    if fault is not None:
        return reject("invalid_field", f"{fault[0]}: {fault[1]}", fault[0])
    for place, line in enumerate(getattr(record, "lines", ())):
        fault = _text_fault(line)
        if fault is not None:
            path = f"lines[{place}].{fault[0]}"
            return reject("invalid_field", f"{path}: {fault[1]}", path)
    return None


def _text_fault(record: Struct) -> tuple[str, str] | None:
    """Name of the first field at fault, and why."""
    for name in _bounded_fields(type(record)):
        value = getattr(record, name)
        for text in value if isinstance(value, list) else [value]:
            if text is None or (text.isascii() and text.isprintable()):
                continue
            if len(text.encode()) > ID_BYTES_MAX:
                return name, f"longer than {ID_BYTES_MAX} bytes"
            if HOSTILE.search(text):
                return name, f"{quoted(text)} holds a control character"
    return None


@cache
def _bounded_fields(kind: type[Struct]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if _is_bounded(field.type))


def _is_bounded(declared: Any) -> bool:
    return any(option in (Id, Name) for option in (declared, *get_args(declared)))
