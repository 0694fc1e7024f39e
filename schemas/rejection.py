"""Why a record cannot be applied. Reasons are stable: they are counted, alarmed on and documented in docs/events.md."""

import re
from typing import Literal, get_args

from msgspec import Struct

Reason = Literal[
    "tombstone",
    "empty_value",
    "too_large",
    "malformed_json",
    "unknown_kind",
    "wrong_topic",
    "unsupported_version",
    "missing_field",
    "invalid_field",
    "wrong_currency",
    "amount_out_of_range",
    "event_time_too_early",
    "event_time_too_late",
    "wrong_partition",
    "merged_already",
    "bug",
    "no_event",
    "malformed_avro",
    "unknown_schema",
]
REASONS: tuple[Reason, ...] = get_args(Reason)

DETAIL_CHARACTERS_MAX = 200
QUOTED_CHARACTERS_MAX = 60
NOT_PRINTABLE = re.compile(r"[^ -~]")


class Rejection(Struct, frozen=True):
    """Why a record became a dead letter.

    `detail` is one line of at most 200 printable ASCII characters, whatever the record held. `field` is the path of the
    field at fault, such as "lines[2].quantity", or None where it is no single field.
    """

    reason: Reason
    detail: str
    field: str | None = None


def reject(reason: Reason, detail: str, field: str | None = None) -> Rejection:
    r"""A rejection whose detail is safe to log, whatever it quotes.

    >>> reject("unknown_kind", "no kind is called '\x1b[2J'", "type").detail == r"no kind is called '\x1b[2J'"
    True
    """
    return Rejection(reason, shortened(detail, DETAIL_CHARACTERS_MAX), field)


def shortened(text: str, characters_max: int) -> str:
    """Printable ASCII of at most `characters_max` characters; what was cut is marked by three dots.

    >>> shortened("x" * 5_000_000, 10)
    'xxxxxxx...'
    """
    printable = NOT_PRINTABLE.sub(_escaped, text[: characters_max + 1])
    return printable if len(printable) <= characters_max else printable[: characters_max - 3] + "..."


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def quoted(value: object) -> str:
    """A value of a hostile record as a short piece of a sentence: small ones as such, others by their type in JSON.

    >>> quoted("EUR"), quoted(7), quoted(True), quoted(10**400), quoted([1, 2])
    ("'EUR'", '7', 'true', 'a large number', 'an array')
    """
    match value:
        case str():
            return f"'{shortened(value, QUOTED_CHARACTERS_MAX)}'"
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value) if abs(value) < 2**64 else "a large number"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "a fraction"
