"""What a map says, read from its TOML and checked whole: a map with an error in it does not begin.

Which fields an event has, which of them it needs and of what type they are comes from `schemas.events`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path as File
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from schemas.events import Event, OrderLine, Purchase, Refund, RefundLine
from schemas.money import BILLIONTHS, exponent_of
from schemas.topics import TOPICS
from stream.ingest.mapping.amounts import AmountForm
from stream.ingest.mapping.conditions import read_conditions
from stream.ingest.mapping.conversions import Convert, conversion, is_amount, is_time, keeps_empty, plain_of, translated
from stream.ingest.mapping.paths import Path, parse_path
from stream.ingest.mapping.times import PER_SECOND, TIME_FORMATS
from stream.ingest.mapping.toml import Table, read_toml, shown

FORMATS = ("json", "avro")
UNMATCHED = ("refuse", "ignore")
KINDS: Mapping[str, type[msgspec.Struct]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Event)}
LINES: Mapping[type[msgspec.Struct], type[msgspec.Struct]] = {Purchase: OrderLine, Refund: RefundLine}
"""The kinds of event that have lines, and what a line is."""
OURS = frozenset(topic.name for topic in TOPICS)

_SOURCES_OF_A_VALUE = ("path", "paths", "join", "constant")
_FIELD_KEYS = (
    *_SOURCES_OF_A_VALUE, "separator", "default", "prefix", "values", "otherwise",
    "time", "zone", "money", "scale", "decimals", "absolute", "duration",
)  # fmt: skip


@dataclass(frozen=True)
class SourceSpec:
    """A topic to read: its format, and whether a record that no event table applies to is refused."""

    topic: str
    format: str
    refuses_unmatched: bool


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


@dataclass(frozen=True)
class EventSpec:
    """One `[[event]]` table.

    Attributes:
        kind: what it makes.
        topics: of the sources it reads.
        conditions: paths and what each has to be.
        each: the list of which every element is an event; empty where the record is one.
        fields, lines: what the event and each of its lines are made of.
        line_list: the list whose elements are lines, from the record on.
        extra: name and path of what is carried along as it is.
    """

    kind: str
    topics: tuple[str, ...]
    conditions: tuple[tuple[Path, Callable[[object], bool]], ...]
    each: tuple[tuple[str | int, ...], ...]
    fields: tuple[FieldSpec, ...]
    lines: tuple[FieldSpec, ...]
    line_list: tuple[tuple[str | int, ...], ...]
    extra: tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class Map:
    """A whole map: sources by topic, and event tables."""

    sources: Mapping[str, SourceSpec]
    events: tuple[EventSpec, ...]


def read_map(file: File, currency: str) -> Map:
    """Read a map for a deployment with this currency.

    Raises:
        MapError: it cannot be followed; the message says which table, key and value, and what to write.
    """
    whole = read_toml(file)
    whole.allow(("source", "event"))
    sources = _sources(whole.table("source"))
    events = tuple(_event(table, sources, currency) for table in whole.tables("event"))
    if not sources or not events:
        raise whole.error('has nothing to do: write a [source."topic"] and at least one [[event]]')
    idle = [topic for topic in sources if not any(topic in event.topics for event in events)]
    if idle:
        raise whole.error(f"no [[event]] reads the source {idle[0]!r}")
    return Map(sources, events)


def _sources(tables: Table) -> dict[str, SourceSpec]:
    found: dict[str, SourceSpec] = {}
    for topic in tables.entries:
        if topic in OURS:
            raise tables.error("is a topic of Ebb's own, which workers read themselves", topic)
        table = tables.table(topic)
        if table.entries and all(isinstance(value, dict) for value in table.entries.values()):
            name = f"{topic}.{next(iter(table.entries))}"
            raise tables.error(f'a topic with a dot stands in quotes: [source."{name}"]', topic)
        table.allow(("format", "unmatched"))
        unmatched = table.text("unmatched", "refuse", UNMATCHED)
        found[topic] = SourceSpec(topic, table.text("format", None, FORMATS), unmatched == "refuse")
    return found


def _event(table: Table, sources: Mapping[str, SourceSpec], currency: str) -> EventSpec:
    table.allow(("type", "from", "when", "each", "fields", "lines", "extra"))
    tag = table.text("type", None, KINDS)
    table = Table(f"{table.where} ({tag})", table.entries)
    kind = KINDS[tag]
    each = _each(table)
    fields = _fields(table.table("fields"), kind, currency, {"lines"})
    lines: tuple[FieldSpec, ...] = ()
    if kind in LINES:
        lines = _fields(table.table("lines"), LINES[kind], currency, set())
    elif "lines" in table.entries:
        raise table.error(f"a {tag} has no lines", "lines")
    extra = _extra(table.table("extra"), kind)
    conditions = tuple(read_conditions(table.table("when")))
    for path in [*(path for path, _ in conditions), *(path for _, path in extra), *_paths(fields)]:
        if path.lists not in ((), each):
            raise table.error(f"{path.text!r} goes through a list, and an event has one value; see each and lines")
    line_list = _line_list(table, each, lines) if lines else ()
    return EventSpec(tag, _from(table, sources), conditions, each, fields, lines, line_list, extra)


def _from(table: Table, sources: Mapping[str, SourceSpec]) -> tuple[str, ...]:
    if "from" not in table.entries and len(sources) == 1:
        return tuple(sources)
    if "from" not in table.entries:
        raise table.error(f"is missing; write one of {', '.join(sources)}, or a list of them", "from")
    topics = table.texts("from")
    for topic in topics:
        if topic not in sources:
            raise table.error(f'there is no [source."{topic}"]', "from")
    return topics


def _each(table: Table) -> tuple[tuple[str | int, ...], ...]:
    if "each" not in table.entries:
        return ()
    path = _path(table, "each", table.text("each"))
    if len(path.lists) != 1 or path.steps:
        raise table.error(f"{path.text!r} is no list of the record, such as 'events[]'", "each")
    return path.lists


def _line_list(
    table: Table, each: tuple[tuple[str | int, ...], ...], lines: tuple[FieldSpec, ...]
) -> tuple[tuple[str | int, ...], ...]:
    """The one list that the paths of lines go through."""
    lists = {path.lists: path for path in _paths(lines) if path.lists not in ((), each)}
    deep = [path for path in lists.values() if path.lists[:-1] != each]
    if len(lists) != 1 or deep:
        named = ", ".join(repr(path.text) for path in lists.values()) or "no path with [] is there"
        raise table.error(f"every line is an element of one list, such as 'items[].sku': {named}", "lines")
    return next(iter(lists))


def _paths(fields: Collection[FieldSpec]) -> list[Path]:
    return [path for field in fields for path in field.paths]


def _extra(table: Table, kind: type[msgspec.Struct]) -> tuple[tuple[str, Path], ...]:
    for name in table.entries:
        if name in kind.__struct_fields__ or name in {"type", "schema_version", "compatible_with"}:
            raise table.error("is a field of Ebb's own; write it under fields", name)
    return tuple((name, _path(table, name, table.text(name))) for name in table.entries)


def _fields(table: Table, kind: type[msgspec.Struct], currency: str, apart: set[str]) -> tuple[FieldSpec, ...]:
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
    convert = _convert(table, declared, currency)
    default = table.entries.get("constant", table.entries.get("default"))
    if default is not None:
        key = "constant" if "constant" in table.entries else "default"
        default = _fitting(table, key, default, convert, declared)
        if name == "currency" and default != currency:
            raise table.error(f"{shown(default)} is not {currency}, that of this deployment (EBB_CURRENCY)", key)
    paths = tuple(_path(table, "path", text) for text in _texts_of_paths(table))
    separator = table.text("separator", "-") if "join" in table.entries else None
    return FieldSpec(name, declared.required, paths, separator, default, convert, keeps_empty(declared.type))


def _texts_of_paths(table: Table) -> tuple[str, ...]:
    key = next(key for key in _SOURCES_OF_A_VALUE if key in table.entries)
    if key == "constant":
        return ()
    return (table.text("path"),) if key == "path" else table.texts(key)


def _path(table: Table, key: str, text: str) -> Path:
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


def _convert(table: Table, field: msgspec.structs.FieldInfo, currency: str) -> Convert:
    """What the value of a field goes through: the table of values, the type, the prefix."""
    declared = field.type
    of_type = conversion(
        declared,
        time=_time_form(table, declared),
        zone=_zone(table, declared),
        amount=_amount_form(table, declared, currency),
        duration=_duration(table, field.name),
    )
    steps: list[Convert] = [of_type]
    if "values" in table.entries:
        steps.insert(0, _translation(table, of_type, field))
    elif "otherwise" in table.entries:
        raise table.error("means something with values only", "otherwise")
    if "prefix" in table.entries:
        prefix = table.text("prefix")
        if plain_of(declared) is not str or is_amount(declared):
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
