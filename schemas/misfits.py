"""Why the decoder refused a value, in the words of docs/events.md. Only bad records come here: it may take its time."""

import json
import re
from typing import Any

import msgspec

from schemas.rejection import Rejection, quoted, reject, shortened
from schemas.rules import version_fault
from schemas.topics import KINDS_OF

MALFORMED = (msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError, RecursionError)
"""What reading raises for bytes that are no JSON document; `msgspec.ValidationError` is a kind of the first."""

_DECODER_SAYS = re.compile(r"(?P<why>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
_PROSE_MAX = 120  # characters of the decoder's own words, which may quote the value


class _Header(msgspec.Struct):
    """The fields that decide whether the others can be judged at all; of any type, since the record is a bad one."""

    type: Any = msgspec.UNSET
    schema_version: Any = 1
    compatible_with: Any = None


_HEADER = msgspec.json.Decoder(_Header)
_TAGS_OF = {topic: {str(kind.__struct_config__.tag) for kind in kinds} for topic, kinds in KINDS_OF.items()}
_TAGS = set().union(*_TAGS_OF.values())


def malformed(error: Exception) -> Rejection:
    """A value that is not one JSON document in UTF-8.

    >>> malformed(RecursionError()).detail
    'nested too deeply'
    """
    if isinstance(error, RecursionError):
        return reject("malformed_json", "nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return reject("malformed_json", f"not UTF-8: {error.reason} at byte {error.start}")
    return reject("malformed_json", str(error))


def misfit(topic: str, value: bytes, error: msgspec.ValidationError) -> Rejection:
    """A JSON document that is no record of `topic`: its kind or its version is at fault, else one of its fields."""
    try:
        header = _HEADER.decode(value)
    except msgspec.ValidationError:  # not an object
        return _field_fault(str(error))
    except MALFORMED as worse:
        return malformed(worse)
    return (
        _kind_fault(topic, header.type)
        or version_fault(header.schema_version, header.compatible_with)
        or _field_fault(str(error))
    )


def _kind_fault(topic: str, tag: Any) -> Rejection | None:
    if tag is msgspec.UNSET:
        return reject("missing_field", "type: missing", "type")
    if not isinstance(tag, str):
        return reject("invalid_field", f"type: {quoted(tag)} is not a string", "type")
    if tag not in _TAGS:
        return reject("unknown_kind", f"no kind is called {quoted(tag)}", "type")
    if tag not in _TAGS_OF[topic]:
        return reject("wrong_topic", f"{topic} carries no {tag}", "type")
    return None


def _field_fault(message: str) -> Rejection:
    said = _DECODER_SAYS.fullmatch(message)
    why, path = (said["why"], said["path"]) if said else (message, None)
    missing = _MISSING.fullmatch(why)
    if missing:
        field = f"{path}.{missing['name']}" if path else missing["name"]
        return reject("missing_field", f"{field}: missing", field)
    why = shortened(why, _PROSE_MAX)
    return reject("invalid_field", f"{path}: {why}" if path else why, path or None)
