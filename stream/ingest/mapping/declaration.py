"""What a map says, read from its TOML and checked whole: a map with an error in it does not begin.

Which fields an event has, which of them it needs and of what type they are comes from `schemas.events`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import get_args

import msgspec

from schemas.events import Event, OrderLine, Purchase, Refund, RefundLine
from schemas.topics import TOPICS
from stream.ingest.mapping.conditions import read_conditions
from stream.ingest.mapping.fields import FieldSpec, read_fields, read_path
from stream.ingest.mapping.paths import Path
from stream.ingest.mapping.toml import Table, read_toml

FORMATS = ("json", "avro")
UNMATCHED = ("refuse", "ignore")
KINDS: Mapping[str, type[msgspec.Struct]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Event)}
LINES: Mapping[type[msgspec.Struct], type[msgspec.Struct]] = {Purchase: OrderLine, Refund: RefundLine}
"""The kinds of event that have lines, and what a line is."""
OURS = frozenset(topic.name for topic in TOPICS)


@dataclass(frozen=True)
class SourceSpec:
    """A topic to read: its format, and whether a record that no event table applies to is refused."""

    topic: str
    format: str
    refuses_unmatched: bool


@dataclass(frozen=True)
class EventSpec:
    """One `[[event]]` table.

    Attributes:
        kind: what it makes.
        topics: of the sources it reads.
        conditions: paths and what each has to be.
        each: the list of which every element is an event; empty where the record is one.
        fields, lines: what the event and each of its lines are made of.
        line_list: the list whose elements are lines, from the record on; empty where the event has one line.
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
    fields = read_fields(table.table("fields"), kind, currency, {"lines"})
    lines: tuple[FieldSpec, ...] = ()
    if kind in LINES:
        lines = read_fields(table.table("lines"), LINES[kind], currency, set())
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
    path = read_path(table, "each", table.text("each"))
    if len(path.lists) != 1 or path.steps:
        raise table.error(f"{path.text!r} is no list of the record, such as 'events[]'", "each")
    return path.lists


def _line_list(
    table: Table, each: tuple[tuple[str | int, ...], ...], lines: tuple[FieldSpec, ...]
) -> tuple[tuple[str | int, ...], ...]:
    """The one list that the paths of lines go through; empty where none does, and the event has one line."""
    lists = {path.lists: path for path in _paths(lines) if path.lists not in ((), each)}
    deep = [path for path in lists.values() if path.lists[:-1] != each]
    if len(lists) > 1 or deep:
        named = ", ".join(repr(path.text) for path in lists.values())
        raise table.error(f"every line is an element of one list, such as 'items[].sku', not {named}", "lines")
    return next(iter(lists), ())


def _paths(fields: Collection[FieldSpec]) -> list[Path]:
    return [path for field in fields for path in field.paths]


def _extra(table: Table, kind: type[msgspec.Struct]) -> tuple[tuple[str, Path], ...]:
    for name in table.entries:
        if name in kind.__struct_fields__ or name in {"type", "schema_version", "compatible_with"}:
            raise table.error("is a field of Ebb's own; write it under fields", name)
    return tuple((name, read_path(table, name, table.text(name))) for name in table.entries)
