"""The fields of an event table: which paths they come from, and what turns a value of the source into one of Ebb's."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from schemas.money import BILLIONTHS, exponent_of
from stream.ingest.mapping.amounts import AmountForm
from stream.ingest.mapping.conversions import Convert, conversion, is_amount, is_time, keeps_empty, plain_of, translated
from stream.ingest.mapping.paths import Path, parse_path
from stream.ingest.mapping.times import PER_SECOND, TIME_FORMATS
from stream.ingest.mapping.toml import Table, shown

_SOURCES_OF_A_VALUE = ("path", "paths", "join", "constant")
_FIELD_KEYS = (
    *_SOURCES_OF_A_VALUE, "separator", "default", "prefix", "values", "otherwise",
    "time", "zone", "money", "scale", "decimals", "absolute", "duration",
)  # fmt: skip


@dataclass(frozen=True)
class FieldSpec:
    """One field of an event, or of a line.

    Attributes:
        name: Ebb's name of it.
        is_required: whether there is no event without it.
        paths: the first that leads to something counts, or all of them where they are joined.
        separator: between what is joined; None where nothing is.
        default: when there is nothing; None: the field is absent then.
        convert: makes the field's value.
        keeps_empty: whether an empty string is a value; elsewhere it counts as absent.
    """

    name: str
    is_required: bool
    paths: tuple[Path, ...]
    separator: str | None
    default: object
    convert: Convert
    keeps_empty: bool


def read_fields(table: Table, kind: type[msgspec.Struct], currency: str, apart: set[str]) -> tuple[FieldSpec, ...]:
    """Read a table of fields.

    Args:
        table: Ebb's field = what it comes from.
        kind: whose fields they are.
        currency: of the deployment.
        apart: fields that are written elsewhere.

    Raises:
        MapError: a field that is none, is missing, or cannot be made so.
    """
    declared = {
        field.name: field
        for field in msgspec.structs.fields(kind)
        if field.name not in {"schema_version", "compatible_with", *apart}
    }
    table.allow(declared)
    for name, field in declared.items():
        if field.required and name not in table.entries and name != "event_id":
            raise table.error("is missing: there is no such event without it", name)
    return tuple(_field(table, name, declared[name], currency) for name in table.entries)


def _field(fields: Table, name: str, declared: msgspec.structs.FieldInfo, currency: str) -> FieldSpec:
    written = fields.entries[name]
    table = Table(f"{fields.where}, {name}", written if isinstance(written, dict) else {"path": written})
    table.allow(_FIELD_KEYS)
    if sum(key in table.entries for key in _SOURCES_OF_A_VALUE) != 1:
        raise table.error(f"needs exactly one of {', '.join(_SOURCES_OF_A_VALUE)}")
    of_type = _of_type(table, declared, currency)
    convert = _convert(table, declared, of_type)
    default = table.entries.get("constant", table.entries.get("default"))
    if default is not None:
        key = "constant" if "constant" in table.entries else "default"
        default = _fitting(table, key, default, of_type, declared)
        if name == "currency" and default != currency:
            raise table.error(f"{shown(default)} is not {currency}, that of this deployment (EBB_CURRENCY)", key)
    paths = tuple(read_path(table, "path", text) for text in _texts_of_paths(table))
    separator = table.text("separator", "-") if "join" in table.entries else None
    return FieldSpec(name, declared.required, paths, separator, default, convert, keeps_empty(declared.type))


def _texts_of_paths(table: Table) -> tuple[str, ...]:
    key = next(key for key in _SOURCES_OF_A_VALUE if key in table.entries)
    if key == "constant":
        return ()
    return (table.text("path"),) if key == "path" else table.texts(key)


def read_path(table: Table, key: str, text: str) -> Path:
    """Read the path that stands at a key of a table.

    Raises:
        MapError: it is none.
    """
    try:
        return parse_path(text)
    except ValueError as error:
        raise table.error(str(error), key) from error


def _fitting(table: Table, key: str, value: Any, convert: Convert, declared: msgspec.structs.FieldInfo) -> object:
    """What the map itself says a field may be, as the event will have it."""
    try:
        return msgspec.convert(convert(value), declared.type)
    except (ValueError, msgspec.ValidationError) as error:
        raise table.error(f"{shown(value)} cannot be the {declared.name}: {error}", key) from error


def _of_type(table: Table, field: msgspec.structs.FieldInfo, currency: str) -> Convert:
    """What makes a value of the field's type."""
    return conversion(
        field.type,
        time=_time_form(table, field.type),
        zone=_zone(table, field.type),
        amount=_amount_form(table, field.type, currency),
        duration=_duration(table, field.name),
    )


def _convert(table: Table, field: msgspec.structs.FieldInfo, of_type: Convert) -> Convert:
    """What a value of the source goes through: the table of values, the type, the prefix."""
    steps: list[Convert] = [of_type]
    if "values" in table.entries:
        steps.insert(0, _translation(table, of_type, field))
    elif "otherwise" in table.entries:
        raise table.error("means something with values only", "otherwise")
    if "prefix" in table.entries:
        prefix = table.text("prefix")
        if plain_of(field.type) is not str or is_amount(field.type):
            raise table.error("only a string can have one", "prefix")
        steps.append(lambda value: f"{prefix}{value}")
    if len(steps) == 1:
        return of_type
    return _after_each_other(steps)


def _after_each_other(steps: list[Convert]) -> Convert:
    def convert(value: object) -> object:
        for step in steps:
            value = step(value)
        return value

    return convert


def _translation(table: Table, of_type: Convert, field: msgspec.structs.FieldInfo) -> Convert:
    values, otherwise = table.table("values"), table.entries.get("otherwise")
    for key, value in values.entries.items():
        _fitting(values, key, value, of_type, field)
    if otherwise is not None:
        _fitting(table, "otherwise", otherwise, of_type, field)
    return translated(values.entries, otherwise)


def _time_form(table: Table, declared: Any) -> str:
    if is_time(declared):
        return table.text("time", "iso" if "constant" in table.entries else None, TIME_FORMATS)
    if "time" in table.entries:
        raise table.error("the field is no time", "time")
    return "iso"


def _zone(table: Table, declared: Any) -> tzinfo:
    if "zone" not in table.entries:
        return UTC
    if not is_time(declared):
        raise table.error("the field is no time", "zone")
    name = table.text("zone")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise table.error(f"{name!r} is no time zone such as 'Europe/London'", "zone") from error


def _amount_form(table: Table, declared: Any, currency: str) -> AmountForm:
    given = {"money", "scale", "decimals", "absolute"} & table.entries.keys()
    if given and not is_amount(declared):
        raise table.error("the field is no money", min(given))
    if {"money", "scale"} <= given:
        raise table.error("money and scale say the same; write one of them", "scale")
    is_minor = table.text("money", "major", ("major", "minor")) == "minor"
    scale = exponent_of(currency) if is_minor else table.whole("scale", BILLIONTHS) or 0
    return AmountForm(scale, table.whole("decimals", BILLIONTHS), table.flag("absolute"))


def _duration(table: Table, name: str) -> str:
    if name == "duration_ms":
        return table.text("duration", "milliseconds", PER_SECOND)
    if "duration" in table.entries:
        raise table.error("the field is no duration", "duration")
    return ""
